"""Fits that several processes make together, as functions that these import by name."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.model.contract import Context, Model
from harness.model.soft_targets import soft_targets
from harness.model.teaching import TeacherParams
from harness.panel import Corpus, Panel, pool
from harness.system import processes
from harness.training import loop, step
from helpers.panels import open_once
from helpers.toys import Frequencies, entry_of


@dataclass(frozen=True, kw_only=True)
class SharedFit:
    """A fit. killed: the process, and the number of steps after which it is. resumes: learned first, of a corpus in
    windows of about ``window`` records. also: pooled, likewise. cache: of bases; the folder's own where None."""

    panel: Panel
    folder: Path
    params: dict[str, Any]
    cache: Path | None = None
    killed: tuple[int, int] | None = None
    resumes: Panel | Corpus | None = None
    also: tuple[Panel | Corpus, ...] = ()
    window: int = 1000


def fit_career(asked: SharedFit) -> dict[str, Any]:
    """``career``, by one of the processes that do so."""
    from harness.plugins.career import stream, window
    from harness.plugins.career.model import CareerModel
    from harness.plugins.career.params import CareerParams

    stream.WINDOW, window.PIECE = asked.window, asked.window // 4  # in a process of its own
    return _fitted(CareerModel(CareerParams.model_validate(asked.params), "transformer"), asked)


def fit_llm(asked: SharedFit) -> dict[str, Any]:
    """``llm-lora``."""
    from harness.plugins.llm.model import LoraModel
    from harness.plugins.llm.params import LlmParams
    from harness.plugins.llm.tuning import streamed

    streamed.WINDOW = asked.window  # in a process of its own
    return _fitted(LoraModel(LlmParams.model_validate(asked.params)), asked)


def teach(panel: Panel, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Soft targets by frequencies, of one of the processes that make them; then the parts that it made itself."""
    scratch = folder / str(processes.rank())
    scratch.mkdir(parents=True)
    teacher = entry_of(Frequencies, name="frequencies").item
    context = Context(seed=1, scratch=scratch, cache=folder, teacher=teacher, shared=processes.count() > 1)
    found = soft_targets(TeacherParams(teacher="frequencies"), panel, panel, context)
    assert found is not None
    return vars(found), sorted(path.name for path in scratch.glob("*.npy"))


def _fitted(model: Model, asked: SharedFit) -> dict[str, Any]:
    """Of one process: facts, rows of the test split, the steps that it made, and those of them that were in shards."""
    rank, plain, done, shards = processes.rank(), step.take_step, [0], [0]

    def counted(*given: Any, **named: Any) -> float:
        if (rank, done[0]) == asked.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        done[0] += 1
        shards[0] += named["how"].sharded
        return plain(*given, **named)

    loop.take_step = counted  # type: ignore[attr-defined]  # in a process of its own
    scratch = asked.folder / "scratch" if rank == 0 else asked.folder / f"other {rank}"
    scratch.mkdir(parents=True, exist_ok=True)
    context = Context(
        seed=3,
        scratch=scratch,
        cache=asked.cache or asked.folder / "cache",
        shared=processes.count() > 1,
        also=pool(asked.panel, asked.also),
        resumes=asked.resumes,
        open_panel=open_once,
    )
    model.fit(asked.panel.part("train"), asked.panel.part("valid"), context)
    test = asked.panel.part("test")
    later = test.transitions
    states = np.broadcast_to(np.arange(test.n_states), (len(later), test.n_states))
    rows = model.log_prob(test, later, states)
    return {"facts": dict(model.facts()), "rows": rows, "steps": done[0], "shards": shards[0]}
