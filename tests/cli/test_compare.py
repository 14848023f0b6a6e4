"""``harness compare`` as a user types it: what it prints, what it says is missing, what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.cards import homes
from helpers.toys import InProcess, run_all, run_on

from harness.boards.compare import compare, slice_differences
from harness.boards.transitions import differing
from harness.cli import console
from harness.panel.careers import Panel
from harness.records.predictions import load, path_of
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.system.machine import cache_folder

TITLE = "nurse [bold]at home[/bold] | <b>"


def marked() -> Panel:
    """With a title that is markup to those who take it for such."""
    made = homes()
    return replace(made, occupations=replace(made.occupations, titles=(TITLE, *made.occupations.titles[1:])))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """uniform, marginal and markov on two tasks, with what each said in this session's cache."""
    folder = tmp_path_factory.mktemp("compare") / "results"
    workshop = Workshop(registry=registry, store=Store(folder), cache=cache_folder())
    for name in ("uniform", "marginal", "markov"):
        entry = registry.model(name)
        run_all(run_on(registry, marked(), "next_occ", "switch", entry=entry, params=entry.item.params()), workshop)
    return folder


@pytest.fixture
def harness(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ran: Path
) -> Callable[..., tuple[int, str, str]]:
    command = InProcess("compare", monkeypatch, capsys)
    return lambda *arguments: command(*arguments, "--records", str(ran))


def of_task(records: Path, task: str = "next_occ") -> dict[str, Record]:
    found = [record for record in Store(records).all() if record.configuration.task == task]
    return {record.configuration.model: record for record in found}


Typed = Callable[..., tuple[int, str, str]]


def test_json_has_all_of_it(harness: Typed, ran: Path) -> None:
    known = of_task(ran)
    first, other = known["marginal"], known["markov"]
    status, out, err = harness(first.id, other.id[:9], "--json", "--transitions", "3")
    told = json.loads(out)
    assert (status, err) == (0, "")
    assert (told["task"], told["panel"], told["weights"]) == ("next_occ", "recall", None)
    assert (told["persons"], told["transitions"]) == (len(first.evidence.ids), sum(first.evidence.transitions))
    rows = compare([first, other])
    assert told["runs"][1]["difference"]["value"] == pytest.approx(rows[1].difference.value)  # type: ignore[union-attr]
    [pair] = told["pairs"]
    assert (pair["first"], pair["other"], pair["missing"]) == (first.id, other.id, [])
    assert len(pair["slices"]) == len(slice_differences(first, other)) > 8
    said = [load(cache_folder(), record)["test"] for record in (first, other)]
    expected = differing(said[0], said[1], 3)
    assert pair["differing"]["total"] == pytest.approx(expected.total)
    assert [t["person"] for t in pair["differing"]["for_other"]] == [t.person for t in expected.for_other]
    assert len(pair["differing"]["kinds_for_first"]) == 3
    gain = sum(other.evidence.log_likelihood) - sum(first.evidence.log_likelihood)
    assert pair["differing"]["total"] == pytest.approx(gain, abs=1e-3)


def test_two_runs_are_told_apart_as_text(harness: Typed, ran: Path) -> None:
    known = of_task(ran)
    status, out, err = harness(known["marginal"].id, known["markov"].id)
    assert (status, err) == (0, "")
    assert f"less that of marginal ({known['marginal'].id}), in nats" in out
    assert f"A: marginal ({known['marginal'].id})\nB: markov ({known['markov'].id})" in out
    assert re.search(r"^gender +female +\d+ +\d+ +\d+\.\d% +\+0\.\d{4} ", out, re.MULTILINE)
    assert re.search(r"^\d +\(stays\) +\d+ ", out, re.MULTILINE)
    assert "of the difference, in nats per transition: stay +" in out
    assert TITLE in out, "what is in a title is no markup"
    together = re.search(r"together (\+[\d,.]+)", out)
    assert together is not None
    gain = sum(known["markov"].evidence.log_likelihood) - sum(known["marginal"].evidence.log_likelihood)
    assert float(together[1].replace(",", "")) == pytest.approx(gain, abs=0.06)


def test_a_dimension_is_shown_whole(harness: Typed, ran: Path) -> None:
    known = of_task(ran)
    pair = known["marginal"].id, known["markov"].id
    _, out, _ = harness(*pair, "--by", "gender", "--transitions", "0")
    shown = [line.split()[:2] for line in out.splitlines() if line.startswith("gender")]
    assert shown == [["gender", "female"], ["gender", "male"]]
    assert "for all 2 levels" in out
    assert "B says more" not in out
    _, out, _ = harness(*pair, "--by", "all", "--json")
    assert len(json.loads(out)["pairs"][0]["slices"]) == len(slice_differences(known["marginal"], known["markov"]))
    status, _, err = harness(*pair, "--by", "gander")
    assert (status, err) == (
        2,
        "error: no dimension of these records is called 'gander'; did you mean 'gender'?\n",
    )


def test_of_binary_tasks_kinds_are_by_the_event(harness: Typed, ran: Path) -> None:
    known = of_task(ran, "switch")
    _, out, _ = harness(known["uniform"].id, known["markov"].id)
    assert re.search(r"^1 +(no )?event +\d+ ", out, re.MULTILINE)
    assert "event: any other state; else: the same state" in out


def test_of_three_the_details_are_asked_for(harness: Typed, ran: Path) -> None:
    known = of_task(ran)
    ids = [known[name].id for name in ("markov", "uniform", "marginal")]
    status, out, err = harness(*ids)
    assert status == 0
    rows = [line.split() for line in out.splitlines() if re.match(r"\d ", line)]
    assert [row[:3] for row in rows] == [["1", ids[0], "markov"], ["3", ids[1], "uniform"], ["2", ids[2], "marginal"]]
    assert "In the confidence set at 95%: markov." in out
    assert "A: " not in out
    assert f"harness compare {ids[0]} {ids[1]}" in err
    _, out, err = harness(*ids, "--each")
    assert (out.count("\nA: markov"), out.count("\nB: uniform"), out.count("\nB: marginal"), err) == (2, 1, 1, "")
    _, out, _ = harness(*ids, "--json")
    assert [pair["other"] for pair in json.loads(out)["pairs"]] == ids[1:]


def test_what_is_not_on_this_machine_is_said(
    harness: Typed, ran: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = of_task(ran)
    pair = known["marginal"].id, known["markov"].id
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    status, out, err = harness(*pair)
    assert status == 0
    assert re.search(r"^gender +female ", out, re.MULTILINE), "the record files alone say this"
    assert "B says more" not in out
    lines = err.splitlines()
    assert [line.split()[0] for line in lines] == list(pair)
    line = "harness run --task next_occ --model marginal --data recall"
    assert f"no probabilities of single transitions on this machine: {line}" in lines[0]
    assert harness(*pair, "--transitions", "0")[2] == ""
    told = json.loads(harness(*pair, "--json")[1])["pairs"][0]
    assert (told["differing"], told["missing"]) == (None, lines)


def test_records_that_are_older_than_slices(harness: Typed, ran: Path) -> None:
    known = of_task(ran)
    path = Store(ran).path(known["marginal"].configuration)
    text = path.read_text()
    path.write_text(json.dumps({name: value for name, value in json.loads(text).items() if name != "slices"}))
    try:
        status, out, err = harness(known["marginal"].id, known["markov"].id)
    finally:
        path.write_text(text)
    assert status == 0
    assert "for whom" not in out
    assert "B says more" in out
    assert err.startswith(f"{known['marginal'].id} (marginal) is older than slices: harness run ")


def test_a_damaged_file_of_the_cache_is_named(harness: Typed, ran: Path) -> None:
    known = of_task(ran)
    path = path_of(cache_folder(), known["marginal"].id)
    content = path.read_bytes()
    path.write_bytes(content[:100])
    try:
        status, out, err = harness(known["marginal"].id, known["markov"].id)
    finally:
        path.write_bytes(content)
    assert status == 0
    assert "B says more" not in out
    assert err.startswith(f"{path}: damaged")


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (("next_occ:marginal", "next_occ:marginal"), "is named twice"),
        (("next_occ:marginal", "switch:marginal"), "are not of one task on one panel"),
        (("next_occ:marginal", "zz"), "no record's id begins with 'zz'"),
        (("next_occ:marginal", ""), "6 records' ids begin with ''"),
        (("next_occ:marginal",), "compare needs two records or more"),
    ],
)
def test_what_does_not_compare_is_refused_in_a_line(
    harness: Typed, ran: Path, runs: tuple[str, ...], message: str
) -> None:
    words = [of_task(ran, run.split(":")[0])[run.split(":")[1]].id if ":" in run else run for run in runs]
    status, out, err = harness(*words)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_fit_a_terminal(harness: Typed, ran: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Columns that can be missed go before a name is lost."""
    known = of_task(ran)
    monkeypatch.setattr(console, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = harness(known["marginal"].id, known["markov"].id, "--by", "gender")
    lines = [line for line in out.splitlines() if not line.startswith("  ") and "says more" not in line]
    assert max(map(len, lines)) <= width
    [heading] = [line for line in out.splitlines() if "B less A" in line and "level" in line]
    assert all(word in heading for word in ("by", "level", "B less A", "adjusted p"))
    assert ("95% interval" in heading) is (width == 200)
    assert re.search(r"gender +female +", out)
