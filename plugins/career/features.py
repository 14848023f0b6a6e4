"""Which features of a panel a model of the family is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from harness.features import CATALOGUE
from harness.panel import Panel

Given = Literal["covariates", "terms", "history"]

TERMS = ("tenure", "since_start", "gap")  # of markov-regression: years in the present state, in all, and missed


def names_of(panel: Panel, given: Given) -> list[str]:
    """Features by name, as ``harness.features`` calls them.

    covariates: year, age and every covariate of the target. terms: and whether they just changed, and ``TERMS``.
    history: and every number that the features' catalogue makes of a history.
    """
    covariates = list(_covariates(panel))
    found = ["year", *(["age"] if "birth_year" in panel.covariates else []), *(name for name, _ in covariates)]
    if given == "covariates":
        return found
    found += [f"{name}_changed" for name, changes in covariates if changes]
    if given == "terms":
        return [*found, *TERMS]
    found += [f"{name}_years" for name, changes in covariates if changes]
    return [*found, *(n for n, f in CATALOGUE.items() if not f.categorical and n not in ("year", "age"))]


def _covariates(panel: Panel) -> Iterator[tuple[str, bool]]:
    """What each is called, and whether it has levels that can change."""
    for name, covariate in panel.covariates.items():
        if name != "birth_year":
            label = f"{name}_covariate" if name in CATALOGUE else name
            yield label, covariate.kind == "categorical" and not covariate.fixed
