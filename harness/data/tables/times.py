"""Points in time as files write them: years, months, quarters, dates, century months, waves, ages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from harness.errors import RequestError
from harness.panel.time import MONTHS
from harness.types import BoolArray, IntArray

WHOLE = re.compile(r"[+-]?\d{1,9}(\.0*)?")
YEAR = r"(?P<y>\d{4}|\d{2})"
NAMES = "|".join(MONTHS)
MONTH_NAME = rf"(?P<b>{NAMES})[a-z]*"
MONTHLY = (rf"{MONTH_NAME}[ ._-]?'?{YEAR}", rf"(?P<y>\d{{4}})[ ._-]?{MONTH_NAME}", r"(?P<y>\d{4})[-/_m.](?P<m>\d{1,2})")
MONTHLY_TOO = (r"(?P<m>\d{1,2})[/.](?P<y>\d{4})",)
QUARTERLY = (r"[qtk](?P<q>[1-4])[ ._/-]?(?P<y>\d{4})", r"(?P<y>\d{4})[ ._:/-]?[qtk](?P<q>[1-4])")
DATED = (
    r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})([ T].*)?",
    r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})",
    rf"(?P<d>\d{{1,2}})[ -]?{MONTH_NAME}[ -]?(?P<y>\d{{4}})([ :].*)?",
)
SLASHED = r"(?P<first>\d{1,2})[/-](?P<second>\d{1,2})[/-](?P<y>\d{4})"
COUNTED = r"(?P<unit>wave|age)[ _]?(?P<n>\d{1,4})"
FORMS: dict[str, tuple[re.Pattern[str], ...]] = {
    kind: tuple(re.compile(form, re.IGNORECASE) for form in forms)
    for kind, forms in (
        ("quarter", QUARTERLY),
        ("date", DATED),
        ("slashed", (SLASHED,)),
        ("month", (*MONTHLY, *MONTHLY_TOO)),
        ("counted", (COUNTED,)),
    )
}
EPOCH = 12 * 1900 - 1  # century months count from January 1900, which is 1


@dataclass(frozen=True)
class Times:
    """Distinct values as points in time. value: int64 [d], in the unit. order: int64 [d], finer where they are dates.

    good: bool [d]. refused: why the values are not taken as they are, and the option that takes them. note: of how they
    were taken, where that is not plain. kind: 'whole' numbers, 'month', 'quarter', 'date', 'wave', 'age'.
    """

    unit: str
    value: IntArray
    order: IntArray
    good: BoolArray
    kind: str = "whole"
    refused: str | None = None
    note: str | None = None


def read_times(values: Sequence[str], unit: str | None = None, century: int | None = None) -> Times:
    """Times of distinct values, which are of the kind that most of them are; the others are not good."""
    matches = {kind: [_match(forms, value) for value in values] for kind, forms in FORMS.items()}
    whole = [WHOLE.fullmatch(value) is not None for value in values]
    counts = {"whole": sum(whole), **{kind: sum(m is not None for m in found) for kind, found in matches.items()}}
    kind = max(counts, key=counts.__getitem__)
    if kind == "whole":
        return _whole(values, whole, unit=unit, century=century)
    found = matches[kind]
    if kind == "counted":
        units = {m["unit"].casefold() for m in found if m}
        mixed = "waves and ages stand in one column: keep one of them" if len(units) > 1 else None
        told = sorted(units)[0]
        return _made([int(m["n"]) if m else None for m in found], told, kind=told, refused=mixed)
    if kind == "slashed":
        return _slashed(found)
    if kind == "date":
        return _dates([_day(m, int(m["d"])) if m else None for m in found])
    per = 4 if kind == "quarter" else 12
    part: Callable[[re.Match[str]], int] = (lambda m: int(m["q"])) if kind == "quarter" else _month
    made = [per * _year(m["y"], century) + part(m) - 1 if m and 1 <= part(m) <= per else None for m in found]
    return _made(made, kind, kind=kind)


def _match(forms: tuple[re.Pattern[str], ...], value: str) -> re.Match[str] | None:
    return next((found for form in forms if (found := form.fullmatch(value))), None)


def _month(match: re.Match[str]) -> int:
    named = match.groupdict().get("b")
    return int(match["m"]) if named is None else MONTHS.index(named[:3].title()) + 1


def _year(text: str, century: int | None) -> int:
    """Two digits are of the hundred years from ``century`` on, and of those from 1930 on where nobody says."""
    number = int(text)
    return number if len(text) > 2 else full_year(number, 1930 if century is None else century)


def full_year(number: int, century: int) -> int:
    """The year from ``century`` on whose last two digits are this number."""
    return century + (number - century) % 100


def _day(match: re.Match[str], day: int) -> int | None:
    try:
        return date(int(match["y"]), _month(match), day).toordinal()
    except ValueError:
        return None


def _slashed(found: Sequence[re.Match[str] | None]) -> Times:
    """'3/14/2001' or '14/3/2001': which of the two, a number above twelve says."""
    first = max(int(m["first"]) for m in found if m)
    second = max(int(m["second"]) for m in found if m)
    if first <= 12 and second <= 12:
        refused = "day and month cannot be told apart: write dates as 2001-03-14"
        return _made([None] * len(found), "month", kind="date", refused=refused)
    day, month = ("second", "first") if second > 12 else ("first", "second")
    return _dates([m and _ordinal(int(m["y"]), int(m[month]), int(m[day])) for m in found])


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def _dates(days: Sequence[int | None]) -> Times:
    known = [None if day is None else date.fromordinal(day) for day in days]
    made = _made([None if day is None else 12 * day.year + day.month - 1 for day in known], "month", kind="date")
    return replace(made, order=np.array([day or 0 for day in days], dtype=np.int64))


def _made(
    values: Sequence[int | None], unit: str, kind: str, refused: str | None = None, note: str | None = None
) -> Times:
    good = np.array([value is not None for value in values], dtype=bool)
    made = np.array([value or 0 for value in values], dtype=np.int64)
    return Times(unit, made, made, good, kind=kind, refused=refused, note=note)


def _whole(values: Sequence[str], whole: Sequence[bool], unit: str | None, century: int | None) -> Times:
    numbers = [
        int(value.partition(".")[0]) if is_whole else None for value, is_whole in zip(values, whole, strict=True)
    ]
    known = [number for number in numbers if number is not None]
    decimals = any("." in value for value, is_whole in zip(values, whole, strict=True) if is_whole)
    note = "whole numbers are written with decimals ('2000.0'), and were taken for what they are" if decimals else None
    if unit in ("wave", "age"):
        return _made(numbers, unit, kind="whole", note=note)
    if unit == "month":
        return _months(numbers, known, note)
    if unit == "quarter":
        made = [None if n is None or not 1 <= n % 10 <= 4 else 4 * (n // 10) + n % 10 - 1 for n in numbers]
        return _made(made, "quarter", kind="whole", note=note)
    if century is not None and known and min(known) >= 0 and max(known) < 100:
        return _made([None if n is None else full_year(n, century) for n in numbers], "year", kind="whole", note=note)
    return _made(numbers, "year", kind="whole", refused=None if unit else _doubt(known), note=note)


def _months(numbers: Sequence[int | None], known: Sequence[int], note: str | None) -> Times:
    if known and all(_is_year_month(number) for number in known):
        made = [None if n is None else 12 * (n // 100) + n % 100 - 1 for n in numbers]
        return _made(made, "month", kind="whole", note=note)
    taken = "numbers were taken for century months: 1 is January 1900"
    wrong = (
        None
        if known and min(known) > 0 and max(known) < 2400
        else ("are neither months like 199807 nor century months (1 is January 1900): write months as 1998-07")
    )
    return _made(
        [None if n is None else EPOCH + n for n in numbers], "month", kind="whole", refused=wrong, note=note or taken
    )


def _is_year_month(number: int) -> bool:
    return 1800 <= number // 100 <= 2999 and 1 <= number % 100 <= 12


def _doubt(known: Sequence[int]) -> str | None:
    """Numbers that are no calendar years, however one looks at them; and the option that reads them."""
    if not known:
        return None
    if all(_is_year_month(number) for number in known):
        return "are months (199807), not years: read them with --unit month, and thin them with --every year"
    if all(1800 <= number // 10 <= 2999 and 1 <= number % 10 <= 4 for number in known):
        return "are quarters (20023), not years: read them with --unit quarter"
    if all(number > 10_000_000 and _ordinal(number // 10_000, number // 100 % 100, number % 100) for number in known):
        return "are dates (19980731), not years: write them as 1998-07-31, and read them with --every year"
    if all(200 < number < 1700 for number in known) and len(set(known)) > 20:
        return (
            "look like century months (1 is January 1900), not years: --unit month reads them, --unit year takes years"
        )
    return None


def point(text: str, unit: str) -> int:
    """A point in time as a user writes it. RequestError where it is none of this unit."""
    times = read_times([text.strip()], unit if unit in ("wave", "age", "year") else None)
    if not times.good[0] or times.refused or times.unit != unit or times.kind == "date":
        such = {"month": "1998-07", "quarter": "1998-Q3", "year": "1998"}.get(unit, "3")
        raise RequestError(f"{text}: times of this panel are {unit}s; write such as {such}")
    return int(times.value[0])
