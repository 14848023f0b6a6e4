"""Survey design: the strata and primary sampling units that persons were drawn in, which uncertainty must know of.

Persons of one sampling unit (a county, a school) are alike, so units are resampled; strata were each given a number of
units, so they are resampled within strata (``harness.stats.inference``; Wolter 2007, "Introduction to Variance
Estimation", section 3.1). Figures do not change, their intervals do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.panel.careers import Panel
from harness.panel.weights import weighted
from harness.stats.labels import numbered_in_order
from harness.types import StrArray


def surveyed(panel: Panel, weights: str | None = None, strata: str | None = None, units: str | None = None) -> Panel:
    """The panel as its survey has it: weighted by a column (``harness.panel.weights``), and with how its persons were
    drawn.

    RequestError as of ``weighted`` and ``designed``.
    """
    return designed(panel if weights is None else weighted(panel, weights), strata, units)


def designed(panel: Panel, strata: str | None = None, units: str | None = None) -> Panel:
    """The panel with how its persons were drawn, read from covariates that no model sees any more.

    A unit's number may stand in several strata: it is another unit in each. RequestError where a column is no covariate
    of the panel, where a person has no value or more than one, and where there is nothing to resample.
    """
    if strata is None and units is None:
        return panel
    columns = {option: name for option, name in (("--strata", strata), ("--units", units)) if name is not None}
    values = {option: _by_person(panel, name, option) for option, name in columns.items()}
    stratum = numbered_in_order(values["--strata"]) if strata is not None else None
    unit = None
    if units is not None:
        names = values["--units"]
        unit = numbered_in_order(
            names if stratum is None else np.char.add(np.char.add(stratum.astype(str), " "), names)
        )
    made = replace(
        panel,
        name=panel.name + drawn(strata, units),
        covariates={name: c for name, c in panel.covariates.items() if name not in columns.values()},
        source={**panel.source, **{option.removeprefix("--"): name for option, name in columns.items()}},
        strata=stratum,
        units=unit,
    )
    _require_two(made.part("test"), columns)
    return made


def drawn(strata: str | None, units: str | None) -> str:
    """The words that a panel drawn so has behind its name."""
    told = [f"stratified by {strata}"] if strata is not None else []
    told += [f"clustered by {units}"] if units is not None else []
    return "".join(f", {words}" for words in told)


def _by_person(panel: Panel, name: str, option: str) -> StrArray:
    """str [P]: the one value that each person has."""
    covariate = panel.covariates.get(name)
    if covariate is None:
        raise RequestError(
            f"{option} {name}: '{panel.name}' has no such column; {did_you_mean(name, panel.covariates)}"
        )
    values = np.asarray(covariate.values)
    missing = np.isnan(values) if covariate.kind == "numeric" else values < 0
    if missing.any():
        where = panel.name_of(int(np.flatnonzero(missing)[0]))
        raise RequestError(f"{option} {name}: {where} has no value; every person was drawn in one")
    first = values[panel.offsets[:-1]]
    changed = np.flatnonzero(values != first[panel.person])
    if len(changed):
        where = panel.name_of(int(changed[0]))
        raise RequestError(
            f"{option} {name}: {where} has another value than in the years before; a person was drawn once, so the "
            "column must be the same in all of their records"
        )
    if covariate.kind == "categorical":
        return np.array(covariate.levels, dtype=str)[first.astype(np.int64)]
    return np.array([f"{value:g}" for value in first.tolist()], dtype=str)


def _require_two(test: Panel, columns: dict[str, str]) -> None:
    """RequestError where the test split has a single sampling unit, so that nothing says how much chance there is."""
    if test.units is not None and test.n_persons and len(np.unique(test.units)) < 2:
        raise RequestError(
            f"--units {columns['--units']}: all persons of the test split are of one unit, so no other draw of units "
            "can be imagined; resample persons instead (leave the option out)"
        )
