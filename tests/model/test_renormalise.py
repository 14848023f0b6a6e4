"""Models that spend probability outside the choice set: both likelihoods, by hand, in records and on boards."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import open_panel
from harness.boards.board import boards
from harness.data.write import write_panel
from harness.errors import RunError
from harness.model.contract import BoundedRows, Context, Model, ModelSpec, Params, UnnormalizedModel, take_states
from harness.panel.careers import Panel
from harness.records.record import Record, figures
from harness.render.boards.markdown import render
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run
from harness.system.entry import Entry
from harness.types import FloatArray, IntArray

# The margin that a model would say if it knew the choice set; of each row it leaves 0.9 there.
MARGIN = np.array([0.3, 0.4, 0.1, 0.2])
MASS = 0.9
# d goes 0 -> 0 -> 3 -> 3 -> 1: states 0, 3, 3, 1 to predict, from 0, 0, 3, 3; all four at risk of switching; the first
# two of leaving the labor force, from employment; the second and the fourth given that they left their origin.
CLOSED = {
    "next_occ": log(0.3) + log(0.2) + log(0.2) + log(0.4),
    "switch": log(0.3) + log(1 - 0.3) + log(0.2) + log(1 - 0.2),
    "lf_exit": log(1 - 0.2) + log(0.2),
    "next_occ_switchers": log(0.2 / (1 - 0.3)) + log(0.4 / (1 - 0.2)),
}
OPEN = {
    "next_occ": log(0.27) + log(0.18) + log(0.18) + log(0.36),
    "switch": log(0.27) + log(1 - 0.27) + log(0.18) + log(1 - 0.18),
    "lf_exit": log(1 - 0.18) + log(0.18),
    "next_occ_switchers": log(0.18 / (1 - 0.27)) + log(0.36 / (1 - 0.18)),
}


class Asked(Params):
    slack: float = 0.0
    weigh: bool = True


class Leaky(Model):
    """Spends probability outside the choice set."""

    fits = 0

    def __init__(self, params: Asked) -> None:
        self.params = params

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        Leaky.fits += 1

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return take_states(np.tile(np.log(MASS * MARGIN), (len(transitions), 1)), states)

    def save(self, folder: Path) -> None:
        (folder / "nothing.json").write_text("{}")

    def load(self, folder: Path) -> None:
        pass


class Weighed(Leaky, UnnormalizedModel):
    """Knows its mass to within ``slack`` on either side, in nats."""

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        mass = np.full(len(transitions), log(MASS))
        rows = np.tile(np.log(MASS * MARGIN), (len(transitions), 1))
        asked = np.take_along_axis(rows, states, axis=1)
        return BoundedRows(asked, mass - self.params.slack, mass + self.params.slack, rows)


def entry_of(build: Any) -> Entry[ModelSpec]:
    spec = ModelSpec(
        "leaky", "leaks", build, Asked, sums_to_one=False, whole_rows=False, scoring_params=("slack", "weigh")
    )
    return Entry(spec, "tests", "1", "harness.model.task")


def run(workshop: Workshop, panel: Panel, task: str, build: type[Model] | None = None, **asked: Any) -> Record:
    chosen = (workshop.registry.task(task),)
    params = Asked(**asked)
    build = build or (Weighed if params.weigh else Leaky)
    [record] = execute(Run(model=entry_of(build), params=params, tasks=chosen, panel=panel), workshop)
    return record


@pytest.mark.parametrize("task", list(CLOSED))
def test_both_likelihoods_of_every_task(workshop: Workshop, four_persons: Panel, task: str) -> None:
    record = run(workshop, four_persons, task)
    n = sum(record.evidence.transitions)
    assert record.figures["log_likelihood"] == pytest.approx(CLOSED[task], abs=1e-5)
    assert record.figures["perplexity_open"] == pytest.approx(exp(-OPEN[task] / n), rel=1e-5)
    assert record.mass is not None
    assert record.mass.mean == pytest.approx(MASS)
    assert (record.mass.transitions, record.mass.tolerance) == (n, 0.0)
    assert figures(record) == record.figures


def test_loose_bounds_never_flatter(workshop: Workshop, four_persons: Panel) -> None:
    record = run(workshop, four_persons, "next_occ", slack=0.05)
    assert record.figures["log_likelihood"] == pytest.approx(CLOSED["next_occ"] - 4 * 0.05, abs=1e-5)
    assert record.mass is not None
    assert record.mass.tolerance == pytest.approx(0.1)


def test_requests_that_score_otherwise_share_a_fit(workshop: Workshop, four_persons: Panel) -> None:
    before = Leaky.fits
    weighed = run(workshop, four_persons, "next_occ")
    said = run(workshop, four_persons, "next_occ", weigh=False)
    assert Leaky.fits == before + 1
    assert said.id != weighed.id
    assert said.figures["log_likelihood"] == pytest.approx(OPEN["next_occ"], abs=1e-5)
    assert said.figures["perplexity_open"] is None
    assert said.mass is not None
    assert said.mass.tolerance is None


def test_ranks_are_those_of_the_rows(workshop: Workshop, four_persons: Panel) -> None:
    record = run(workshop, four_persons, "next_occ")
    assert record.figures["top_1"] == 0.25  # state 1, the likeliest, happened once in four
    assert record.figures["top_5"] == 1.0


def test_a_board_says_which_is_which(workshop: Workshop, four_persons: Panel) -> None:
    run(workshop, four_persons, "next_occ", slack=0.01)
    run(workshop, four_persons, "next_occ", weigh=False)
    text = render(boards(workshop.store.all())[0])
    closed, open_ = (exp(-x["next_occ"] / 4) for x in (CLOSED, OPEN))
    first, second = (line for line in text.splitlines() if line.startswith("| 1-2 |"))  # one person
    assert f"| {closed * exp(0.01):.2f} ±" in first
    assert f"| {open_:.2f} |" in first
    assert f"| {open_:.2f} ±" in second
    assert "leaky (slack=0.01): renormalised over the choice set at every transition" in text
    assert "within 0.02 nats" in text
    assert "leaky (weigh=False): ranked by the chain rule" in text
    assert f"| ≈ {closed:.2f} ± 0.00 |" in second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_mass_high": 0.1}, "above one"),
        ({"log_mass_low": -0.01, "log_mass_high": -0.1}, "its whole row between 0.99"),
        ({"log_mass_low": -9.0, "log_mass_high": -3.0}, r"person d, year 200\d: its states hold 0\."),
        ({"log_mass_low": np.nan}, "not finite"),
    ],
)
def test_bounds_that_cannot_be_true_are_refused(
    workshop: Workshop, four_persons: Panel, change: dict[str, float], message: str
) -> None:
    class Wrong(Weighed):
        def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
            said = super().bounded_log_prob(panel, transitions, states)
            return replace(said, **{name: np.full(len(transitions), value) for name, value in change.items()})

    with pytest.raises(RunError, match=message):
        run(workshop, four_persons, "next_occ", Wrong)
    assert workshop.store.all() == []


def test_rows_of_bounds_have_every_state(workshop: Workshop, four_persons: Panel) -> None:
    class Short(Weighed):
        def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
            said = super().bounded_log_prob(panel, transitions, states)
            return replace(said, rows=said.rows[:, :-1])

    with pytest.raises(RunError, match=r"was asked for rows \(1, 4\) and returned \(1, 3\)"):
        run(workshop, four_persons, "next_occ", Short)
    assert workshop.store.all() == []


TINY = {
    "base_layers": 1,
    "base_width": 64,
    "base_heads": 2,
    "base_tokens": 150_000,
    "base_symbols": 0,
    "base_loss": "all",  # and so few titles teach it less than all that is written
    "base_batch_tokens": 256,
    "base_learning_rate": 1e-2,
    "rank": 4,
    "dropout": 0.0,
    "embedding_factor": 2.0,
    "epochs": 6,
}


@pytest.mark.slow
def test_a_language_models_bound_holds_its_exact_figure(workshop: Workshop, tmp_path: Path) -> None:
    panel = open_panel("market", {"persons": "40"})
    others = open_panel("market", {"seed": "2"})  # a base may not read the careers that a run holds out
    write_panel(others, tmp_path / "others")
    entry = workshop.registry.model("llm-lora")
    tasks = tuple(workshop.registry.task(name) for name in CLOSED)

    def records(**asked: Any) -> list[Record]:
        params = entry.item.params(**(TINY | {"pool": str(tmp_path / "others")} | asked))
        return list(execute(Run(model=entry, params=params, tasks=tasks, panel=panel), workshop))

    exact = records(renormalise="exact")
    for tolerance in (0.1, 1e-4):
        for sure, bound in zip(exact, records(renormalise="certified", tolerance=tolerance), strict=True):
            n = sum(sure.evidence.transitions)
            gap = (sure.figures["log_likelihood"] - bound.figures["log_likelihood"]) / n  # type: ignore[operator]
            # A share of tolerance t moves ln P by t at most, and ln(1 - P) by t P / (1 - P).
            assert abs(gap) <= 3 * tolerance + 1e-5, sure.configuration.task
            assert sure.figures["perplexity_open"] == pytest.approx(bound.figures["perplexity_open"], rel=1e-4)
            assert bound.mass is not None
            assert bound.mass.tolerance is not None
            assert bound.mass.tolerance <= tolerance
            assert sure.figures["perplexity"] < sure.figures["perplexity_open"] or n < 30  # type: ignore[operator]
            if bound.configuration.task == "next_occ":
                assert gap > -1e-5  # the bound never flatters
                assert bound.figures["top_1"] == sure.figures["top_1"]
                hits, sure_hits = bound.figures["top_5"], sure.figures["top_5"]
                assert hits <= sure_hits  # type: ignore[operator]
                assert tolerance > 0.01 or hits == pytest.approx(sure_hits, abs=0.02)
    assert len(list((workshop.cache / "fits").iterdir())) == 1
