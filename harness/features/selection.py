"""The features of a panel that a model of the family is given."""

from __future__ import annotations

from typing import Literal

from harness.features.catalogue import CATALOGUE, changes, covariate_labels
from harness.panel import Panel

Given = Literal["covariates", "terms", "history"]

TERMS = ("tenure", "since_start", "gap")  # of markov-regression: years in the present state, in all, and missed


def names_of(panel: Panel, given: Given) -> list[str]:
    """Features by name, as ``harness.features`` calls them.

    covariates: year, age and every covariate of the target. terms: and whether they just changed, and ``TERMS``.
    history: and every number that the features' catalogue makes of a history.
    """
    labels = covariate_labels(panel)
    changing = [label for name, label in labels.items() if changes(panel.covariates[name])]
    found = ["year", *(["age"] if "birth_year" in panel.covariates else []), *labels.values()]
    if given == "covariates":
        return found
    found += [f"{label}_changed" for label in changing]
    if given == "terms":
        return [*found, *TERMS]
    found += [f"{label}_years" for label in changing]
    return [*found, *(n for n, f in CATALOGUE.items() if not f.categorical and n not in ("year", "age"))]
