"""Record files that no run can have written: refused by file and field, and the other boards are made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import run_all, run_on

from harness.cli import main
from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.current import Folder, by_panel
from harness.records.record import Record
from harness.records.store import Store, to_text
from harness.runs.execute import Workshop


@pytest.fixture
def record(workshop: Workshop, four_persons: Panel) -> Record:
    [made] = run_all(run_on(workshop.registry, four_persons), workshop)
    return made


def forged(record: Record, folder: Path, place: str, value: Any) -> Path:
    """The record's file with another value at a place, such as evidence.top_5.0."""
    content = json.loads(to_text(record))
    *outer, last = place.split(".")
    at: Any = content
    for name in outer:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = value
    path = folder / "panel" / f"{record.configuration.task}-forged.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("evidence.log_likelihood.0", 0.5, r"evidence: log_likelihood: 0.5, which must lie between -.* and 0"),
        ("evidence.log_likelihood.0", -1e308, "evidence: log_likelihood: -1e[+]308, which"),
        ("evidence.log_likelihood.0", float("nan"), "evidence.log_likelihood.0: "),
        ("evidence.log_likelihood", [-1.0, -1.0], "evidence: log_likelihood: 2 values for 1 persons"),
        ("evidence.top_5.0", 1000, "evidence: top_5: 1000, which must lie between 0 and"),
        ("evidence.transitions.0", -1, "evidence: transitions: -1, which"),
        ("evidence.ids", ["p1", "p1"], "evidence: ids: a person stands there twice"),
        ("evidence.brier", [1e6], "evidence: brier: 1e[+]06, which"),
        ("evidence.log_likelihood.0", -1e5, "evidence: log_likelihood: .* no perplexity"),
        ("evidence.units", [9], "evidence: units: 9, which must lie between 0 and 1"),
        ("evidence.likeliest_cells", [10**400], "evidence: likeliest_cells: "),
        ("evidence.weight", [-1.0], "evidence: weight: -1, which"),
        ("slices.gender.male.counted", [1, 2], "slices.gender.male: log_likelihood: 40 values for 2 groups"),
        ("slices.gender.male.counted.0", -3, "slices.gender.male: counted: -3, which"),
        ("configuration.panel.persons", 0, "configuration.panel.persons: "),
        ("configuration.panel.fingerprint", "../../x", "configuration.panel.fingerprint: "),
        ("configuration.task", "../../../escaped", "configuration.task: "),
        ("configuration.task", "/escaped", "configuration.task: "),
        ("configuration.task", "..", "configuration.task: "),
        ("measured.finished", "2999-01-01T00:00:00Z", "measured.finished: .* is still to come"),
        ("measured.finished", "2020-01-01T00:00:00", "measured.finished: "),
        ("facts", {"deep": [{"er": float("nan")}]}, "facts: nan is no number of a record"),
        ("configuration.panel.source", {"file": float("inf")}, "configuration.panel.source: inf is no number"),
        ("figures.perplexity", float("inf"), "figures.perplexity: "),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_field(
    record: Record, tmp_path: Path, place: str, value: Any, told: str
) -> None:
    path = forged(record, tmp_path, place, value)
    with pytest.raises(RequestError, match=rf"forged.json: (not a valid record: )?{told}"):
        Store(tmp_path).read(path)


def test_evidence_of_more_than_the_panel_has_is_refused(record: Record, tmp_path: Path) -> None:
    path = forged(record, tmp_path, "configuration.panel.records", 1)
    with pytest.raises(RequestError, match=r"evidence.transitions: \d+ of a panel of 1 records"):
        Store(tmp_path).read(path)


def test_nesting_that_no_parser_follows_is_refused(record: Record, tmp_path: Path) -> None:
    path = forged(record, tmp_path, "facts", {})
    deep = "[" * 100_000 + "]" * 100_000
    path.write_text(path.read_text().replace('"facts": {}', f'"facts": {{"deep": {deep}}}'), encoding="utf-8")
    with pytest.raises(RequestError, match=r"forged.json: not a record file"):
        Store(tmp_path).head(path)


def test_what_a_run_wrote_is_read(record: Record, workshop: Workshop) -> None:
    assert workshop.store.read(workshop.store.path(record.configuration)) == record


def test_a_file_that_changes_is_read_again(record: Record, tmp_path: Path) -> None:
    """Within one command, too, and though its size and times are what they were."""
    path = forged(record, tmp_path, "facts", {"note": 1})
    store, before = Store(tmp_path), path.stat()
    assert store.read(path).facts == {"note": 1}
    path.write_text(path.read_text().replace('"note": 1', '"note": 2'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.read(path).facts == {"note": 2}
    path.write_text(path.read_text().replace(record.id, "0" * 16))
    with pytest.raises(RequestError, match="is not that of its configuration"):
        store.read(path)


def test_two_files_of_one_record_are_refused(record: Record, workshop: Workshop) -> None:
    path = workshop.store.path(record.configuration)
    (path.parent / "copy.json").write_bytes(path.read_bytes())
    with pytest.raises(RequestError, match=f"record {record.id} stands in .*copy.json as well"):
        Folder(workshop.store).heads()


def test_two_files_that_were_swapped_are_refused(record: Record, workshop: Workshop, four_persons: Panel) -> None:
    [other] = run_all(run_on(workshop.registry, four_persons, "switch"), workshop)
    one, two = (workshop.store.path(made.configuration) for made in (record, other))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    for read in (workshop.store.read, workshop.store.head):
        with pytest.raises(RequestError, match=f"holds record {other.id}, and its name says {record.id}"):
            read(one)
    with pytest.raises(RequestError, match=f"holds record {record.id}, and its name says {other.id}"):
        workshop.store.find(other.configuration)


def test_names_that_make_one_folder_have_two(record: Record) -> None:
    facts = record.configuration.panel

    def named(name: str, fingerprint: str) -> Record:
        panel = facts.model_copy(update={"name": name, "fingerprint": fingerprint})
        return record.model_copy(update={"configuration": record.configuration.model_copy(update={"panel": panel})})

    found = by_panel([named("my panel", "a" * 64), named("my-panel", "b" * 64)])
    assert [panel.folder for panel in found] == ["my-panel-aaaaaaaa", "my-panel-bbbbbbbb"]


@pytest.mark.parametrize("place", ["configuration.task", "evidence.log_likelihood.0"])
def test_the_other_boards_are_made(
    record: Record,
    workshop: Workshop,
    four_persons: Panel,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """One file whose head is wrong, or whose evidence is: the boards stand without it, and the status says so."""
    [other] = run_all(run_on(workshop.registry, four_persons, seed=1), workshop)
    value = "../../escaped" if place == "configuration.task" else 3.0
    path = forged(other, workshop.store.folder, place, value)
    workshop.store.path(other.configuration).unlink()
    folder = tmp_path / "deep" / "boards"
    line = ["harness", "leaderboard", "--records", str(workshop.store.folder), "--boards", str(folder)]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "1 of the record files left out of the boards" in told
    assert path.name in told
    board = json.loads((folder / "four-persons" / "next_occ.json").read_text(encoding="utf-8"))
    assert [row["record"] for row in board["rows"]] == [record.id]
    assert not list(tmp_path.rglob("escaped*"))
