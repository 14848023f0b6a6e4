"""The model behind ``llm-embed``: the reader, the logit, and the contract with the harness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.estimation.transition_model import require_states
from harness.features.frequencies import entry_shares
from harness.model import Context, Model, take_states
from harness.panel import Panel
from harness.plugins.llm.embedding.logit import StateLogit, Transitions
from harness.plugins.llm.embedding.params import EmbedParams
from harness.plugins.llm.embedding.reader import CareerReader
from harness.types import FloatArray, IntArray

BASE, FACTS, ARRAYS = "base", "embed.json", "embed.npz"
CELLS_AT_ONCE = 20_000_000  # (transition, state) cells of whole rows: 160 MB


class EmbedModel(Model):
    """P(next state | hidden state, origin). A first record, which has no origin, has the shares of all first ones."""

    def __init__(self, params: EmbedParams) -> None:
        self.params = params
        self._reader = CareerReader(params, params.layers)
        self._logit: StateLogit | None = None  # None where there was nothing to learn
        self._codes: tuple[str, ...] = ()
        self._entry: FloatArray = np.zeros(0)  # [K], ln P(state of a first record)
        self._facts: dict[str, Any] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        p = self.params
        self._codes, self._entry = train.occupations.codes, np.log(entry_shares(train))
        self._logit, self._facts = None, {"parameters_trained": train.n_states}
        if train.n_states == 1 or not len(train.transitions):
            return
        reader = CareerReader(p, p.layers)
        reader.open(context)
        reader.require_readable(train)
        known, held_out = (reader.kept_states(panel, context) for panel in (train, valid))
        group = train.occupations.group_index()[0]
        losses: list[float] = []
        fits = len(p.layers) * len(p.penalties) * (1 if p.staying == "plain" else 2)
        with context.progress.bar("llm-embed", fits) as bar:
            for states, watched in zip(known, held_out, strict=True):
                logit = StateLogit(p, group)
                losses.append(logit.fit(Transitions.of(train, states), Transitions.of(valid, watched), bar.advance))
                if self._logit is None or losses[-1] < min(losses[:-1]):
                    self._logit = logit
        self._reader = reader.at_layer(p.layers[int(np.argmin(losses))])
        self._facts = self._told(reader.resumes(train).records_dropped(), losses)

    def _told(self, dropped: int, losses: list[float]) -> dict[str, Any]:
        reader, logit = self._reader, self._fitted()
        return {
            "base": reader.label,
            "parameters": reader.parameters,
            "parameters_trained": sum(int(np.count_nonzero(part.flat())) for part in logit.parts.values()),
            "records_dropped": dropped,
            "layer": reader.index(reader.layers[0]),
            "chosen_on_validation": {"layers": reader.layers[0], **logit.chosen},
            **({"validation_loss": [round(loss, 6) for loss in losses]} if np.isfinite(losses).all() else {}),
        }

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        """One reading of a career for all that is asked of it."""
        require_states(panel, self._codes)
        out = self._entry.astype(np.float32)[states]  # of a single state too, and where nothing was learned
        later = np.flatnonzero(panel.origin(transitions) >= 0)
        if self._logit is None or not len(later):
            return np.minimum(out, 0.0)
        read, origin = self._reader.remembered(panel, transitions[later]), panel.origin(transitions[later])
        step = max(1, CELLS_AT_ONCE // panel.n_states)
        for start in range(0, len(later), step):
            some = slice(start, start + step)
            rows = self._logit.rows(read[some], origin[some].astype(np.int64))
            out[later[some]] = take_states(rows, states[later[some]])
        return np.minimum(out, 0.0)

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        return None if self._logit is None else self._reader.resumes(panel).dropped(transitions)

    def save(self, folder: Path) -> None:
        arrays: dict[str, FloatArray | IntArray] = {"entry": self._entry}
        stored: dict[str, Any] = {"codes": list(self._codes), "facts": self._facts}
        if self._logit is not None:
            arrays |= self._logit.arrays()
            reader = self._reader
            stored |= {"layer": reader.layers[0], "content": reader.content(), "label": reader.label}
            (folder / BASE).mkdir()
            reader.save(folder / BASE)
        np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
        (folder / FACTS).write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        stored = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._codes, self._facts = tuple(stored["codes"]), stored["facts"]
        with np.load(folder / ARRAYS, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        self._entry, self._logit = arrays["entry"], None
        if "layer" in stored:
            self._reader = CareerReader(self.params, (stored["layer"],))
            self._reader.load(folder / BASE, stored["content"], stored["label"])
            self._logit = StateLogit(self.params, arrays["group"])
            self._logit.read(arrays)

    def _fitted(self) -> StateLogit:
        if self._logit is None:
            raise AssertionError("asked before it was fitted")
        return self._logit

    def place(self, device: str) -> None:
        self._reader.place(device)

    def facts(self) -> Mapping[str, Any]:
        return self._facts
