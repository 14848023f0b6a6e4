"""Numbers of a table of estimates, as a person reads them."""

from __future__ import annotations

from math import isfinite

BLANK = ""
SMALLEST_P = 0.0001


def cell(heading: str, value: str | float | None) -> str:
    """A cell of ``Table``: z to two decimals, p to four, whole numbers whole, any other to four significant digits."""
    if value is None:
        return BLANK
    if isinstance(value, str):
        return value
    if not isfinite(value):
        return str(value)
    if heading == "p":
        return f"<{SMALLEST_P:.4f}" if value < SMALLEST_P else f"{value:.4f}"
    if heading == "z":
        return f"{value:.2f}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.4g}"
