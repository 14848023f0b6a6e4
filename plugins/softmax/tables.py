"""The estimates of ``softmax``, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.estimation.multinomial import Coefficients
from harness.model import Table
from harness.plugins.softmax.design import DesignLayout, Part
from harness.plugins.softmax.recall import NAMES
from harness.types import FloatArray

RIDGE = "coefficients are held to zero by the ridge, so no standard errors are given"


def described(parts: Mapping[Part, Coefficients], layout: DesignLayout, chosen: Mapping[str, Any]) -> list[Table]:
    """Staying, without its columns of single states and groups; the weights of what is known of a pair."""
    heading = ("term", "coefficient")
    made = []

    def notes(part: str) -> tuple[str, ...]:
        return f"penalty {chosen[f'{part}_penalty']:g}, chosen on the validation split", RIDGE

    if "staying" in parts:
        odds = parts["staying"].alternative[:, 0] - parts["staying"].alternative[:, 1]
        more = (*notes("staying"), "columns of single states and of their groups are left out here")
        rows = _rows(layout, odds)
        made.append(Table("log-odds of staying", heading, rows, more, stage="staying"))
    if "states" in parts and len(parts["states"].pair):
        weights = tuple(zip(NAMES, parts["states"].pair.tolist(), strict=True))
        made.append(Table("a state's utility to those who leave", heading, weights, notes("states"), stage="states"))
    return made


def _rows(layout: DesignLayout, values: FloatArray) -> tuple[tuple[str | float | None, ...], ...]:
    blocks = (*layout.blocks, *layout.staying)
    of_states = np.repeat([False, *(b.kind == "state" for b in blocks)], [1, *(len(b.labels) for b in blocks)])
    names = layout.names(staying=True)
    return tuple((names[j], float(values[j])) for j in np.flatnonzero(~of_states))
