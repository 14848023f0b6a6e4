"""A network of the family with an encoder of careers beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.estimation.logits import Scaling
from harness.features.encoding import Encoding
from harness.model import CareerEncoder, Context
from harness.network.transitions import TransitionTable
from harness.panel import Panel
from harness.plugins.career.model import CareerModel
from harness.plugins.career.params import EncodedParams
from harness.types import FloatArray

ENCODER, SCALING = "encoder", "encoder.npz"
ROWS_AT_ONCE = 8192


class EncodedCareerModel(CareerModel):
    """The network of CAREER; every transition also has its encoder's vector, in standard deviations of training."""

    def __init__(self, params: EncodedParams, encoder: CareerEncoder) -> None:
        super().__init__(params, "transformer")
        self._at = params.encoded_at
        self._encoder = encoder
        self._scaling = Scaling.of(np.zeros((0, 0)))

    def _open_encoder(self, train: Panel, context: Context) -> None:
        self._encoder.open(context)
        self._encoder.require_readable(train)
        self._scaling = Scaling.of(self._encoder.vectors(train, context), train.weights(train.transitions))

    def _encoder_plan(self) -> dict[str, Any]:
        return {"encoded": len(self._scaling.kept), "encoded_at": self._at}

    def _tokens(self, panel: Panel, encoding: Encoding, context: Context | None = None) -> TransitionTable:
        return TransitionTable.of(panel, encoding, self._scaled(self._encoder.vectors(panel, context)))

    def _scaled(self, vectors: FloatArray) -> FloatArray:
        """float32 [T, e']: of length one or so, as a column of a covariate is."""
        out = np.empty((len(vectors), len(self._scaling.kept)), dtype=np.float32)
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            out[rows] = self._scaling.apply(vectors[rows])[:, 1:] / np.sqrt(max(out.shape[1], 1))
        return out

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self._network is not None:
            np.savez(folder / SCALING, **self._scaling.arrays())  # type: ignore[arg-type]
            (folder / ENCODER).mkdir()
            self._encoder.save(folder / ENCODER)

    def load(self, folder: Path) -> None:
        super().load(folder)
        if self._network is not None:
            with np.load(folder / SCALING, allow_pickle=False) as kept:
                self._scaling = Scaling.of_arrays(kept)
            self._encoder.load(folder / ENCODER)

    def place(self, device: str) -> None:
        super().place(device)
        self._encoder.place(device)

    def facts(self) -> Mapping[str, Any]:
        known = super().facts()
        return known if self._network is None else {**self._encoder.facts(), **known}
