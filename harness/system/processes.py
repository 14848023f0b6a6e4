"""The processes of one launch (``torchrun``, ``accelerate launch --multi_gpu``): their number, this one's rank, answers
that they agree on.

A launcher says so in RANK, LOCAL_RANK and WORLD_SIZE. Without them, this process is alone, and the main one.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.types import FloatArray

# Others wait while the main process makes a base or scores; a failure ends them through the launcher, not by this.
LONGEST_WAIT = timedelta(days=30)


def count() -> int:
    """Number of processes that were launched together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def rank() -> int:
    """Number of this process among them, from 0."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def local_rank() -> int:
    """Number of this process among those on this machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0")) if count() > 1 else 0


def is_main() -> bool:
    """True in the process that scores, writes records and prints."""
    return rank() == 0


def init_group() -> Any:
    """``torch.distributed``, with the group of all processes of the launch open: gloo, and nccl between GPUs."""
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    return distributed


def broadcast(answer: bool) -> bool:
    """The main process's answer, in every process; all of them must ask."""
    import torch

    received = torch.tensor(int(answer))
    init_group().broadcast(received, 0)
    return bool(received)


def agreed(answer: bool, together: bool) -> bool:
    """The answer; of several processes that go on together, in every one the main process's."""
    return broadcast(answer) if together and count() > 1 else answer


def total(value: float) -> float:
    """The sum of every process's value, in every process; all of them must ask."""
    import torch

    summed = torch.tensor(value, dtype=torch.float64)
    init_group().all_reduce(summed)
    return float(summed)


def summed(values: FloatArray) -> FloatArray:
    """The sum of every process's array, of one shape and type, in every process; all of them must ask."""
    import torch

    received = torch.from_numpy(values.copy())
    init_group().all_reduce(received)
    found: FloatArray = received.numpy()
    return found


def close_group() -> None:
    """Close what ``init_group`` opened, where it did."""
    if "torch.distributed" in sys.modules:
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()
