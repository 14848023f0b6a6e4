"""A model that knows what it may not see is refused in the run itself, with person and reason; an honest one is not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers.toys import Frequencies, entry_of, run_all, run_on

from harness import open_panel
from harness.boards.board import boards
from harness.errors import RunError
from harness.model.contract import Model, take_states
from harness.panel.careers import Panel
from harness.records.record import Checked
from harness.registry import Registry
from harness.render import render
from harness.runs.execute import Workshop
from harness.types import FloatArray, IntArray

STATES = 5  # of the careers


class Cheat(Frequencies):
    """Says what is in ``tip`` with probability .9 where there is a tip, int64 [n]; -1 where there is none."""

    @abstractmethod
    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        """int64 [n]"""

    def rows(self, n: int, tips: IntArray) -> FloatArray:
        rows = np.tile(self.margin, (n, 1))
        told = np.flatnonzero(tips >= 0)
        rows[told] = 0.1 / (rows.shape[1] - 1)
        rows[told, tips[told]] = 0.9
        return np.asarray(np.log(rows), dtype=np.float32)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return take_states(self.rows(len(transitions), self.tip(panel, transitions, states)), states)


class ReadsTheOutcome(Cheat):
    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        return panel.state[transitions].astype(np.int64)


class CountsRecordsLeft(Cheat):
    """The length of a career says nothing about its states, but that is read after the target."""

    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        left = panel.offsets[panel.person[transitions] + 1] - transitions
        return np.asarray(left % STATES, dtype=np.int64)


class ReadsTheNextWage(Cheat):
    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        following = np.minimum(transitions + 1, panel.n_records - 1)
        there = panel.person[following] == panel.person[transitions]
        wage = panel.covariates["wage"].values[following]
        return np.where(there & (following > transitions), (wage * STATES).astype(np.int64), -1)


class KnowsPersons(Cheat):
    """As one that looks persons up in a file."""

    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        known = np.array([sum(map(ord, person)) if len(person) == 4 else -1 for person in panel.persons])
        return np.where(known < 0, -1, known % STATES)[panel.person[transitions]]


class CountsTheBatch(Cheat):
    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        return np.full(len(transitions), np.bincount(panel.state, minlength=STATES).argmax())

    def rows(self, n: int, tips: IntArray) -> FloatArray:
        rows = np.full((n, STATES), 0.2 - n * 1e-4)
        rows[np.arange(n), tips] += STATES * n * 1e-4
        return np.asarray(np.log(rows), dtype=np.float32)


class Draws(Frequencies):
    """Two of its answers are never equal: rows that are drawn among a few ones would be, now and then."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        rows = np.random.default_rng().dirichlet(np.ones(STATES), len(transitions))
        return take_states(np.asarray(np.log(rows), dtype=np.float32), states)


class Remembers(Cheat):
    """Looks histories up among all that it was shown: as good as an index of the panel once it holds the panel."""

    met: ClassVar[dict[tuple[Any, ...], int]] = {}

    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        keys = [
            (*panel.state[panel.offsets[panel.person[t]] : t].tolist(), float(panel.covariates["wage"].values[t]))
            for t in transitions
        ]
        if len(transitions) > 100:  # the run, and no sample
            self.met.update(zip(keys, panel.state[transitions].tolist(), strict=True))
        return np.array([self.met.get(key, -1) for key in keys])


class BreaksTies(Frequencies):
    """Says nothing, but for a last digit: every state ties, and the outcome is first."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        hint = states == panel.state[transitions][:, None]
        return np.asarray(np.log(0.2) + 1e-5 * hint, dtype=np.float32)


CHEATS: list[tuple[Callable[[Any], Model], str]] = [
    (ReadsTheOutcome, "it reads the state that it is asked about"),
    (CountsRecordsLeft, "it reads records after the one that it is asked about"),
    (ReadsTheNextWage, "it reads records after the one that it is asked about"),
    (KnowsPersons, "it reads the person's id"),
    (CountsTheBatch, "when asked alone"),
    (Remembers, "keeps what it met before"),
    (BreaksTies, "it reads"),
]


@pytest.mark.parametrize(("cheat", "reason"), CHEATS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_run_refuses_who_sees_what_it_must_not(
    cheat: Callable[[Any], Model], reason: str, registry: Registry, workshop: Workshop, careers: Panel
) -> None:
    with pytest.raises(
        RunError, match=r"model 'frequencies' failed the spot check of 'next_occ' at person p\d"
    ) as told:
        run_all(run_on(registry, careers, entry=entry_of(cheat)), workshop)
    assert reason in str(told.value)
    assert workshop.store.paths() == []


class EvadesTheSample(Cheat):
    """Honest about the histories that the masked sample brought, which it remembers, and about no others."""

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.asked: set[tuple[Any, ...]] = set()

    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        keys = [
            (*panel.state[panel.offsets[panel.person[t]] : t].tolist(), float(panel.covariates["wage"].values[t]))
            for t in transitions
        ]
        if str(panel.persons[0]).startswith("person-"):
            self.asked.update(keys)
        return np.where([key in self.asked for key in keys], -1, panel.state[transitions].astype(np.int64))


@pytest.mark.parametrize("whole_rows", [True, False])
def test_a_model_cannot_know_all_that_is_checked_before_it_is_scored(
    whole_rows: bool, registry: Registry, workshop: Workshop, careers: Panel
) -> None:
    entry = entry_of(EvadesTheSample, whole_rows=whole_rows)
    with pytest.raises(RunError, match=r"failed the spot check of 'next_occ' .* keeps what it met before"):
        run_all(run_on(registry, careers, entry=entry), workshop)
    assert workshop.store.paths() == []


def test_a_model_that_draws_its_answers_is_refused(registry: Registry, workshop: Workshop, careers: Panel) -> None:
    with pytest.raises(RunError, match="'frequencies' answers the same question otherwise each time, by up to"):
        run_all(run_on(registry, careers, entry=entry_of(Draws)), workshop)
    assert not list((workshop.cache / "fits").iterdir())


class Forgets(Frequencies):
    """Saves nothing of what it learned."""

    def load(self, folder: Path) -> None:
        self.margin = np.full(STATES, 1 / STATES)


def test_the_model_that_is_scored_is_the_one_that_is_kept(
    registry: Registry, workshop: Workshop, careers: Panel
) -> None:
    with pytest.raises(RunError, match="'frequencies' answers otherwise when it was saved and loaded, by up to"):
        run_all(run_on(registry, careers, entry=entry_of(Forgets)), workshop)
    assert not list((workshop.cache / "fits").iterdir())


class SureOfWhatIsAsked(Frequencies):
    """Asked for one state, it is certain of it."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        answer = super().log_prob(panel, transitions, states)
        return np.full_like(answer, np.log(0.999)) if states.shape[1] == 1 else answer


class SureOfTheFirst(Frequencies):
    """Certain of the column where the outcome used to stand, whatever else is asked."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        answer = super().log_prob(panel, transitions, states)
        if states.shape[1] < panel.n_states:
            answer[:, 0] = np.log(0.999)
        return answer


class NeverSomewhere(Frequencies):
    """A state that no one is asked about alone has no probability at all."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        answer = super().log_prob(panel, transitions, states)
        if states.shape[1] == panel.n_states:
            answer[:, -1] = -np.inf
        return answer


@pytest.mark.parametrize(
    ("cheat", "message"),
    [
        (SureOfWhatIsAsked, "failed the spot check of 'next_occ' at person p"),
        (SureOfTheFirst, "failed the spot check of 'next_occ' at person p"),
        (NeverSomewhere, "a log-probability is not finite"),
    ],
)
def test_single_answers_are_held_against_whole_rows(
    cheat: Callable[[Any], Model], message: str, registry: Registry, workshop: Workshop, careers: Panel
) -> None:
    with pytest.raises(RunError, match=message):
        run_all(run_on(registry, careers, entry=entry_of(cheat, whole_rows=False)), workshop)
    assert workshop.store.paths() == []


class WritesTheOutcome(Frequencies):
    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        for array in (panel.state, transitions, states):
            if array.base is not None and isinstance(array.base, np.ndarray):
                array.base.flags.writeable = True
            array.flags.writeable = True
            array[:] = 0
        return super().log_prob(panel, transitions, states)


def test_a_model_cannot_write_into_what_it_is_shown(registry: Registry, workshop: Workshop, careers: Panel) -> None:
    with pytest.raises(
        RunError, match=r"model 'frequencies' failed in log_prob: ValueError: cannot set WRITEABLE flag"
    ):
        run_all(run_on(registry, careers, entry=entry_of(WritesTheOutcome)), workshop)


@pytest.mark.parametrize(
    ("kind", "told"),
    [(np.complex128, "complex128, which are no floats"), (object, "object, which"), (np.int64, "int64, which")],
)
def test_answers_are_floats(kind: type, told: str, registry: Registry, workshop: Workshop, careers: Panel) -> None:
    class Odd(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            return super().log_prob(panel, transitions, states).astype(kind)

    with pytest.raises(RunError, match=f"log-probabilities .* and returned {told}"):
        run_all(run_on(registry, careers, entry=entry_of(Odd)), workshop)


def test_the_record_says_what_was_checked(registry: Registry, workshop: Workshop, careers: Panel) -> None:
    [record] = run_all(run_on(registry, careers), workshop)
    assert record.checked == Checked(transitions=100, whole_rows=100, alone=8)
    dear = run_on(registry, careers, "switch", entry=entry_of(Frequencies, whole_rows=False))
    [record] = run_all(dear, workshop)
    assert record.checked == Checked(transitions=16, whole_rows=2, alone=2)
    assert workshop.store.read(workshop.store.path(record.configuration)).checked == record.checked


class KnowsCareers(Cheat):
    """As one that looked into the memory of the process while it was fitted: no question can be masked from it."""

    known: ClassVar[dict[tuple[int, ...], int]] = {}

    def tip(self, panel: Panel, transitions: IntArray, states: IntArray) -> IntArray:
        histories = [panel.state[panel.offsets[panel.person[t]] : t].tolist() for t in transitions]
        birth = panel.covariates["birth_year"].values
        keys = [(int(birth[t]), *h) for t, h in zip(transitions, histories, strict=True)]
        return np.array([self.known.get(key, -1) for key in keys])


def test_who_passes_the_check_and_is_too_good_is_told(registry: Registry, workshop: Workshop) -> None:
    panel = open_panel("market", {"persons": 300}, registry=registry)
    birth = panel.covariates["birth_year"].values
    for t in panel.transitions:
        history = panel.state[panel.offsets[panel.person[t]] : t].tolist()
        KnowsCareers.known[(int(birth[t]), *history)] = int(panel.state[t])
    markov = registry.model("markov")
    run_all(run_on(registry, panel, entry=markov, params=markov.item.params()), workshop)
    run_all(run_on(registry, panel, entry=entry_of(KnowsCareers)), workshop)
    [board] = boards(workshop.store.all())
    assert board.rows[0].implausible is not None
    assert "of markov, the best checked model" in board.rows[0].implausible
    assert board.rows[1].implausible is None
    assert r"frequencies \[implausible\]" in render(board, "md", registry)
