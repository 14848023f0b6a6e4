"""A frozen language model that reads careers: its hidden state at each line head, where the title is predicted.

At that token the model has read the header, the whole history and the target's year and covariates, and nothing that
comes after: attention is causal, and the title stands behind it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.base.content import base_content
from harness.plugins.llm.base.kept import keep_base, kept_base
from harness.plugins.llm.base.opening import open_named
from harness.plugins.llm.params import ReadingParams, options_of
from harness.plugins.llm.text.loader import context_length, weights_of
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import resume_text
from harness.plugins.llm.text.tokenizer_audit import audit
from harness.plugins.llm.text.tokens import Resumes
from harness.system.files import replacing
from harness.system.progress import Progress, Silent
from harness.training.cached_base import base_key
from harness.training.workers import workers
from harness.types import FloatArray, IntArray

TOKENS_AT_ONCE = 2048  # padding included: the states of 31 layers of 576 are then 146 MB
PERSONS_A_FILE = 32  # whose states are kept in one file; a killed reading goes on behind the last one
KIND = "llm-states"  # the folder of the cache


@dataclass(frozen=True)
class WindowBatch:
    """Careers that are read at once. ids: int64 [c, L], padded. row, at: int64 [r], the tokens whose states are wanted.

    output: int64 [r], where they go.
    """

    ids: IntArray
    row: IntArray
    at: IntArray
    output: IntArray


@dataclass
class RecentStates:
    """The states that were read of one panel. place: int64 [N], row of each target record in the one of ``parts``."""

    fingerprint: str
    place: IntArray
    parts: list[FloatArray] = field(default_factory=list)


class CareerReader:
    """A language model as it comes, asked for its hidden states.

    layers: shares of its depth, in (0, 1]: 1 is the last layer, after its norm, which the output head reads.
    """

    def __init__(self, p: ReadingParams, layers: Sequence[float]) -> None:
        self.params, self.layers = p, tuple(layers)
        self.label = ""
        self._model: Any = None
        self._pieces: PieceEncoder | None = None
        self._digest = ""
        self._device = "cpu"
        self._recent: RecentStates | None = None

    def open(self, context: Context) -> None:
        """Open the base that the parameters name. RequestError where there is none."""
        base = open_named(self.params, context)
        self._device = context.device
        self._begin(base.model, base.tokenizer, base.label)

    def _begin(self, model: Any, tokenizer: Any, label: str) -> None:
        self._digest = digest_of(model, tokenizer)
        self._model = model.requires_grad_(False).eval().to(self._device)
        self._pieces, self.label = PieceEncoder(tokenizer), label

    @property
    def parameters(self) -> int:
        """Number of weights of the base."""
        return sum(x.numel() for x in self._model.parameters())

    def save(self, folder: Path) -> None:
        """Keep what no name brings back, in an empty folder: the builtin base, whole."""
        if self.params.base != "builtin":
            return
        keep_base(folder, self._model.config, weights_of(self._model), self._encoder().tokenizer)

    def load(self, folder: Path, content: Mapping[str, str], label: str) -> None:
        """Open the base again: what ``save`` kept, or by its name.

        content: of the base, as ids had it (``content``). RequestError where its name stands for another one now.
        """
        base = kept_base(folder, self.params, content)
        self._begin(base.model, base.tokenizer, label)

    def place(self, device: str) -> None:
        """Read on this device from now on."""
        self._device = device
        if self._model is not None:
            self._model = self._model.to(device)

    def content(self) -> dict[str, str]:
        """Digests of what the parameters only name, as ids have them."""
        return dict(base_content(self.params))

    def require_readable(self, panel: Panel) -> None:
        """RequestError where the base's tokenizer loses a part of the panel's text."""
        audit(self._encoder().tokenizer, resume_text(panel, options_of(self.params)))

    def resumes(self, panel: Panel) -> Resumes:
        """The panel's careers as token ids."""
        context = min(context_length(self._model), self.params.max_context or 2**31)
        return Resumes(panel=panel, pieces=self._encoder(), context=context, options=options_of(self.params))

    def states(self, panel: Panel, targets: IntArray, progress: Progress | None = None) -> FloatArray:
        """float32 [layers, n, width]: the state at the line head of each target record (int64 [n], in any order)."""
        distinct, place = np.unique(targets, return_inverse=True)
        width = int(self._model.get_input_embeddings().weight.shape[1])
        found: FloatArray | None = None
        batches = list(self._batches(self.resumes(panel), distinct)) if len(distinct) else []
        with (progress or Silent()).bar("reading careers", len(batches)) as bar, workers(self._device) as (pool, _):
            for batch, states in zip(batches, pool.map(self._read, batches), strict=True):
                if found is None:  # some models' hidden states are wider than their embeddings
                    found = np.empty((len(self.layers), len(distinct), states.shape[2]), dtype=np.float32)
                found[:, batch.output] = states
                bar.advance()
        found = np.zeros((len(self.layers), 0, width), dtype=np.float32) if found is None else found
        return found[:, place.reshape(-1)]

    def at_layer(self, layer: float) -> CareerReader:
        """The same base, read at one depth."""
        other = copy(self)
        other.layers, other._recent = (layer,), None
        return other

    def remembered(self, panel: Panel, targets: IntArray) -> FloatArray:
        """float32 [n, width]: the states of the first of the layers; of the last panel asked about, read once."""
        if self._recent is None or self._recent.fingerprint != panel.fingerprint():
            self._recent = RecentStates(panel.fingerprint(), np.full(panel.n_records, -1, dtype=np.int64))
        recent = self._recent
        new = np.unique(targets[recent.place[targets] < 0])
        if len(new):
            recent.place[new] = sum(map(len, recent.parts)) + np.arange(len(new))
            recent.parts[:] = [np.concatenate([*recent.parts, self.states(panel, new)[0]])]
        return recent.parts[0][recent.place[targets]]

    def kept_states(self, panel: Panel, context: Context) -> FloatArray:
        """float32 [layers, T, width]: the states of all transitions of a panel, from the cache where they are there.

        Files are named by all that decides what is in them (base, text, careers, code), so models that read the same
        careers share them.
        """
        starts = range(0, panel.n_persons, PERSONS_A_FILE)
        folder = context.cache / KIND
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        with context.progress.bar(f"careers that {self.label} reads", panel.n_persons) as bar:
            for start in starts:
                part = panel.select(np.arange(start, min(start + PERSONS_A_FILE, panel.n_persons)))
                parts.append(self._kept(part, folder))
                bar.advance(part.n_persons)
        return np.concatenate(parts, axis=1)

    def _kept(self, part: Panel, folder: Path) -> FloatArray:
        """As ``kept_states``, of the persons of one file a layer."""
        layers = {layer: folder / f"{self._key(part)}-{self.index(layer)}.npy" for layer in self.layers}
        if not all(file.is_file() for file in layers.values()):
            for file, states in zip(layers.values(), self.states(part, part.transitions), strict=True):
                with replacing(file) as draft, draft.open("wb") as out:
                    np.save(out, states, allow_pickle=False)
        return np.stack([np.load(file, mmap_mode="r", allow_pickle=False) for file in layers.values()])

    def _key(self, part: Panel) -> str:
        options = (options_of(self.params), self.params.max_context)
        return base_key(__name__, options, self._digest, part.fingerprint())

    def index(self, layer: float) -> int:
        """Number of the layer, 1 the first, at this share of the depth."""
        return max(1, round(layer * int(self._model.config.get_text_config().num_hidden_layers)))

    def _batches(self, resumes: Resumes, targets: IntArray) -> Iterator[WindowBatch]:
        """All windows, those of similar length together, each up to the last line head asked about."""
        windows = resumes.windows(targets)
        order = np.argsort(windows.window, kind="stable")
        edges = np.searchsorted(windows.window[order], np.arange(len(windows.tokens) + 1))
        length = np.zeros(len(windows.tokens), dtype=np.int64)
        np.maximum.at(length, windows.window, windows.at + 1)
        some: list[int] = []
        by_length = np.argsort(length, kind="stable").tolist()
        for window in [*by_length, None]:
            if some and (window is None or (len(some) + 1) * length[window] > TOKENS_AT_ONCE):
                ids = np.full((len(some), int(length[some].max())), self._pad(), dtype=np.int64)
                outputs = [order[edges[w] : edges[w + 1]] for w in some]
                for i, w in enumerate(some):
                    ids[i, : length[w]] = windows.tokens[w][: length[w]]
                output = np.concatenate(outputs)
                row = np.repeat(np.arange(len(some)), [len(of) for of in outputs])
                yield WindowBatch(ids, row, windows.at[output], output)
                some = []
            if window is not None:
                some.append(window)

    def _read(self, batch: WindowBatch) -> FloatArray:
        """float32 [layers, r, width]"""
        ids, row, at = (torch.from_numpy(x).to(self._device) for x in (batch.ids, batch.row, batch.at))
        with torch.inference_mode():
            # No mask: attention is causal, and padding stands on the right, where nothing that is asked for sees it.
            read = self._model.base_model(input_ids=ids, use_cache=False, output_hidden_states=True)
            found = [read.hidden_states[self.index(layer)][row, at].float().cpu().numpy() for layer in self.layers]
        return np.stack(found)

    def _encoder(self) -> PieceEncoder:
        if self._pieces is None:
            raise AssertionError("asked before the base was opened")
        return self._pieces

    def _pad(self) -> int:
        """Any token will do: nothing that is read ever sees the padding."""
        return int(self._encoder().tokenizer.pad_token_id or 0)


def digest_of(model: Any, tokenizer: Any) -> str:
    """64 hexadecimal digits of SHA-256 over a base's weights, its shape, and its tokenizer."""
    shape = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    found = hashlib.sha256(repr(sorted(shape.items(), key=str)).encode())
    found.update(tokenizer.backend_tokenizer.to_str().encode() if tokenizer.is_fast else repr(tokenizer).encode())
    found.update(repr(tokenizer.bos_token_id).encode())
    for name, value in sorted(weights_of(model).items()):
        found.update(name.encode())
        found.update(np.ascontiguousarray(value.detach().cpu().float().numpy()).tobytes())
    return found.hexdigest()
