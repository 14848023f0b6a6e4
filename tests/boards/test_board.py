"""Records and boards: rows and their order, what round-trips, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import render
from harness.boards.board import boards
from harness.errors import RequestError
from harness.model.contract import NoParams
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.records.naming import find_record
from harness.records.record import Record
from harness.records.store import Store, slug, to_text
from harness.registry import Registry
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run
from harness.system.version import installed_version, release


def test_round_trip(store: Store, records: list[Record]) -> None:
    assert sorted(store.all(), key=lambda r: r.id) == sorted(records, key=lambda r: r.id)
    for record in records:
        path = store.path(record.configuration)
        assert to_text(store.read(path)) == path.read_text()


def test_a_board_ranks_and_refers_to_marginal(records: list[Record]) -> None:
    made = {board.task: board for board in boards(records)}
    assert set(made) == {"next_occ", "switch", "lf_exit", "next_occ_switchers"}
    rows = made["next_occ"].rows
    assert [row.rank for row in rows] == [1, 2]
    assert rows[0].perplexity.value < rows[1].perplexity.value
    by_model = {row.model: row for row in rows}
    assert by_model["uniform"].perplexity.value == pytest.approx(4, rel=1e-5)
    assert by_model["marginal"].mcfadden_r2 == 0
    sums = {
        r.configuration.model: sum(r.evidence.log_likelihood) for r in records if r.configuration.task == "next_occ"
    }
    assert by_model["uniform"].mcfadden_r2 == pytest.approx(1 - sums["uniform"] / sums["marginal"])


def test_no_r2_where_movers_have_one_place_to_go_to(registry: Registry, store: Store, tmp_path: Path) -> None:
    """Between two states whoever leaves one goes to the other, and ln P is 0 for every model."""
    codes, persons = ("a", "b"), np.array(["p", "q", "r"])
    panel = Panel(
        name="two",
        persons=persons,
        offsets=np.array([0, 3, 6, 9]),
        year=np.tile([2000, 2001, 2002], 3).astype(np.int32),
        state=np.array([0, 1, 1, 1, 1, 0, 0, 1, 0], dtype=np.int32),
        occupations=Occupations(codes, codes, codes, (Status.EMPLOYED,) * 2),
        split=np.array([0, 1, 2]),
    )
    entry, task = registry.model("marginal"), registry.task("next_occ_switchers")
    run = Run(model=entry, params=entry.item.params(), tasks=(task,), panel=panel)
    made = list(execute(run, Workshop(registry=registry, store=store, cache=tmp_path / "cache")))
    [board] = boards(made)
    assert [(row.perplexity.value, row.mcfadden_r2) for row in board.rows] == [(1.0, None)]
    assert "McFadden" not in render.render(board, "md", registry)
    assert json.loads(render.render(board, "json", registry))["rows"][0]["mcfadden_r2"] is None


def test_regret_is_to_the_model_that_knows_the_truth(records: list[Record]) -> None:
    of_task = [r for r in records if r.configuration.task == "next_occ"]
    truth = next(r for r in of_task if r.configuration.model == "marginal")
    known = [r.model_copy(update={"knows_truth": r is truth}) for r in of_task]
    [board] = boards(known)
    regret = {row.model: row.regret for row in board.rows}
    other = next(r for r in of_task if r is not truth)
    n = sum(truth.evidence.transitions)
    expected = (sum(truth.evidence.log_likelihood) - sum(other.evidence.log_likelihood)) / n
    assert regret["marginal"] is None
    assert regret["uniform"] is not None
    assert regret["uniform"].value == pytest.approx(expected)


def test_standard_errors_come_from_the_evidence(records: list[Record]) -> None:
    """Three persons drawn from three, every one of the 27 draws as likely: its error is worked out, not drawn."""
    asked = 0
    for board in boards(records):
        for row in board.rows:
            evidence = find_record(records, row.record).evidence
            sums = np.column_stack([evidence.log_likelihood, evidence.transitions])
            drawn = [sums[list(draw)].sum(axis=0) for draw in product(range(len(sums)), repeat=len(sums))]
            exact = np.std([np.exp(-said / counted) for said, counted in drawn])
            assert row.perplexity.standard_error == pytest.approx(exact, rel=0.1, abs=1e-9)
            asked += exact > 0.01
    assert asked >= 3  # of the rows whose error is no zero


def test_the_newest_record_of_a_request_stands(records: list[Record]) -> None:
    old = records[0]
    later = old.measured.model_copy(update={"finished": old.measured.finished + timedelta(days=1)})
    code = old.configuration.model_copy(update={"code": "labor-harness 9 000000000000"})
    newer = old.model_copy(update={"id": code.id(), "configuration": code, "measured": later})
    board = next(b for b in boards([*records, newer]) if b.task == old.configuration.task)
    shown = [row.record for row in board.rows]
    assert newer.id in shown
    assert old.id not in shown
    assert board.superseded == 1


def test_a_parameter_that_later_code_added_makes_no_second_row(records: list[Record]) -> None:
    """Nor another default; one that was asked for does. Boards would call both rows by the same name."""
    old = next(r for r in records if r.configuration.task == "next_occ" and r.configuration.model == "marginal")
    later = old.measured.model_copy(update={"finished": old.measured.finished + timedelta(days=1)})

    def shown(parameters: dict[str, Any], changed: dict[str, Any]) -> list[str]:
        asked = old.configuration.model_copy(
            update={"code": "labor-harness 9 000000000000", "parameters": parameters, "changed": changed}
        )
        newer = old.model_copy(update={"id": asked.id(), "configuration": asked, "measured": later})
        board = next(b for b in boards([*records, newer]) if b.task == "next_occ")
        return sorted(row.label for row in board.rows)

    assert shown({"added": 1}, {}) == ["marginal", "uniform"]
    assert shown({"added": 2}, {"added": 2}) == ["marginal", "marginal (added=2)", "uniform"]


def test_entry_boards_are_their_own(registry: Registry, store: Store, tmp_path: Path, four_persons: Panel) -> None:
    run = Run(
        model=registry.model("uniform"), params=NoParams(), tasks=(registry.task("next_occ"),), panel=four_persons
    )
    with_entry = replace(run, tasks=(registry.task("next_occ").with_entry(True),))
    workshop = Workshop(registry=registry, store=store, cache=tmp_path / "cache")
    made = boards([*execute(run, workshop), *execute(with_entry, workshop)])
    assert {board.task: board.transitions for board in made} == {"next_occ": 4, "next_occ-entry": 5}


def test_panels_that_share_a_name_get_folders_of_their_own(
    registry: Registry, store: Store, tmp_path: Path, four_persons: Panel
) -> None:
    other = four_persons.select(np.array([3, 0, 1]))
    workshop = Workshop(registry=registry, store=store, cache=tmp_path / "cache")
    made = []
    for panel in (four_persons, other):
        made += list(
            execute(
                Run(
                    model=registry.model("uniform"), params=NoParams(), tasks=(registry.task("next_occ"),), panel=panel
                ),
                workshop,
            )
        )
    folders = {board.folder for board in boards(made)}
    assert folders == {f"four-persons-{p.fingerprint()[:8]}" for p in (four_persons, other)}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[:-20], "not a record file"),
        (
            lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
            r"record schema 2, and labor-harness \S+ reads up to 1: install a newer labor-harness",
        ),
        (
            lambda text: text.replace('"schema_version": 1', '"schema_version": 2').replace(
                '"code": "labor-harness ', '"code": "labor-harness 999.1 '
            ),
            r"record schema 2, and labor-harness \S+ reads up to 1: install labor-harness 999\.1 or later",
        ),
        (
            lambda text: text.replace('"device"', '"devise"').replace(
                '"code": "labor-harness ', '"code": "labor-harness 999.1 '
            ),
            r"measured\.device: Field required; labor-harness 999\.1 wrote it, .*: install 999\.1 or later",
        ),
        (
            lambda text: text.replace('"device"', '"devise"').replace(
                '"code": "labor-harness ', '"code": "labor-harness 999.1.dev3+g1f2e '
            ),
            r"labor-harness 999\.1 wrote it, .*: install 999\.1 or later",
        ),
        (
            lambda text: text.replace('"device"', '"devise"').replace(
                f'"code": "labor-harness {release(installed_version())} ',
                f'"code": "labor-harness {release(installed_version())}.0.dev3 ',
            ),
            r"measured\.device: Field required$",
        ),
        (lambda text: text.replace('"seed": 0', '"seed": 1'), "is not that of its configuration"),
        (lambda text: text.replace('"device"', '"devise"'), "not a valid record: measured.device: Field required"),
        (lambda text: "[]", "record schema None"),
    ],
)
def test_a_file_that_is_no_record_is_named(edit: object, message: str, store: Store, records: list[Record]) -> None:
    path = store.path(records[0].configuration)
    path.write_text(edit(path.read_text()))  # type: ignore[operator]
    with pytest.raises(RequestError, match=message) as caught:
        store.all()
    assert str(path) in str(caught.value)


def test_records_that_count_other_transitions_do_not_share_a_board(records: list[Record]) -> None:
    evidence = records[0].evidence.model_copy(update={"transitions": [9, 9, 9]})
    with pytest.raises(RequestError, match="do not count the same transitions"):
        boards([records[0].model_copy(update={"evidence": evidence}), *records[1:]])


@pytest.mark.parametrize("drawn", [{"units": [1, 2, 2]}, {"strata": [0, 0, 1]}, {"weight": [1.0, 2.0, 1.0]}])
def test_records_of_persons_drawn_otherwise_do_not_share_a_board(records: list[Record], drawn: dict[str, Any]) -> None:
    first, other = (record for record in records if record.configuration.task == "next_occ")
    edited = other.model_copy(update={"evidence": other.evidence.model_copy(update=drawn)})
    with pytest.raises(RequestError, match="do not count the same transitions"):
        boards([first, edited])


def test_a_failed_write_leaves_the_old_file(
    store: Store, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.path(records[0].configuration)
    before = path.read_text()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store.write(records[0])
    assert path.read_text() == before
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_slug_is_a_safe_file_name() -> None:
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("NLSY 97 (men)") == "NLSY-97--men"
    assert slug("..") == "unnamed"
