"""Points in time as files write them: years, months, quarters, dates, century months, waves, ages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from harness.data.tables.dates import NAMED, NUMBERED, PLAIN, in_order, looks_compact, ordinal, since
from harness.errors import RequestError
from harness.panel.time import MONTHS
from harness.types import BoolArray, IntArray

WHOLE = re.compile(r"[+-]?\d{1,9}(\.0*)?")
DECIMAL = re.compile(r"\d{1,6}\.\d+")
YEAR = r"(?P<y>\d{4}|\d{2})"
NAMES = "|".join(MONTHS)
MONTH_NAME = rf"(?P<b>{NAMES})[a-z]*"
MONTHLY = (rf"{MONTH_NAME}[ ._-]?'?{YEAR}", rf"(?P<y>\d{{4}})[ ._-]?{MONTH_NAME}", r"(?P<y>\d{4})[-/_m.](?P<m>\d{1,2})")
MONTHLY_TOO = (r"(?P<m>\d{1,2})[/.](?P<y>\d{4})",)
QUARTERLY = (r"[qtk](?P<q>[1-4])[ ._/-]?(?P<y>\d{4})", r"(?P<y>\d{4})[ ._:/-]?[qtk](?P<q>[1-4])")
COUNTED = r"(?P<unit>wave|age)[ _]?(?P<n>\d{1,4})"
FORMS: dict[str, tuple[re.Pattern[str], ...]] = {
    kind: tuple(re.compile(form, re.IGNORECASE) for form in forms)
    for kind, forms in (
        ("quarter", QUARTERLY),
        ("date", (*PLAIN, *(form.replace("MONTH", MONTH_NAME).replace("YEAR", YEAR) for form in NAMED))),
        ("numbered", NUMBERED),
        ("month", (*MONTHLY, *MONTHLY_TOO)),
        ("counted", (COUNTED,)),
    )
}
FIRST_YEAR, LAST_YEAR = 1000, 2999  # of those that calendars have
EPOCH = 12 * 1900 - 1  # century months count from January 1900, which is 1


@dataclass(frozen=True)
class Times:
    """Distinct values as points in time. value: int64 [d], in the unit. order: int64 [d], finer where they are dates.

    good: bool [d]. refused: why the values are not taken as they are, and the option that takes them. note: of how they
    were taken, where that is not plain. kind: 'whole' numbers, 'decimal' ones, 'month', 'quarter', 'date', 'wave' or
    'age'.
    """

    unit: str
    value: IntArray
    order: IntArray
    good: BoolArray
    kind: str = "whole"
    refused: str | None = None
    note: str | None = None


def read_times(
    values: Sequence[str], unit: str | None = None, century: int | None = None, dates: str | None = None
) -> Times:
    """Times of distinct values, which are of the kind that most of them are; the others are not good.

    dates: which of day and month stands first, 'day' or 'month', or the date that whole numbers count days from.
    """
    whole = [WHOLE.fullmatch(value) is not None for value in values]
    first = since(dates)
    if all(whole):
        return _whole(values, whole, unit=unit, century=century) if first is None else _counted(values, whole, first)
    matches = {kind: [_match(forms, value) for value in values] for kind, forms in FORMS.items()}
    decimal = _decimals(values, whole, matches["month"], unit)
    counts = {"whole": sum(whole) + sum(decimal), **{k: sum(m is not None for m in f) for k, f in matches.items()}}
    kind = max(counts, key=counts.__getitem__)
    if kind == "whole" and any(decimal):
        return _fractions(values, [a or b for a, b in zip(whole, decimal, strict=True)], unit)
    if kind == "whole":
        return _whole(values, whole, unit=unit, century=century) if first is None else _counted(values, whole, first)
    found = matches[kind]
    if kind == "counted":
        units = {m["unit"].casefold() for m in found if m}
        mixed = "waves and ages stand in one column: keep one of them" if len(units) > 1 else None
        told = sorted(units)[0]
        return _made([int(m["n"]) if m else None for m in found], told, kind=told, refused=mixed)
    if kind in ("numbered", "date"):
        refused, order = in_order([m for m in found if m], dates) if kind == "numbered" else (None, ("y", "m", "d"))
        made = [m and ordinal(_year(m[order[0]], century), _month(m, order[1]), int(m[order[2]])) for m in found]
        return replace(_dates([None] * len(found) if refused else made), refused=refused)
    per = 4 if kind == "quarter" else 12
    part: Callable[[re.Match[str]], int] = (lambda m: int(m["q"])) if kind == "quarter" else _month
    made = [per * _year(m["y"], century) + part(m) - 1 if m and 1 <= part(m) <= per else None for m in found]
    return _made(made, kind, kind=kind)


def _decimals(
    values: Sequence[str], whole: Sequence[bool], months: Sequence[re.Match[str] | None], unit: str | None
) -> list[bool]:
    """True of numbers with decimals; none are where each may be a month (1998.07), or most have no decimals."""
    decimal = [not w and DECIMAL.fullmatch(value) is not None for value, w in zip(values, whole, strict=True)]
    if unit in ("wave", "age"):
        return decimal
    as_months = all(m and 1 <= _month(m) <= 12 for m, d in zip(months, decimal, strict=True) if d)
    return [False] * len(values) if as_months or sum(decimal) < sum(whole) else decimal


def _counted(values: Sequence[str], whole: Sequence[bool], first: date) -> Times:
    days = [
        first.toordinal() + int(value.partition(".")[0]) if w else None for value, w in zip(values, whole, strict=True)
    ]
    return _dates([day if day is not None and 0 < day <= date.max.toordinal() else None for day in days])


def _fractions(values: Sequence[str], known: Sequence[bool], unit: str | None) -> Times:
    """Years with decimals as months, 1998.25 as April 1998; of another unit, whole ones."""
    numbers = [float(value) if k else None for value, k in zip(values, known, strict=True)]
    order = np.array([0 if n is None else round(1e6 * n) for n in numbers], dtype=np.int64)
    if unit not in (None, "year"):
        cut = ["" if n is None else str(int(n // 1)) for n in numbers]
        note = "times have decimals, which were cut off"
        return replace(read_times(cut, unit), order=order, note=note)
    months = [None if n is None else int(12 * n + 0.005) for n in numbers]
    wrong = None if order.max() < 3e9 else "are numbers with decimals, and no years: --unit wave cuts the decimals off"
    return replace(_made(months, "month", kind="decimal", refused=wrong), order=order)


def _match(forms: tuple[re.Pattern[str], ...], value: str) -> re.Match[str] | None:
    return next((found for form in forms if (found := form.fullmatch(value))), None)


def _month(match: re.Match[str], group: str = "m") -> int:
    named = match.groupdict().get("b")
    return int(match[group]) if named is None else MONTHS.index(named[:3].title()) + 1


def _year(text: str, century: int | None) -> int:
    """Two digits are of the hundred years from ``century`` on, and of those from 1930 on where nobody says."""
    number = int(text)
    return number if len(text) > 2 else full_year(number, 1930 if century is None else century)


def full_year(number: int, century: int) -> int:
    """The year from ``century`` on whose last two digits are this number."""
    return century + (number - century) % 100


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
    if unit is None and looks_compact(known):
        return _dates([None if n is None else ordinal(n // 10_000, n // 100 % 100, n % 100) for n in numbers])
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
    if all(200 < number < 1700 for number in known) and len(set(known)) > 20:
        return (
            "look like century months (1 is January 1900), not years: --unit month reads them, --unit year takes years"
        )
    if all(3000 < number < 100_000 for number in known) and len(set(known)) > 20:
        return (
            "look like days counted from a date, not years: --dates 1960-01-01 (Stata, SAS), 1970-01-01 (R) or "
            "1899-12-30 (Excel) reads them; --unit year takes years"
        )
    return None


def point(text: str, unit: str) -> int:
    """A point in time as a user writes it. RequestError where it is none of this unit."""
    times = read_times([text.strip()], unit if unit in ("wave", "age", "year") else None)
    if not times.good[0] or times.refused or times.unit != unit or times.kind == "date":
        such = {"month": "1998-07", "quarter": "1998-Q3", "year": "1998"}.get(unit, "3")
        raise RequestError(f"{text}: times of this panel are {unit}s; write such as {such}")
    return int(times.value[0])
