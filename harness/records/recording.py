"""From the scores of a test split to a record: evidence, slices and figures, wherever the probabilities came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from harness.errors import RunError
from harness.model.task import Task
from harness.panel.careers import Panel
from harness.records.evidence import freeze
from harness.records.kinds import CAUTIONS
from harness.records.record import Checked, Configuration, Mass, Measured, Record, figures
from harness.records.slices import Slicing
from harness.stats.figures import Evidence, Metric, Scores, gather
from harness.stats.labels import numbered_in_order
from harness.types import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One task's scores, and everything else that its record holds.

    panel: the whole panel whose test split was scored. scores: of its transitions at risk, in the panel's order.
    sums_to_one, knows_truth: as ``ModelSpec`` has them (``simulated_only``). facts: JSON-able. slicing: of these
    transitions, where it is there already; made where None. checked: the spot check that the model passed.
    """

    configuration: Configuration
    task: Task
    panel: Panel
    scores: Scores
    measured: Measured
    facts: Mapping[str, Any]
    sums_to_one: bool = True
    knows_truth: bool = False
    mass: Mass | None = None
    slicing: Slicing | None = None
    checked: Checked | None = None


def record_of(scored: Scored, further: Iterable[Metric] = ()) -> Record:
    """The record; figures are computed from the evidence as the record keeps it. further: metrics of plugins.

    RunError where no record can hold what was measured, such as a perplexity that is no number.
    """
    try:
        return _record_of(scored, further)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        why = first["msg"].removeprefix("Value error, ")
        asked = scored.configuration
        raise RunError(
            f"model '{asked.model}' on '{asked.task}' leaves nothing that a record can hold: "
            f"{f'{field}: ' if field else ''}{why}"
        ) from error


def _record_of(scored: Scored, further: Iterable[Metric]) -> Record:
    test = scored.panel.part("test")
    evidence = with_design(gather(scored.scores, test.persons.tolist()), test)
    slicing = scored.slicing or Slicing.of(scored.panel, test, scored.task.transitions(test))
    record = Record(
        id=scored.configuration.id(),
        configuration=scored.configuration,
        outcomes=scored.task.outcomes,
        sums_to_one=scored.sums_to_one,
        knows_truth=scored.knows_truth,
        facts=dict(scored.facts),
        figures={},
        mass=scored.mass,
        checked=scored.checked,
        measured=scored.measured,
        evidence=freeze(evidence),
        slices=slicing.parts(scored.scores),
    )
    return record.model_copy(update={"figures": figures(record, further)})


def of_panel(cautions: Sequence[str]) -> dict[str, list[str]]:
    """The facts of a record on its panel: sentences that whoever reads its figures must know, where there are any."""
    return {CAUTIONS: list(cautions)} if cautions else {}


def with_design(evidence: Evidence, test: Panel) -> Evidence:
    """The evidence with how its persons were drawn, where the panel knows, in numbers that mean nothing elsewhere."""
    if test.units is None and test.strata is None:
        return evidence
    place = {person: i for i, person in enumerate(test.persons.tolist())}
    here = np.array([place[person] for person in evidence.ids], dtype=np.int64)

    def numbered(of: IntArray | None) -> IntArray | None:
        return None if of is None else numbered_in_order(of[here])

    return replace(evidence, units=numbered(test.units), strata=numbered(test.strata))


def mass_of(totals: FloatArray, weight: FloatArray | None, tolerance: float | None = None) -> Mass:
    """Mean and error of the sums of rows, float64 [s], that may be less than one, as a record holds them.

    weight: float64 [s], what their transitions count for. tolerance: where all rows were weighed, to how many nats.
    """
    share = np.ones(len(totals)) if weight is None or not weight.any() else weight
    share = share / share.sum()

    def mean(values: FloatArray) -> tuple[float, float | None]:
        n, level = len(values), float((share * values).sum())
        if n < 2:
            return round(level, 6), None
        return round(level, 6), round(float(np.sqrt(n / (n - 1) * ((share * (values - level)) ** 2).sum())), 6)

    (level, error), (log_level, log_error) = mean(totals), mean(np.log(totals))
    return Mass(
        mean=level,
        standard_error=error,
        transitions=len(totals),
        log_mean=log_level,
        log_error=log_error,
        tolerance=None if tolerance is None else float(f"{tolerance:.3g}"),
    )
