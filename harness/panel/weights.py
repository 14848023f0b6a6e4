"""Survey weights: a numeric covariate becomes what each record counts for, in estimation and in scoring.

A record of weight two counts as two records alike would, and one of weight zero as one that is not there
(pseudo-likelihood: Skinner 1989, in Skinner, Holt and Smith, "Analysis of Complex Surveys", section 3.4.4). Uncertainty
resamples persons with their weights, as ``harness.stats.inference`` does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.panel.careers import SPLITS, Covariate, Panel
from harness.types import FloatArray

LEAST = 1e-6  # of the mean weight: what all of a split must count for together to count at all


def weighted(panel: Panel, column: str) -> Panel:
    """The panel whose records count for the values of a numeric covariate, which no model sees any more.

    The values are divided by their mean over the training records that count (over all that do where none is for
    training): a constant gives ones, penalties and priors keep their meaning, and neither a record of weight zero nor
    one that is held out bears on what a training record counts for. RequestError where the column is no numeric
    covariate of the panel, where a value is missing, negative or infinite, and where nothing of a split's transitions
    counts.
    """
    covariate = _numeric(panel, column)
    values = np.asarray(covariate.values, dtype=np.float64)
    _require_weights(panel, column, values)
    largest = float(values.max(initial=0.0))
    if largest == 0.0:
        raise RequestError(f"--weights {column}: every record of '{panel.name}' has weight zero, so nothing counts")
    scaled = values / largest  # so that no sum overflows, and a constant comes to exactly one
    weight = scaled / _mean(panel, scaled)
    made = replace(
        panel,
        name=f"{panel.name} weighted by {column}",
        covariates={name: other for name, other in panel.covariates.items() if name != column},
        source={**panel.source, "weights": column},
        weight=weight,
    )
    _require_some(made, column)
    return made


def that_count(panel: Panel) -> Panel:
    """The panel without the persons none of whose records counts."""
    if panel.weight is None:
        return panel
    kept = np.add.reduceat(panel.weight, panel.entries) > 0 if panel.n_persons else np.zeros(0, dtype=bool)
    return panel if kept.all() else panel.select(np.flatnonzero(kept))


def _mean(panel: Panel, values: FloatArray) -> float:
    """The mean over the training records that count; over all that count where none of them is for training."""
    training = values[(panel.split == SPLITS.index("train"))[panel.person] & (values > 0)]
    counting = training if len(training) else values[values > 0]
    return float(counting.sum() / len(counting))


def weighted_alike(further: Panel, panel: Panel) -> Panel:
    """A further panel that a model learns from, weighted by the column that ``panel`` is weighted by, if it has it.

    The column is then no feature there either. Without it every record of the further panel counts one, as records on
    average do in one that has weights.
    """
    column = panel.source.get("weights")
    return further if column is None or column not in further.covariates else weighted(further, str(column))


def _numeric(panel: Panel, column: str) -> Covariate:
    numeric = [name for name, covariate in panel.covariates.items() if covariate.kind == "numeric"]
    if column not in panel.covariates:
        hint = did_you_mean(column, numeric)
        raise RequestError(f"--weights {column}: '{panel.name}' has no such column; numeric covariates: {hint}")
    if column not in numeric:
        raise RequestError(
            f"--weights {column}: the column is categorical in '{panel.name}'; a weight is a number "
            f"({did_you_mean(column, numeric)})"
        )
    return panel.covariates[column]


def _require_weights(panel: Panel, column: str, values: FloatArray) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if not len(bad):
        return
    record = int(bad[0])
    value = values[record]
    what = "no value" if np.isnan(value) else f"the value {value:g}"
    others = len(bad) - 1
    more = f" (as {'has' if others == 1 else 'have'} {others:,} more)" if others else ""
    raise RequestError(
        f"--weights {column}: {panel.name_of(record)} has {what}"
        f"{more}; a weight is a finite number from zero up, zero for a record that is not to count"
    )


def _require_some(panel: Panel, column: str) -> None:
    for split in SPLITS:
        part = panel.part(split)
        if len(part.transitions) and part.weights(part.transitions).sum() < LEAST:
            raise RequestError(
                f"--weights {column}: every transition of the {split} split has weight zero, so nothing there counts; "
                "a transition has the weight of its later record"
            )
