"""Single steps of training a language model, as the loop makes them."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np

from harness.plugins.llm.tuning.loss import Examples, TokenLoss
from harness.training.step import Stepping, take_step

ENDLESS = 1e9  # a norm that no gradient is clipped at


def one_step(
    loss: TokenLoss,
    optimizer: Any,
    of: Examples,
    pool: Executor,
    workers: int,
    *,
    key: tuple[int, ...] = (),
    **how: Any,
) -> float:
    """Learn from all of these sequences at a rate of zero; the loss, in nats a counted token."""
    stepping = Stepping(pool=pool, workers=workers, clip=ENDLESS, **how)
    return take_step(optimizer, loss.of(of), np.arange(len(of)), 0.0, stepping, key)
