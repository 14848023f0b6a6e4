"""Examples for pre-training and fine-tuning, and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from harness.plugins.llm.scoring.head import Reading
from harness.plugins.llm.text.pieces import Ragged, ranges
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.packing import packed_inputs
from harness.plugins.llm.tuning.precision import products_in
from harness.training.step import LossOf
from harness.types import BoolArray, IntArray

Loss = Literal["titles", "all"]
IGNORED = -100  # what torch's cross entropy takes for "no target here"


@dataclass(frozen=True)
class Examples:
    """W token sequences, and which tokens count in the loss: bool [tokens]."""

    tokens: Ragged
    counts: BoolArray

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def joined(cls, parts: Sequence[Examples]) -> Examples:
        """Those of several panels, one after another."""
        return cls(Ragged.joined([part.tokens for part in parts]), np.concatenate([part.counts for part in parts]))


def examples(resumes: Resumes, loss: Loss) -> Examples:
    """All careers of a panel, every record a target. loss: count all tokens, or titles and their delimiters."""
    windows = resumes.windows(np.arange(resumes.panel.n_records, dtype=np.int64), end=loss == "all")
    counts = np.full(len(windows.tokens.ids), loss == "all")
    start = windows.tokens.offsets[windows.window] + windows.at + 1
    counts[ranges(start, resumes.events.lengths[resumes.panel.state[windows.target]])] = True
    return Examples(windows.tokens, counts)


@dataclass(frozen=True, kw_only=True)
class TokenLoss:
    """The loss of token sequences under a causal language model.

    pad: any token id. read: how its logits are had. packed: sequences stand in one row, inside ``packed_attention``.
    products: the type that matrix products are computed in; None: float32.
    """

    model: Any
    pad: int
    read: Reading
    packed: bool = False
    products: torch.dtype | None = None

    def of(self, examples: Examples) -> LossOf:
        """The loss of some of these sequences, int64 [b]: the sum in nats, and the number of tokens in it."""
        return lambda part: self._loss(examples, part)

    def _loss(self, of: Examples, part: IntArray) -> tuple[torch.Tensor, int]:
        """The sum over the tokens that count, and how many they are."""
        ids, labels, extra = self._in_a_row(of, part) if self.packed else self._padded(of, part)
        counts = labels != IGNORED
        with products_in(self.products, ids.device):
            logits = self.read(self.model, ids, counts, **extra)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[counts], reduction="sum")
        return loss, int(counts.sum())

    def _in_a_row(self, of: Examples, batch: IntArray) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
        """As ``_padded``, of one row, int64 [1, L], and all that the model must know of it."""
        lengths = of.tokens.lengths[batch]
        source = ranges(of.tokens.offsets[:-1][batch], lengths)
        ids = of.tokens.ids[source]
        labels = np.full_like(ids, IGNORED)
        labels[:-1] = np.where(of.counts[source], ids, IGNORED)[1:]
        labels[np.cumsum(lengths) - 1] = IGNORED  # what follows is another career
        device = self.model.get_input_embeddings().weight.device
        row, wanted = (torch.from_numpy(x)[None].to(device) for x in (ids, labels))
        return row, wanted, packed_inputs(lengths, device)

    def _padded(self, of: Examples, batch: IntArray) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
        """int64 [B, L] twice: the tokens, and at each place the token that follows it, where that one counts."""
        lengths = of.tokens.lengths[batch]
        width = int(lengths.max())
        inside = np.arange(width) < lengths[:, None]
        source = ranges(of.tokens.offsets[:-1][batch], lengths)
        ids = np.full(inside.shape, self.pad, dtype=np.int64)
        ids[inside] = of.tokens.ids[source]
        following = np.full(inside.shape, IGNORED, dtype=np.int64)
        following[inside] = np.where(of.counts[source], of.tokens.ids[source], IGNORED)
        labels = np.full_like(following, IGNORED)
        labels[:, :-1] = following[:, 1:]
        device = self.model.get_input_embeddings().weight.device
        return torch.from_numpy(ids).to(device), torch.from_numpy(labels).to(device), {}
