"""Codes of states that only the records tell: one code is one state, and a missing state is none."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from harness.data.checks.careers import bare_code
from harness.data.checks.findings import Findings
from harness.data.tables.columns import TextColumn
from harness.data.tables.rows import Records

MISSING = frozenset({"na", "n/a", "nan", "none", "null", ".", "-", "<na>", "#n/a"})
NEGATIVE = re.compile(r"-\d+(\.0+)?")  # how surveys write why an answer is missing
WHOLE = re.compile(r"\d+\.0+")
DECIMALS = re.compile(r"\d+\.\d*[1-9]\d*")
LISTED = "a table of the states that lists it (--occupations)"


def whole_codes(column: TextColumn) -> TextColumn:
    """Codes without decimals that are all zero: '4720.0' is '4720', unless other codes have decimals that are not."""
    if any(map(DECIMALS.fullmatch, column.distinct)):
        return column
    return column.change(lambda code: code.partition(".")[0] if WHOLE.fullmatch(code) else code)


def check_codes(records: Records, findings: Findings) -> None:
    """An error for each code that is how missing is written, and for each that is another's number."""
    column = records.occupation
    for code in filter(is_missing, column.distinct):
        count = int(column.where(code.__eq__).sum())
        message = (
            f"is how a missing state is written ({count:,} {'row' if count == 1 else 'rows'}), and a year without a "
            f"known state has no row: leave such rows out, or bring {LISTED}"
        )
        _tell(records, code, message, findings)
    for one, other in alike(column.distinct):
        message = (
            f"'{other}' and '{one}' are one number, and would be two states: write a code in one way, or bring {LISTED}"
        )
        _tell(records, other, message, findings)


def is_missing(code: str) -> bool:
    """True of words and negative numbers that stand for no answer."""
    return code.casefold() in MISSING or NEGATIVE.fullmatch(code) is not None


def alike(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of codes, the first seen and another, that differ in leading zeros or in decimals of zero."""
    first: dict[str, str] = {}
    found = []
    for code in codes:
        if code:
            earlier = first.setdefault(bare_code(code), code)
            if earlier != code:
                found.append((earlier, code))
    return found


def _tell(records: Records, code: str, message: str, findings: Findings) -> None:
    row = int(np.flatnonzero(records.occupation.where(code.__eq__))[0])
    file, line, name = records.place(row, "occupation")
    findings.error(file, message, line=line, column=name, value=code)
