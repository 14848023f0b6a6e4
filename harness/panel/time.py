"""Units of the time that a panel's records stand in, and the names of its points.

A panel's ``year`` counts units: calendar years, quarters (4 a year) and months (12 a year) since the year 0, or waves
and ages by their number. So a step of one is a step of one unit, whatever it is.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from typing import Any

PER_YEAR = {"year": 1, "quarter": 4, "month": 12}  # of the units of the calendar
UNITS = (*PER_YEAR, "wave", "age")
MONTHS = tuple(calendar.month_abbr)[1:]


def unit_of(source: Mapping[str, Any]) -> str:
    """The unit that a panel's source names; calendar years where it names none."""
    return str(source.get("time_unit", "year"))


def name(time: int, unit: str) -> str:
    """A point in time as files write it and readers know it again: '1998', '1998-Q3', '1998-07', 'wave 3', 'age 21'."""
    if unit == "month":
        return f"{time // 12:04d}-{time % 12 + 1:02d}"
    if unit == "quarter":
        return f"{time // 4:04d}-Q{time % 4 + 1}"
    return str(time) if unit == "year" else f"{unit} {time}"
