"""Remarks on what may be meant otherwise than it was read; nothing here stops a run."""

from __future__ import annotations

import re

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.tables.times import FIRST_YEAR, LAST_YEAR
from harness.panel import time
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Status
from harness.system.words import counted
from harness.types import FloatArray

THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
CODED_MISSING = re.compile(r"9{2,}[6-8]?|-[1-9]|-9{2,}[1-8]?")  # as surveys write it in a column of numbers
FAR = 3.0  # times as large as any other number, which makes a row of nines no number
MIXED = 0.1  # share of records whose code also stands on the other side of a change of the code list
FEW = 3  # codes on each side of one


def remark_on_readings(panel: Panel, findings: Findings) -> None:
    """Notes on years without a century, codes of two lists, and covariates that are no measure of anything."""
    _on_years(panel, findings)
    _on_code_lists(panel, findings)
    for name, covariate in panel.covariates.items():
        if covariate.kind == "numeric":
            _on_numbers(panel, name, covariate.values.astype(np.float64), findings)
        else:
            _on_levels(panel, name, covariate, findings)


def doubt_of_years(panel: Panel) -> str | None:
    """A sentence on years that are no calendar years, with the option that reads them; None where all are."""
    first, last = int(panel.year.min()), int(panel.year.max())
    if panel.unit != "year" or (first >= FIRST_YEAR and last <= LAST_YEAR):
        return None
    way = "--century 1930 reads two digits" if last < 100 and first >= 0 else "--unit says another unit of time"
    return f"years run from {first} to {last}: are they calendar years, with all four digits? {way}"


def _on_years(panel: Panel, findings: Findings) -> None:
    if (message := doubt_of_years(panel)) is not None:
        first, last = int(panel.year.min()), int(panel.year.max())
        findings.note(panel.name, message, column="year", value=str(first if first < FIRST_YEAR else last))


def _on_code_lists(panel: Panel, findings: Findings) -> None:
    """A note where from one year on jobs have codes that were hardly used before, and the other way round."""
    jobs = panel.occupations.has_status(Status.EMPLOYED)[panel.state]
    state, year = panel.state[jobs], panel.year[jobs]
    first, last = np.full(panel.n_states, np.iinfo(np.int64).max), np.full(panel.n_states, np.iinfo(np.int64).min)
    np.minimum.at(first, state, year)
    np.maximum.at(last, state, year)
    for start in np.unique(year)[1:].tolist():
        before, both = year < start, ((first < start) & (last >= start))[state]
        old, new = np.unique(state[before & ~both]), np.unique(state[~before & ~both])
        mixed = both[before].mean(), both[~before].mean()
        if min(len(old), len(new)) >= FEW and max(mixed) <= MIXED:
            codes = panel.occupations.codes
            since = time.name(start, panel.unit)
            message = (
                f"from {since} on jobs have other codes than before ('{codes[new[0]]}', not '{codes[old[0]]}'): if the "
                f"code list changed, every career changes its state in that {panel.unit}; recode by a crosswalk"
            )
            findings.note(panel.name, message, column="occupation", value=since)
            return


def _on_numbers(panel: Panel, name: str, values: FloatArray, findings: Findings) -> None:
    known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(known) < 2:
        return
    measured = known[[not _is_code(value) for value in known.tolist()]]
    for value, count in ((known[-1], counts[-1]), (known[0], counts[0])):
        apart = len(measured) and ((value > FAR * measured.max() > 0) if value > 0 else measured.min() >= 0)
        if _is_code(float(value)) and apart:
            message = (
                f"stands in {counted(int(count), 'record')}, far from all others: blank them if it means that none "
                f"is known (--missing {value:.0f})"
            )
            findings.note(panel.name, message, column=name, value=f"{value:.0f}")
    if len(known) == panel.n_records > 2 and (np.diff(known) == 1).all():
        message = f"counts records, from {known[0]:.0f} to {known[-1]:.0f}: the number of a row; leave it out"
        findings.note(panel.name, message, column=name)


def _is_code(value: float) -> bool:
    """True of a number that surveys write for a reason why there is none."""
    return value == round(value) and CODED_MISSING.fullmatch(f"{value:.0f}") is not None


def _on_levels(panel: Panel, name: str, covariate: Covariate, findings: Findings) -> None:
    written = [level for level in covariate.levels if THOUSANDS.fullmatch(level)]
    if len(written) > len(covariate.levels) / 2:
        message = "is read as words: write numbers without separators of thousands, as 25000"
        findings.note(panel.name, message, column=name, value=written[0])
