"""A real base, SmolLM2-135M-Instruct: titles against lm-evaluation-harness, one model, one process.

Run with ``-s`` to see the figures. Observed titles of five careers, and all titles after one history.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
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
CLOSE = 5e-4  # nats, of float32: sums of eight tokens of a base of 30 layers, down to -60 nats
BATCH = 32  # of the peer


@pytest.fixture(scope="module")
def real(survey: Panel) -> Iterator[Any]:
    pytest.importorskip("lm_eval")
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    base = smollm2()
    yield study_of(survey, base.model, base.tokenizer)
    torch.set_num_threads(threads)


def compared(meter: Any, name: str, ways: tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]) -> float:
    """Times the peer's processor seconds; both must say the same. ways: this project's and the peer's."""
    ours, peer = (meter.cost(way, 1) for way in ways)
    difference = float(np.abs(ours.rows - peer.rows).max())
    ratio: float = peer.cpu / ours.cpu
    sys.stderr.write(
        f"\n{name}: {ours.cpu:.2f} processor s, lm-eval {peer.cpu:.2f}: {ratio:.1f} times; by the clock "
        f"{peer.wall / ours.wall:.1f}; largest difference {difference:.1e}\n"
    )
    assert difference < CLOSE
    return ratio


def test_all_titles_after_a_history(real: Any, meter: Any, benchmark: Benchmark) -> None:
    targets, states = real.targets[real.few], real.every_state(1)
    ways = (
        lambda: whole_rows(Reader(real.model, PAD), real.resumes(), targets).astype(np.float64),
        lambda: real.lm_eval(real.few, states, BATCH),
    )
    assert benchmark.pedantic(lambda: compared(meter, "all titles", ways), rounds=1) > 10


def test_observed_titles_of_careers(real: Any, meter: Any, benchmark: Benchmark) -> None:
    study = replace(real, targets=real.panel.transitions)  # as a task asks for them: one pass a career serves all
    everyone = np.arange(len(study.targets))
    ways = (
        lambda: Scorer(study.model, PAD).log_prob(study.resumes(), study.targets, study.observed),
        lambda: study.lm_eval(everyone, study.observed, BATCH),
    )
    assert benchmark.pedantic(lambda: compared(meter, "observed titles", ways), rounds=1) > 3
