"""The hidden states of a frozen language model, for models of other plugins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.model import CareerEncoder, Context
from harness.panel import Panel
from harness.plugins.llm.embedding.params import EncoderParams
from harness.plugins.llm.embedding.reader import CareerReader
from harness.types import FloatArray

BASE, ABOUT = "base", "encoder.json"


class LanguageModelEncoder(CareerEncoder):
    """One layer of a base, at the line head of each target."""

    def __init__(self, params: EncoderParams) -> None:
        self._reader = CareerReader(params, (params.layer,))

    def open(self, context: Context) -> None:
        self._reader.open(context)

    def require_readable(self, panel: Panel) -> None:
        self._reader.require_readable(panel)

    def vectors(self, panel: Panel, context: Context | None = None) -> FloatArray:
        if context is None:
            return self._reader.remembered(panel, panel.transitions)
        states: FloatArray = self._reader.kept_states(panel, context)[0]
        return states

    def save(self, folder: Path) -> None:
        (folder / BASE).mkdir()
        self._reader.save(folder / BASE)
        about = {"content": self._reader.content(), "label": self._reader.label}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")

    def load(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self._reader.load(folder / BASE, about["content"], about["label"])

    def place(self, device: str) -> None:
        self._reader.place(device)

    def facts(self) -> Mapping[str, Any]:
        reader = self._reader
        return {"base": reader.label, "parameters": reader.parameters, "layer": reader.index(reader.layers[0])}
