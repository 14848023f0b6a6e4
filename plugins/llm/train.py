"""What pre-training and fine-tuning share: examples, batches of similar length, one optimiser step."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from harness.plugins.llm.distributed import ALONE, Together
from harness.plugins.llm.score import ranges
from harness.plugins.llm.tokens import Ragged, Resumes
from harness.types import BoolArray, IntArray

if TYPE_CHECKING:
    import torch

Loss = Literal["titles", "all"]
# (model, ids [B, L], bool [B, L]) -> logits [c, V] at the c places that count.
Reading: TypeAlias = "Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]"
IGNORED = -100  # what torch's cross entropy takes for "no target here"


@dataclass(frozen=True)
class Examples:
    """W token sequences, and which tokens count in the loss: bool [tokens]."""

    tokens: Ragged
    counts: BoolArray

    def __len__(self) -> int:
        return len(self.tokens)


def examples(resumes: Resumes, loss: Loss) -> Examples:
    """All careers of a panel, every record a target. loss: count all tokens, or titles and their delimiters."""
    windows = resumes.windows(np.arange(resumes.panel.n_records, dtype=np.int64), end=loss == "all")
    counts = np.full(len(windows.tokens.ids), loss == "all")
    start = windows.tokens.offsets[windows.window] + windows.at + 1
    counts[ranges(start, resumes.events.lengths[resumes.panel.state[windows.target]])] = True
    return Examples(windows.tokens, counts)


def batches(lengths: IntArray, batch_tokens: int, rng: np.random.Generator) -> list[IntArray]:
    """One epoch: every sequence once, in batches of similar length of at most ``batch_tokens``, padding included."""
    # A random tenth of noise on the length, so that the same sequences do not meet in every epoch.
    order = np.argsort(lengths * rng.uniform(0.95, 1.05, len(lengths)), kind="stable")
    found: list[IntArray] = []
    start, widest = 0, 0
    for i, sequence in enumerate(order):
        widest = max(widest, int(lengths[sequence]))
        if i > start and widest * (i - start + 1) > batch_tokens:
            found.append(order[start:i])
            start, widest = i, int(lengths[sequence])
    if len(order):
        found.append(order[start:])
    return [found[i] for i in rng.permutation(len(found))]


@dataclass(frozen=True)
class _Share:
    """What one worker makes of its part of a batch: sums over the tokens that count, and how many they are."""

    loss: float
    counted: int
    gradients: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Step:
    """One optimiser step on one batch after another, each batch shared among processes and threads."""

    model: Any
    optimizer: torch.optim.Optimizer
    pad: int
    pool: Executor
    workers: int
    read: Reading
    clip: float = 1.0
    together: Together = ALONE

    def __call__(self, of: Examples, batch: IntArray, learning_rate: float) -> float:
        """Train on these sequences; the loss, in nats a counted token."""
        import torch

        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group.get("factor", 1.0)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        # Neighbours in length go to different workers, so that all have about the same to do.
        batch = self.together.share(batch)
        parts = [batch[i :: self.workers] for i in range(min(self.workers, len(batch)))]
        shares = list(self.pool.map(lambda part: self._gradients(of, part, parameters), parts))
        gradients = [
            torch.stack([share.gradients[i] for share in shares]).sum(0) if shares else torch.zeros_like(parameter)
            for i, parameter in enumerate(parameters)
        ]
        own = (sum(share.loss for share in shares), sum(share.counted for share in shares))
        loss, counted = self.together.sum(gradients, *own)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.div_(max(counted, 1))
        torch.nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss / max(counted, 1))

    def _gradients(self, of: Examples, part: IntArray, parameters: list[torch.nn.Parameter]) -> _Share:
        import torch

        ids, labels = self._tensors(of, part)
        counts = labels != IGNORED
        logits = self.read(self.model, ids, counts)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[counts], reduction="sum")
        gradients = torch.autograd.grad(loss, parameters)  # returned, not added up in place: threads do not meet
        return _Share(float(loss.detach()), int(counts.sum()), gradients)

    def _tensors(self, of: Examples, batch: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
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
        return torch.from_numpy(ids).to(device), torch.from_numpy(labels).to(device)


def reading(model: Any) -> Reading:
    """How this model's logits are had where tokens count, and nowhere else.

    The output head is a fifth of the work of a small model, and most tokens of a resume are no title's. Where hidden
    states and head alone do not give the model's own logits (some scale or cap them; tried once, on made-up tokens),
    the head runs everywhere.
    """
    import torch

    weight = model.get_input_embeddings().weight
    ids = torch.arange(1, 9, device=weight.device)[None] % weight.shape[0]
    counts = torch.ones_like(ids, dtype=torch.bool)
    training = model.training
    with torch.inference_mode():
        model.eval()
        try:
            same = torch.allclose(_read_there(model, ids, counts), _read_everywhere(model, ids, counts), atol=1e-5)
        except (AttributeError, TypeError, RuntimeError):
            same = False
        model.train(training)
    return _read_there if same else _read_everywhere


def _read_everywhere(model: Any, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    # No mask: attention is causal, and padding stands on the right, where nothing that counts can see it.
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[counts]
    return logits


def _read_there(model: Any, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.base_model(input_ids=ids, use_cache=False).last_hidden_state[counts]
    logits: torch.Tensor = causal.get_output_embeddings()(hidden)
    return logits


def adamw(parameters: list[torch.nn.Parameter], weight_decay: float, beta_2: float = 0.95) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), without decay on vectors (norms, biases)."""
    import torch

    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, betas=(0.9, beta_2), fused=True)


def uses_dropout(model: Any) -> bool:
    """Whether a training pass draws random numbers."""
    import torch

    config = model.config.to_dict()
    in_attention = any(config.get(name) for name in ("attention_dropout", "attn_pdrop"))
    return in_attention or any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in model.modules())
