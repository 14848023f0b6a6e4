"""Places of figures on an axis, and the figures that are written on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log, log10

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from ``low`` to ``high``, in figures; ``at`` is where one stands on it, 0 to 1."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """0 at ``low``, 1 at ``high``, below 0 and above 1 outside of them."""
        if self.log:
            return log(value / self.low) / log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    @property
    def by_decades(self) -> bool:
        """True where the axis is so long that ticks at equal steps would crowd at one end."""
        return self.log and self.high / self.low >= 8

    def ticks(self, most: int = 6) -> list[float]:
        """At most so many round figures on the axis, at equal steps; over decades on a logarithmic one."""
        if self.by_decades:
            return _decades(self.low, self.high, most)
        return _steps(self.low, self.high, most)


def around(values: Sequence[float], log: bool = False, margin: float = 0.04) -> Scale:
    """A scale with room for all values; a logarithmic one asks for values above zero.

    ValueError where there are none.
    """
    low, high = min(values), max(values)
    if log:
        if low == high:
            low, high = low / 1.1, high * 1.1
        room = (high / low) ** margin
        return Scale(low / room, high * room, log=True)
    if low == high:
        low, high = low - 0.5, high + 0.5
    room = (high - low) * margin
    return Scale(low - room, high + room)


def _steps(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(s * power for s in STEPS if s * power >= raw * (1 - 1e-9))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _decades(low: float, high: float, most: int) -> list[float]:
    """1, 2 and 5 times powers of ten where they fit, else powers of ten alone, or every so many of them."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for factors, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 5), ((1,), 10)):
        found = [float(f"{f * 10.0**p:.12g}") for p in powers if p % every == 0 for f in factors]
        inside = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) <= most:
            break
    return inside


def written(value: float, step: float | None = None) -> str:
    """A figure on an axis: no more decimals than its neighbours are apart, thousands set off, no minus zero."""
    if value and abs(value) >= 1e6:
        return f"{value:.3g}"
    if step:
        decimals = max(0, -floor(log10(step) + 1e-9))
        decimals += round(step * 10**decimals, 6) % 1 > 0  # 2.5 and .25 need one more
        return f"{value:,.{decimals}f}" if round(value, decimals) else "0"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.4g}"


def labelled(scale: Scale, most: int) -> list[tuple[float, str]]:
    """The ticks of an axis as they are written, at equal steps with equally many decimals."""
    ticks = scale.ticks(most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 and not scale.by_decades else None
    return [(tick, written(tick, step)) for tick in ticks]
