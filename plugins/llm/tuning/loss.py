"""What pre-training and fine-tuning share: examples, and one optimiser step."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.plugins.llm.scoring.head import Reading
from harness.plugins.llm.text.tokens import Ragged, Resumes, ranges
from harness.plugins.llm.tuning.packing import packed_inputs
from harness.plugins.llm.tuning.precision import products_in
from harness.training.distributed import ALONE, Together
from harness.training.dropout import Draws
from harness.training.step import Stepping, take_step
from harness.types import BoolArray, IntArray

if TYPE_CHECKING:
    import torch

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


@dataclass(frozen=True)
class Step:
    """One optimiser step on one batch after another, each batch shared among processes and ``workers`` threads.

    draws: what the model's dropout layers draw from, if it has any. packed: sequences stand in one row, inside
    ``packed_attention``. products: what matrix products are computed in; None: float32. together: the processes.
    """

    model: Any
    optimizer: torch.optim.Optimizer
    pad: int
    pool: Executor
    workers: int
    read: Reading
    clip: float = 1.0
    draws: Draws = field(default_factory=Draws)
    packed: bool = False
    products: torch.dtype | None = None
    together: Together = ALONE

    def __call__(self, of: Examples, batch: IntArray, learning_rate: float, key: tuple[int, ...] = ()) -> float:
        """Train on these sequences; the loss, in nats a counted token. key: decides, alone, what is drawn at random."""
        how = Stepping(self.pool, self.workers, self.clip, self.draws, self.together)
        return take_step(self.optimizer, lambda part: self._loss(of, part), batch, learning_rate, how, key)

    def _loss(self, of: Examples, part: IntArray) -> tuple[torch.Tensor, int]:
        """The sum over the tokens that count, and how many they are."""
        import torch

        ids, labels, extra = self._in_a_row(of, part) if self.packed else self._padded(of, part)
        counts = labels != IGNORED
        with products_in(self.products, ids.device):
            logits = self.read(self.model, ids, counts, **extra)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[counts], reduction="sum")
        return loss, int(counts.sum())

    def _in_a_row(self, of: Examples, batch: IntArray) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
        """As ``_padded``, of one row, int64 [1, L], and what the model must know of it."""
        import torch

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
        import torch

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
