"""Codes of states that only the records tell: one code is one state, and a missing state is none."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

import numpy as np

from harness.data.checks.careers import bare_code
from harness.data.checks.findings import Findings
from harness.data.tables.columns import TextColumn
from harness.data.tables.missing import says_missing
from harness.data.tables.rows import Records
from harness.system.words import counted

NEGATIVE = re.compile(r"-\d+(\.0+)?|\[-\d+\].*")  # how surveys write why an answer is missing, '[-1] no answer' too
NO_ANSWER = re.compile(
    r"(\W|\d)*(refus(ed|al)|don'?t know|dk|no answer|not (applicable|ascertained|available|known)|inapplicable|missing|"
    r"unknown|invalid|keine angabe|wei(ss|ß) nicht|trifft nicht zu|non r[ée]ponse|sans objet|no contesta|no sabe)\b.*",
    re.IGNORECASE,
)
WHOLE = re.compile(r"\d+\.0+")
DECIMALS = re.compile(r"\d+\.\d*[1-9]\d*")
LISTED = "a table of the states that lists it (--occupations)"


def whole_codes(column: TextColumn) -> TextColumn:
    """Codes without decimals that are all zero: '4720.0' is '4720', unless other codes have decimals that are not."""
    if any(map(DECIMALS.fullmatch, column.distinct)):
        return column
    return column.change(lambda code: code.partition(".")[0] if WHOLE.fullmatch(code) else code)


def note_decimals(records: Records, findings: Findings) -> None:
    """A note where codes are written as numbers with decimals of zero, which ``whole_codes`` takes away."""
    column = records.occupation
    if findings.wants_notes and whole_codes(column) is not column:
        value = next(value for value in column.distinct if WHOLE.fullmatch(value))
        file, _, name = records.place(0, "occupation")
        message = "codes are written with decimals, and were taken as whole numbers"
        findings.note(file, message, column=name, value=value)


def check_codes(records: Records, findings: Findings) -> None:
    """An error for each code that is how missing is written, and for each that is another's number."""
    column = records.occupation
    for code in filter(is_missing, column.distinct):
        count = int(column.where(code.__eq__).sum())
        message = (
            f"is how a missing state is written ({counted(count, 'row')}), and a year without a "
            f"known state has no row: leave such rows out (--missing {_rule(code)}), or bring {LISTED}"
        )
        _tell(records, code, message, findings)
    for one, other in alike(column.distinct):
        message = (
            f"'{other}' and '{one}' are one number, and would be two states: write a code in one way, or bring {LISTED}"
        )
        _tell(records, other, message, findings)


def _rule(code: str) -> str:
    """Words of an option, quoted where a shell would read more into them."""
    return shlex.quote(code)


def is_missing(code: str) -> bool:
    """True of words and negative numbers that stand for no answer."""
    return says_missing(code) or NEGATIVE.fullmatch(code) is not None


def note_spellings(records: Records, findings: Findings) -> None:
    """A note for codes that differ in nothing but case and blanks: they are two states."""
    first: dict[str, str] = {}
    for code in filter(None, records.occupation.distinct):
        earlier = first.setdefault(" ".join(code.split()).casefold(), code)
        if earlier != code:
            row = int(np.flatnonzero(records.occupation.where(code.__eq__))[0])
            file, line, name = records.place(row, "occupation")
            message = f"differs from '{earlier}' in case or blanks alone, and is a state of its own: write both alike"
            findings.note(file, message, line=line, column=name, value=code)


def note_answers(records: Records, labels: Mapping[str, str], findings: Findings) -> None:
    """A note for each code that is, or whose label is, a way to say that there was no answer."""
    column = records.occupation
    for code in filter(None, column.distinct):
        title = labels.get(code, code)
        if findings.wants_notes and NO_ANSWER.fullmatch(title) and not is_missing(code):
            called = f"is called '{title}'" if title != code else "says that there is no answer"
            row = int(np.flatnonzero(column.where(code.__eq__))[0])
            file, line, name = records.place(row, "occupation")
            message = f"{called}, and is a state: if it is none, --missing {_rule(code)}"
            findings.note(file, message, line=line, column=name, value=code)


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
