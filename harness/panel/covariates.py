"""Covariates that training careers say nothing by, or nothing new: what a model is given and cannot learn from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.panel.careers import Covariate, Panel
from harness.types import FloatArray


def uninformative(panel: Panel) -> Iterator[str]:
    """A sentence on each covariate that has no value in training, does not vary there, or repeats another one there."""
    train = panel.part("train")
    if not train.n_records:
        return
    seen: dict[bytes, str] = {}
    for name, covariate in sorted(train.covariates.items()):
        values = _numbers(covariate)
        known = values[~np.isnan(values)]
        if not len(known):
            yield f"covariate '{name}' has no value in any training career: no model learns from it"
        elif len(known) == len(values) and known.min() == known.max():
            yield f"covariate '{name}' is the same in every training record: no model learns from it"
        elif (other := seen.setdefault(_pattern(covariate, values), name)) != name:
            yield (
                f"covariate '{name}' says what '{other}' says in every training record: of the two, a model that has a "
                "coefficient for each estimates one, or shares it between them"
            )


def _numbers(covariate: Covariate) -> FloatArray:
    """float64 [n]; NaN for missing."""
    values = covariate.values.astype(np.float64)
    return np.where(values < 0, np.nan, values) if covariate.kind == "categorical" else values


def _pattern(covariate: Covariate, values: FloatArray) -> bytes:
    """Alike for two covariates that tell the same apart: levels whatever they are called, numbers in any unit."""
    missing = np.isnan(values)
    if covariate.kind == "categorical":
        _, first, code = np.unique(values, return_index=True, return_inverse=True, equal_nan=True)
        met = np.empty(len(first), dtype=np.int64)
        met[np.argsort(first)] = np.arange(len(first))  # levels by when they are met
        told = np.where(missing, -1, met[code])
        return b"levels" + told.astype(np.int64).tobytes()
    low, high = np.nanmin(values), np.nanmax(values)
    scaled = (values - low) / (high - low) if high > low else np.where(missing, np.nan, 0.0)
    if scaled[~missing][0] > 0.5:  # one may be the other with its sign turned round
        scaled = 1 - scaled
    return b"number" + np.where(missing, -1.0, np.round(scaled, 9) + 0.0).tobytes()
