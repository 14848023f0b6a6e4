"""Covariates as the record before had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.data.covariates import is_fixed
from harness.errors import RequestError, did_you_mean
from harness.panel.careers import Panel


def lagged(panel: Panel, names: Sequence[str]) -> Panel:
    """The panel in which each record has the value of the person's record before, missing at the first one.

    So a wage that is only known once the year is over tells nothing of that year's state. RequestError for a name that
    is no covariate.
    """
    covariates = dict(panel.covariates)
    first = np.zeros(panel.n_records, dtype=bool)
    first[panel.entries] = True
    for name in names:
        covariate = covariates.get(name)
        if covariate is None:
            raise RequestError(f"--lag {name}: no covariate has this name; {did_you_mean(name, covariates)}")
        values = np.roll(covariate.values, 1)
        values[first] = -1 if covariate.kind == "categorical" else np.nan
        covariates[name] = replace(covariate, values=values, fixed=is_fixed(values, first))
    return replace(panel, covariates=covariates)
