"""The engine of studies, with cells of the tests' own: what runs beside what, and what a crash costs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.cells import PATH, cell

from harness.runs.study.cells import Cell, Ended, Event, Remark, run_cells
from harness.runs.study.local import SideBySide


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PATH)


def test_a_cell_that_ends_its_process_costs_itself_alone() -> None:
    cells = [
        cell("1"),
        cell("killed", "die"),
        cell("raises", "fail"),
        cell("2"),
        cell("crashed", "die", told={"signal": 11}),
        cell("breaks", "fail", told={"kind": "harness"}),
        cell("3"),
    ]
    happened: list[Event] = []
    with SideBySide(1, 1) as executor:
        ended = {one.cell.id: one for one in run_cells(cells, executor, happened.extend)}
    assert list(ended) == [one.id for one in cells]
    assert {name: one.fault for name, one in ended.items() if one.fault} == {
        "killed": "lost",
        "raises": "run",
        "crashed": "lost",
        "breaks": "run",
    }
    assert "most likely because memory ran out" in ended["killed"].error
    assert "crashed (SIGSEGV)" in ended["crashed"].error
    assert ended["raises"].error == "ValueError: no number"
    assert ended["breaks"].error == "broke its contract"
    assert [one.text for one in happened if isinstance(one, Remark)] == ["about to fail"] * 2
    alive = {name: one.answer["process"] for name, one in ended.items() if one.answer is not None}
    assert len(alive) == 3
    assert len(set(alive.values())) == 3  # a process goes on until it is lost, and then there is another


class Rehearsal:
    """Carries nothing out: of the cells that run, the one that began first ends at every wait."""

    def __init__(self, places: int, memory_mb: float) -> None:
        self.places, self.memory_mb = places, memory_mb
        self.running: list[Cell] = []
        self.beside: list[set[str]] = []

    def has_place(self) -> bool:
        return len(self.running) < self.places

    def has_room(self, cell: Cell) -> bool:
        return sum(one.memory_mb or 0.0 for one in [*self.running, cell]) <= self.memory_mb

    def start(self, cell: Cell) -> None:
        self.running.append(cell)
        self.beside.append({one.id for one in self.running})

    def wait(self, seconds: float) -> list[Event]:
        return [Ended(cell=self.running.pop(0), answer={})]

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.running


def test_a_cell_waits_for_a_fit_and_for_memory_and_lets_others_by_where_it_may() -> None:
    cells = [
        cell("fit 1", fit="f", memory_mb=10.0),
        cell("fit 2", fit="f", memory_mb=10.0),
        cell("large 1", memory_mb=60.0),
        cell("large 2", memory_mb=60.0),
        cell("small", memory_mb=1.0),
    ]
    rehearsal = Rehearsal(2, 100.0)
    assert {one.cell.id for one in run_cells(cells, rehearsal)} == {one.id for one in cells}
    assert rehearsal.beside == [
        {"fit 1"},
        {"fit 1", "large 1"},  # past the second of the fit
        {"large 1", "fit 2"},  # which has its turn at once
        {"fit 2", "large 2"},  # and not beside the first large one, nor after the small one
        {"large 2", "small"},
    ]


def test_threads_and_memory_of_this_machine_are_shared_out() -> None:
    """A cell of which nobody knows what it takes counts for its share."""
    executor = SideBySide(2, 3, memory_mb=100.0)
    ended = []
    seen = []
    for one in run_cells([cell("1"), cell("2", told={"seconds": 1.0})], executor):
        ended.append(one.answer)
        seen += [executor.has_room(cell("known", memory_mb=44.0)), executor.has_room(cell("more", memory_mb=46.0))]
    assert [answer["threads"] for answer in ended if answer] == ["3", "3"]
    assert len({answer["process"] for answer in ended if answer}) == 2
    assert seen == [True, False, True, True]  # beside one that takes 45 of 90; beside none anything


def test_cells_may_depend_on_those_that_ended() -> None:
    """A search asks for its next trial when there is room for it, with all answers that there are by then."""
    answers = [0]

    def trials() -> Iterator[Cell]:
        for i in range(4):
            yield cell(str(i), "add_one", told={"to": answers[-1]})

    for ended in run_cells(trials(), SideBySide(1, 1)):
        assert ended.answer is not None
        answers.append(ended.answer["sum"])
    assert answers == [0, 1, 2, 3, 4]
