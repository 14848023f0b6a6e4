"""Dates as files write them: which of day and month stands first, and days counted from a date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from harness.errors import RequestError

CLOCK = r"([ T:]\d.*)?"  # a time of day, which is passed over
PLAIN = (rf"(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){CLOCK}",)
NAMED = (rf"(?P<d>\d{{1,2}})[ .-]*MONTH[ .-]*YEAR{CLOCK}", rf"MONTH\.? ?(?P<d>\d{{1,2}})(st|nd|rd|th)?,? YEAR{CLOCK}")
NUMBERED = (rf"(?P<first>\d{{1,2}})(?P<mark>[/.-])(?P<second>\d{{1,2}})(?P=mark)(?P<y>\d{{4}}|\d{{2}}){CLOCK}",)
DAY_FIRST, MONTH_FIRST = ("y", "second", "first"), ("y", "first", "second")
OPEN = frozenset(
    {"present", "now", "current", "currently", "ongoing", "today", "to date", "till date", "heute", "aktuell"}
)
NEVER = re.compile(r"(.*\D)?9999(\D.*)?|9999(12)?(31)?(\.0*)?")


def since(dates: str | None) -> date | None:
    """The date that ``--dates`` counts days from; None where it says an order. RequestError where it is neither."""
    if dates in (None, "day", "month"):
        return None
    try:
        return date.fromisoformat(str(dates))
    except ValueError as error:
        raise RequestError(
            f"--dates {dates}: write day or month, whichever stands first, or the date that numbers count days from, "
            "as 1960-01-01"
        ) from error


def in_order(found: Sequence[re.Match[str]], dates: str | None) -> tuple[str | None, tuple[str, str, str]]:
    """The reason why the order of these dates is doubtful, if it is, and the groups of year, month and day.

    ``--dates`` decides; else a number above twelve is a day, and the day stands first where points stand between.
    """
    if dates in ("day", "month"):
        return None, DAY_FIRST if dates == "day" else MONTH_FIRST
    days_first = [m for m in found if int(m["first"]) > 12]
    months_first = [m for m in found if int(m["second"]) > 12]
    if days_first and months_first:
        refused = f"'{days_first[0][0]}' has the day first, '{months_first[0][0]}' the month: write all in one order"
        return refused, DAY_FIRST
    if days_first or months_first:
        return None, DAY_FIRST if days_first else MONTH_FIRST
    if all(m["mark"] == "." for m in found):
        return None, DAY_FIRST
    one = next((m for m in found if m["first"] != m["second"]), found[0])
    by_day, by_month = (f"{one['y']}-{int(one[m]):02d}-{int(one[d]):02d}" for _, m, d in (DAY_FIRST, MONTH_FIRST))
    refused = (
        f"day and month cannot be told apart: '{one[0]}' is {by_day} if the day stands first (--dates day), and "
        f"{by_month} if the month does (--dates month)"
    )
    return refused, DAY_FIRST


def ordinal(year: int, month: int, day: int) -> int | None:
    """The day's number, as ``date.toordinal`` has it; None where there is no such day."""
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def looks_compact(known: Sequence[int]) -> bool:
    """True of numbers that are dates like 19980731."""
    return bool(known) and all(
        n > 10_000_000 and ordinal(n // 10_000, n // 100 % 100, n % 100) is not None for n in known
    )


def is_open_end(value: str) -> bool:
    """True of the end of a spell that goes on: 'present', 'now', or a date of the year 9999."""
    return value.casefold() in OPEN or NEVER.fullmatch(value) is not None
