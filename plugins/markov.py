"""markov: a first-order chain. How often each state is kept, and where those who leave it go.

Counts are few for most pairs of states, so they lean on coarser ones: an origin's stay rate on the rate of all; its
destinations on the flows between major groups, and these on the margin. How far they lean is chosen on the
validation split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from harness.features.frequencies import Destinations, Stays, entry_shares
from harness.hookspecs import hookimpl
from harness.model import Context, Model, ModelSpec, Params, SearchRange
from harness.panel import Panel
from harness.types import FloatArray, IntArray

SMALLEST = float(np.finfo(np.float32).tiny)


class MarkovParams(Params):
    """Parameters of ``markov``: prior strengths in transitions; a blank one is chosen on the validation split."""

    stay_strength: Annotated[float | None, SearchRange(1, 1000, log=True)] = Field(
        None, gt=0, description="overall stay rate against a state's own, transitions"
    )
    group_strength: Annotated[float | None, SearchRange(1, 1000, log=True)] = Field(
        None, gt=0, description="margin against flows between groups, switches"
    )
    origin_strength: Annotated[float | None, SearchRange(1, 1000, log=True)] = Field(
        None, gt=0, description="group flows against an origin's own, switches"
    )
    state_strength: Annotated[float | None, SearchRange(1, 1000, log=True)] = Field(
        None, gt=0, description="shares in a group against an origin's own, switches"
    )
    entry_strength: Annotated[float, SearchRange(1, 100, log=True)] = Field(
        10.0, gt=0, description="all records' frequencies against first records', careers"
    )


class Markov(Model):
    """P(next = origin) = s(origin); P(next = k) = (1 - s(origin)) P(group of k | origin) P(k | group, origin)."""

    def __init__(self, params: MarkovParams) -> None:
        self.params = params
        self.log_table: FloatArray = np.zeros((0, 0))  # [K + 1, K]; the last row, -1, is a career's first record
        self.chosen: dict[str, float] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        stays, destinations, given = Stays(train), Destinations(train), self.params
        stay_strength = given.stay_strength or stays.choose(valid, start=16.0)
        fixed = {
            "group": given.group_strength,
            "origin": given.origin_strength,
            "state": given.state_strength,
        }
        strengths = destinations.choose(valid, {name: value for name, value in fixed.items() if value is not None})
        rate = stays.rates(stay_strength)
        table = (1 - rate)[:, None] * destinations.table(strengths)
        np.fill_diagonal(table, rate)
        rows = np.vstack([table, entry_shares(train, given.entry_strength)])
        self.log_table = np.log(np.maximum(rows, SMALLEST)).astype(np.float32)
        self.chosen = {"stay_strength": stay_strength} | {f"{k}_strength": v for k, v in asdict(strengths).items()}

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        return self.log_table[panel.origin(transitions)[:, None], states]

    def save(self, folder: Path) -> None:
        np.save(folder / "log_table.npy", self.log_table, allow_pickle=False)
        (folder / "chosen.json").write_text(json.dumps(self.chosen), encoding="utf-8")

    def load(self, folder: Path) -> None:
        self.log_table = np.load(folder / "log_table.npy", allow_pickle=False)
        self.chosen = json.loads((folder / "chosen.json").read_text(encoding="utf-8"))

    def facts(self) -> Mapping[str, Any]:
        rows, states = self.log_table.shape
        return {"parameters_trained": rows * (states - 1), "chosen_on_validation": self.chosen}


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "markov",
            "stay rate by state x destinations backed off to major groups",
            Markov,
            params=MarkovParams,
            cite="Anderson and Goodman (1957), Statistical inference about Markov chains; MacKay and Peto (1995)",
            uses_weights=True,
        )
    ]
