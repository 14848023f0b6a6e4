"""A real base, SmolLM2-135M-Instruct: titles against lm-evaluation-harness, one model, one process.

Run with ``-s`` to see the figures. Observed titles of five careers, and all titles after one history. Both read in
float32; the same model in float64 says how far each is off.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.conftest import PAD, THREADS, study_of
from helpers.bases import smollm2
from helpers.timing import Benchmark

from harness.panel import Panel
from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.choice_sets import whole_rows
from harness.plugins.llm.scoring.reader import Reader

pytestmark = [pytest.mark.slow, pytest.mark.survey]
CLOSE = 1e-4  # nats, of float32 to float64
SAME = 1e-3  # nats, of the peer
BATCH = 32  # of the peer


@dataclass(frozen=True, kw_only=True)
class Ways:
    """The ways to the same log-probabilities: this project's, the peer's, and in float64."""

    ours: Callable[[], np.ndarray]
    peer: Callable[[], np.ndarray]
    exact: Callable[[], np.ndarray]


@pytest.fixture(scope="module")
def real(survey: Panel) -> Iterator[Any]:
    pytest.importorskip("lm_eval")
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    base = smollm2()
    yield study_of(survey, base.model, base.tokenizer)
    torch.set_num_threads(threads)


def compared(meter: Any, name: str, ways: Ways) -> float:
    """Times the peer's processor seconds; both must say what the model says in float64."""
    ours, peer = meter.cost(ways.ours, 1), meter.cost(ways.peer, 1)
    exact = ways.exact()
    off, others = (float(np.abs(rows - exact).max()) for rows in (ours.rows, peer.rows))
    ratio: float = peer.cpu / ours.cpu
    sys.stderr.write(
        f"\n{name}: {ours.cpu:.2f} processor s, lm-eval {peer.cpu:.2f}: {ratio:.1f} times; by the clock "
        f"{peer.wall / ours.wall:.1f}; largest difference to float64 {off:.1e}, of lm-eval {others:.1e}, "
        f"between the two {np.abs(ours.rows - peer.rows).max():.1e}\n"
    )
    assert off < CLOSE
    assert others < SAME
    return ratio


def test_all_titles_after_a_history(real: Any, meter: Any, benchmark: Benchmark) -> None:
    targets, states = real.targets[real.few], real.every_state(1)

    def ours(model: Any) -> np.ndarray:
        return whole_rows(Reader(model, PAD), real.resumes(), targets).astype(np.float64)

    ways = Ways(
        ours=lambda: ours(real.model),
        peer=lambda: real.lm_eval(real.few, states, BATCH),
        exact=lambda: ours(deepcopy(real.model).double()),
    )
    assert benchmark.pedantic(lambda: compared(meter, "all titles", ways), rounds=1) > 10


def test_observed_titles_of_careers(real: Any, meter: Any, benchmark: Benchmark) -> None:
    study = replace(real, targets=real.panel.transitions)  # as a task asks for them: one pass a career serves all
    everyone = np.arange(len(study.targets))

    def ours(model: Any) -> np.ndarray:
        return Scorer(model, PAD).log_prob(study.resumes(), study.targets, study.observed)

    ways = Ways(
        ours=lambda: ours(study.model),
        peer=lambda: study.lm_eval(everyone, study.observed, BATCH),
        exact=lambda: ours(deepcopy(study.model).double()),
    )
    assert benchmark.pedantic(lambda: compared(meter, "observed titles", ways), rounds=1) > 3
