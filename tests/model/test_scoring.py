"""A model's answers: each is checked before it becomes a number, and a broken contract says whose it is and where."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from helpers.toys import EXPECTED, Frequencies, entry_of, run_all, run_on

from harness.boards.board import boards
from harness.errors import RunError
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.registry import Registry
from harness.render import render
from harness.runs.execute import Workshop
from harness.types import FloatArray, IntArray


class Broken(Frequencies):
    bad: float

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        answer = super().log_prob(panel, transitions, states)
        answer[panel.year[transitions] == 2002] = self.bad
        return answer


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.nan, "person d, year 2002: a log-probability is not finite"),
        (-np.inf, "person d, year 2002: a log-probability is not finite"),
        (0.5, "person d, year 2002: a probability is above one"),
        (-1.0, "person d, year 2002: the row sums to 1.47"),
        (-3.0, "person d, year 2002: the row sums to 0.199"),
    ],
)
def test_a_broken_contract_names_model_and_row(
    bad: float, message: str, registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    class Bad(Broken):
        pass

    Bad.bad = bad
    with pytest.raises(RunError, match=message) as caught:
        run_all(run_on(registry, four_persons, entry=entry_of(Bad)), workshop)
    assert "model 'frequencies'" in str(caught.value)
    assert workshop.store.all() == []


def test_rows_below_one_pass_where_declared_and_their_mass_is_shown(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    class Leaky(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            return super().log_prob(panel, transitions, states) + np.float32(log(0.9))

    declared = entry_of(Leaky, sums_to_one=False, whole_rows=False)
    [record] = run_all(run_on(registry, four_persons, entry=declared), workshop)
    assert record.mass is not None
    assert record.mass.mean == pytest.approx(0.9, abs=1e-5)
    assert record.figures["log_likelihood"] == pytest.approx(EXPECTED["next_occ"] + 4 * log(0.9), abs=1e-5)
    with pytest.raises(RunError, match=r"sums to 0\.9"):
        run_all(run_on(registry, four_persons, entry=entry_of(Leaky)), replace(workshop, reuse="never"))


class Forgetful(Frequencies):
    """Sees the last two records of a history."""

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray:
        return np.asarray(np.maximum(0, transitions - panel.entries[panel.person[transitions]] - 2))


@pytest.mark.parametrize("size", [1, 20_000])
def test_records_without_room_are_counted_over_what_is_scored(
    size: int, registry: Registry, workshop: Workshop, four_persons: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """d has five records: its third and fourth transition miss one and two, which are two records; b misses none."""
    monkeypatch.setattr("harness.model.scoring.CHUNK_RECORDS", size)
    panel = replace(four_persons, split=np.array([0, 2, 1, 2]))
    run = run_on(registry, panel, "next_occ", "switch", "lf_exit", entry=entry_of(Forgetful))
    told = {record.configuration.task: record.facts for record in run_all(run, workshop)}
    fitted = {"parameters_trained": 4, "train_persons": 1}
    assert told["next_occ"] == fitted | {"records_unseen": 2, "transitions_cut_short": 2}
    assert told["switch"] == told["next_occ"]
    # At risk are transitions that begin in the labor force: of d the first two alone, and they miss nothing.
    assert told["lf_exit"] == fitted | {"records_unseen": 0, "transitions_cut_short": 0}
    notes = {board.task: render(board, "md", registry) for board in boards(workshop.store.all())}
    assert "- frequencies: had no room for 2 records, the oldest of their careers, at 2 of the" in notes["next_occ"]
    assert "had no room" not in notes["lf_exit"]


def test_a_wrong_count_of_what_is_not_seen_is_refused(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    class Odd(Frequencies):
        def unseen(self, panel: Panel, transitions: IntArray) -> IntArray:
            return np.zeros(1, dtype=np.int64)

    with pytest.raises(RunError, match="model 'frequencies' was asked what it cannot see"):
        run_all(run_on(registry, four_persons, entry=entry_of(Odd)), workshop)


def test_a_model_that_raises_is_named(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    class Raises(Frequencies):
        def fit(self, train: Panel, valid: Panel, context: Context) -> None:
            raise KeyError("column")

    with pytest.raises(RunError, match="model 'frequencies' failed in fit: KeyError: 'column'"):
        run_all(run_on(registry, four_persons, entry=entry_of(Raises)), workshop)


def test_a_model_that_leaves_is_named(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    """With the status of a success it would end the command without a word."""

    class Leaves(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            raise SystemExit(0)

    with pytest.raises(RunError, match=r"model 'frequencies' failed in log_prob.*: SystemExit: 0"):
        run_all(run_on(registry, four_persons, entry=entry_of(Leaves)), workshop)
    assert workshop.store.paths() == []


def test_a_wrong_shape_is_refused(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    class Short(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            return super().log_prob(panel, transitions, states)[:-1]

    with pytest.raises(RunError, match=r"asked for log-probabilities \(1, 2\) and returned \(0, 2\)"):
        run_all(run_on(registry, four_persons, entry=entry_of(Short)), workshop)


def test_a_perplexity_that_is_no_number_is_a_failed_run(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    class Certain(Frequencies):
        """Of state 2, where nobody of the test split ever is."""

        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            return np.where(states == 2, 0.0, -1e6).astype(np.float32)

    with pytest.raises(RunError, match=r"'frequencies' on 'next_occ' leaves nothing that a record can hold: .* nats"):
        run_all(run_on(registry, four_persons, entry=entry_of(Certain)), workshop)
    assert workshop.store.paths() == []


def test_a_row_holds_something(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    class Nothing(Frequencies):
        def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
            return np.full(states.shape, -800.0, dtype=np.float32)

    nothing = entry_of(Nothing, sums_to_one=False, whole_rows=False)
    with pytest.raises(RunError, match=r"the row sums to 0\.0"):
        run_all(run_on(registry, four_persons, entry=nothing), workshop)
