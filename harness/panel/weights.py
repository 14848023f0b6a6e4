"""Survey weights: a numeric covariate becomes what each record counts for, in estimation and in scoring.

A record of weight two counts as two records alike would, and one of weight zero as one that is not there
(pseudo-likelihood: Skinner 1989, in Skinner, Holt and Smith, "Analysis of Complex Surveys", section 3.4.4). Uncertainty
resamples persons with their weights, as ``harness.stats.inference`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.panel.careers import SPLITS, Panel
from harness.panel.corpus import Corpus
from harness.types import BoolArray, FloatArray, IntArray

LEAST = 1e-6  # of the mean weight: what all of a split must count for together to count at all


def weighted(panel: Panel, column: str) -> Panel:
    """The panel whose records count for the values of a numeric covariate, which no model sees any more.

    The values are divided by their mean over the training records that count (over all that do where none is for
    training): a constant gives ones, penalties and priors keep their meaning, and neither a record of weight zero nor
    one that is held out bears on what a training record counts for. RequestError where the column is no numeric
    covariate of the panel, where a value is missing, negative or infinite, and where nothing of a split's transitions
    counts.
    """
    _require_numeric(panel, column)
    scale = _scale([_totals(panel, column)], panel.name, column)
    return scale.applied(panel, f"{panel.name} weighted by {column}")


def weighted_corpus(corpus: Corpus, column: str) -> Corpus:
    """The same of a corpus, each of whose shards is weighted when it is read. RequestError as for a panel.

    All shards are read once, one at a time, for the mean.
    """
    _require_numeric(corpus.bare(), column)
    found = []
    for shard, panel in zip(corpus.shards, corpus.panels(), strict=True):
        try:
            found.append(_totals(panel, column))
        except RequestError as error:
            raise RequestError(f"{shard.place}: {error}") from error
    name = f"{corpus.name} weighted by {column}"
    return replace(
        corpus,
        name=name,
        covariates={own: other for own, other in corpus.covariates.items() if own != column},
        source={**corpus.source, "weights": column},
        change=partial(_scale(found, corpus.name, column).applied, name=name),
    )


def that_count(panel: Panel) -> Panel:
    """The panel without the persons none of whose records counts."""
    if panel.weight is None:
        return panel
    kept = np.add.reduceat(panel.weight, panel.entries) > 0 if panel.n_persons else np.zeros(0, dtype=bool)
    return panel if kept.all() else panel.select(np.flatnonzero(kept))


def weighted_alike(further: Panel | Corpus, panel: Panel) -> Panel | Corpus:
    """Further careers that a model learns from, weighted by the column that ``panel`` is weighted by, if they have it.

    The column is then no feature there either. Without it every record of theirs counts one, as records on average do
    in a panel that has weights.
    """
    column = panel.source.get("weights")
    if column is None or column not in further.covariates:
        return further
    return weighted_corpus(further, str(column)) if isinstance(further, Corpus) else weighted(further, str(column))


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """The values of a column become weights: divided by the largest, so that no sum overflows and a constant comes to
    exactly one, then by the mean that is left."""

    column: str
    largest: float
    mean: float

    def applied(self, panel: Panel, name: str) -> Panel:
        """The panel with these weights, without the column, and under another name."""
        values = np.asarray(panel.covariates[self.column].values, dtype=np.float64)
        return replace(
            panel,
            name=name,
            covariates={own: other for own, other in panel.covariates.items() if own != self.column},
            source={**panel.source, "weights": self.column},
            weight=values / self.largest / self.mean,
        )


@dataclass(frozen=True, kw_only=True)
class _Totals:
    """Sums of the values of a column, in the unit of the ``largest`` of them, and how many they are of: of training
    records that count, of all that count, and of the transitions of each split."""

    largest: float
    training: tuple[float, int]
    counting: tuple[float, int]
    transitions: tuple[tuple[float, int], ...]


def _totals(panel: Panel, column: str) -> _Totals:
    values = np.asarray(panel.covariates[column].values, dtype=np.float64)
    _require_weights(panel, column, values)
    largest = float(values.max(initial=0.0))
    scaled = values / largest if largest else values
    split = panel.split[panel.person]

    def total(records: BoolArray | IntArray) -> tuple[float, int]:
        found = scaled[records]
        return float(found.sum()), len(found)

    later = panel.transitions
    return _Totals(
        largest=largest,
        training=total((split == SPLITS.index("train")) & (values > 0)),
        counting=total(values > 0),
        transitions=tuple(total(later[split[later] == number]) for number in range(len(SPLITS))),
    )


def _scale(parts: Sequence[_Totals], name: str, column: str) -> _Scale:
    """The scale of all parts of a panel together. RequestError where nothing of it, or of a split, counts."""
    largest = max(part.largest for part in parts)
    if largest == 0.0:
        raise RequestError(f"--weights {column}: every record of '{name}' has weight zero, so nothing counts")

    def together(of: Callable[[_Totals], tuple[float, int]]) -> tuple[float, int]:
        return sum(of(part)[0] * (part.largest / largest) for part in parts), sum(of(part)[1] for part in parts)

    training, counting = together(lambda part: part.training), together(lambda part: part.counting)
    total, count = training if training[1] else counting
    mean = total / count
    for number, split in enumerate(SPLITS):
        total, count = together(lambda part, number=number: part.transitions[number])  # type: ignore[misc]
        if count and total / mean < LEAST:
            raise RequestError(
                f"--weights {column}: every transition of the {split} split has weight zero, so nothing there counts; "
                "a transition has the weight of its later record"
            )
    return _Scale(column=column, largest=largest, mean=mean)


def _require_numeric(panel: Panel, column: str) -> None:
    numeric = [name for name, covariate in panel.covariates.items() if covariate.kind == "numeric"]
    if column not in panel.covariates:
        hint = did_you_mean(column, numeric)
        raise RequestError(f"--weights {column}: '{panel.name}' has no such column; numeric covariates: {hint}")
    if column not in numeric:
        raise RequestError(
            f"--weights {column}: the column is categorical in '{panel.name}'; a weight is a number "
            f"({did_you_mean(column, numeric)})"
        )


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
