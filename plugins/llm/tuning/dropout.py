"""A model's dropout layers, made to draw what a step's number alone decides (``harness.training.dropout``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from harness.training.dropout import DropoutLayer, SeededDropout


@contextmanager
def dropout_by(seeded: SeededDropout, model: Any, hidden: float = 0.0) -> Iterator[None]:
    """The model's dropout layers draw from ``seeded`` meanwhile; then they are what they were, fit to be saved.

    hidden: the share of what the input embeddings give that is dropped as well, in training mode.
    """
    named = model.named_modules(remove_duplicate=False)
    own = {name: m for name, m in named if isinstance(m, torch.nn.Dropout) and m.p > 0}
    for name, module in own.items():
        model.set_submodule(name, DropoutLayer(module.p, seeded).train(module.training))
    hook = model.get_input_embeddings().register_forward_hook(
        lambda module, _, out: seeded.drop(out, hidden) if hidden and module.training else out
    )
    try:
        yield
    finally:
        hook.remove()
        for name, module in own.items():
            model.set_submodule(name, module.train(model.training))


def draws_from_torch(model: Any, seeded: SeededDropout) -> bool:
    """True where a training pass draws from the generator that all threads share (attention dropout, layer drop).

    Tried on made-up tokens: configurations say in too many ways what a model draws.
    """
    weight = model.get_input_embeddings().weight
    training = model.training
    with torch.random.fork_rng(), torch.no_grad(), seeded.seeded((0,), weight.device):
        before = torch.get_rng_state()
        model.train()
        model(input_ids=torch.arange(8, device=weight.device)[None] % weight.shape[0], use_cache=False)
        model.train(training)
        return not torch.equal(before, torch.get_rng_state())
