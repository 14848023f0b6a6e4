"""Fits that several processes make together, as functions that these import by name."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.model.contract import Context
from harness.panel import Corpus, Panel
from harness.plugins.career.model import CareerModel
from harness.plugins.career.params import CareerParams
from harness.system import processes
from harness.training import loop, step


@dataclass(frozen=True, kw_only=True)
class SharedFit:
    """A fit of ``career``. killed: the process and the number of steps after which it is; resumes: learned first."""

    panel: Panel
    folder: Path
    params: dict[str, Any]
    killed: tuple[int, int] | None = None
    resumes: Panel | Corpus | None = None


def fit_career(asked: SharedFit) -> dict[str, Any]:
    """Of one process: facts, rows of the test split, and the number of steps that it made."""
    rank, plain, done = processes.rank(), step.take_step, [0]

    def counted(*given: Any, **named: Any) -> float:
        if (rank, done[0]) == asked.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        done[0] += 1
        return plain(*given, **named)

    loop.take_step = counted  # type: ignore[attr-defined]  # in a process of its own
    scratch = asked.folder / "scratch" if rank == 0 else asked.folder / f"other {rank}"
    scratch.mkdir(parents=True, exist_ok=True)
    model = CareerModel(CareerParams.model_validate(asked.params), "transformer")
    shared = processes.count() > 1
    context = Context(seed=3, scratch=scratch, cache=asked.folder / "cache", shared=shared, resumes=asked.resumes)
    model.fit(asked.panel.part("train"), asked.panel.part("valid"), context)
    test = asked.panel.part("test")
    later = test.transitions
    states = np.broadcast_to(np.arange(test.n_states), (len(later), test.n_states))
    return {"facts": dict(model.facts()), "rows": model.log_prob(test, later, states), "steps": done[0]}
