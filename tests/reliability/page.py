"""The page of what was measured, part by part."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reliability import caught, cost, damaged, forged, inputs, kills
from reliability.tables import paragraph

Found = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A part of the page. measure: from a scale of sizes to what JSON can hold; text: lines of Markdown from that."""

    measure: Callable[[float], Found]
    text: Callable[[Mapping[str, Any]], Iterable[str]]


PARTS: dict[str, Part] = {
    "caught": Part(caught.measure, caught.text),
    "inputs": Part(inputs.measure, inputs.text),
    "kills": Part(kills.measure, kills.text),
    "damaged": Part(damaged.measure, damaged.text),
    "forged": Part(forged.measure, forged.text),
    "cost": Part(cost.measure, cost.text),
}
HEAD = """\
# Reliability

Where a number of Harness can be wrong without a word, and where not, measured: models that cheat, inputs that are
broken, commands that are killed, files that are damaged, records that are forged, and the price of looking.
`make reliability` makes this page again.
"""


def page(measured: Mapping[str, Found]) -> str:
    """Markdown; parts that were not measured are not there."""
    lines = [HEAD, _machine(measured)]
    for name, part in PARTS.items():
        if name in measured:
            lines += ["", *part.text(measured[name])]
    return "\n".join(lines).rstrip("\n") + "\n"


def _machine(measured: Mapping[str, Found]) -> str:
    dates = sorted({found["date"] for found in measured.values()})
    minutes = sum(found["seconds"] for found in measured.values()) / 60
    return "\n".join(
        paragraph(
            f"Measured on {' and '.join(dates)} in {minutes:.0f} minutes, on {os.cpu_count()} cores "
            f"({platform.machine()}, {platform.system()}, Python {platform.python_version()}) that were not idle."
        )
    ).rstrip()
