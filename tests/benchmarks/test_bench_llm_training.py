"""Tuning on resumes: tokens per second against the Hugging Face Trainer, one model, one process, the same careers.

Run with ``-s`` to see the figures. Tokens are real ones, padding not counted. The Trainer has its usual random batches
of eight, padded; both train every weight on the tokens of titles alone. Rounds alternate, and the ratio is of medians.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness.data.sources import open_panel
from harness.panel import Panel
from harness.plugins.llm.base import train_tokenizer
from harness.plugins.llm.loader import quiet
from harness.plugins.llm.parallel import workers
from harness.plugins.llm.tokens import Resumes, encode_titles
from harness.plugins.llm.train import IGNORED, Examples, Step, adamw, batches, examples, reading

pytestmark = [pytest.mark.slow]
CAREERS, ROUNDS, THREADS, CONTEXT, RATE = 256, 3, 2, 1024, 1e-4


@pytest.fixture(scope="module")
def careers() -> Panel:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nlsy97"
    panel = open_panel(str(folder) if folder.is_dir() else "market").part("train")
    return panel.select(np.sort(np.random.default_rng(0).choice(panel.n_persons, CAREERS, replace=False)))


def llama(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 6, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, max_position_embeddings=CONTEXT, **sizes))


def ours(model: Any, of: Examples) -> float:
    """Seconds of an epoch."""
    rng = np.random.default_rng(0)
    model.train()
    with workers("cpu") as (pool, count):
        step = Step(model, adamw(list(model.parameters()), 0.01), 0, pool, count, reading(model))
        start = time.perf_counter()
        for batch in batches(of.tokens.lengths, 2048, rng):
            step(of, batch, RATE)
        return time.perf_counter() - start


def trainers(model: Any, of: Examples, folder: Path) -> float:
    """Seconds of an epoch of the peer."""
    from transformers import Trainer, TrainingArguments

    rows = []
    for i in range(len(of)):
        start, stop = of.tokens.offsets[i : i + 2]
        labels = np.where(of.counts[start:stop], of.tokens.ids[start:stop], IGNORED)
        rows.append({"input_ids": of.tokens.ids[start:stop], "labels": labels})

    def padded(some: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        width = max(len(row["input_ids"]) for row in some)
        ids, labels = np.zeros((len(some), width), np.int64), np.full((len(some), width), IGNORED)
        mask = np.zeros((len(some), width), np.int64)
        for i, row in enumerate(some):
            n = len(row["input_ids"])
            ids[i, :n], labels[i, :n], mask[i, :n] = row["input_ids"], row["labels"], 1
        return {name: torch.from_numpy(x) for name, x in zip(("input_ids", "labels", "attention_mask"),
                                                             (ids, labels, mask), strict=True)}  # fmt: skip

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=8,
        num_train_epochs=1,
        learning_rate=RATE,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=padded)  # type: ignore[arg-type]
    start = time.perf_counter()
    trainer.train()
    return time.perf_counter() - start


@pytest.mark.filterwarnings("default")
def test_tuning_is_quicker_than_the_trainers(careers: Panel, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    tokenizer = train_tokenizer(careers, 2415, CONTEXT)
    resumes = Resumes(careers, tokenizer, encode_titles(tokenizer, careers.occupations), CONTEXT)
    of = examples(resumes, "titles")
    seconds: dict[str, list[float]] = {"ours": [], "trainer": []}
    with quiet():
        for _ in range(ROUNDS):
            seconds["trainer"].append(trainers(llama(len(tokenizer)), of, tmp_path))
            seconds["ours"].append(ours(llama(len(tokenizer)), of))
        benchmark.pedantic(ours, args=(llama(len(tokenizer)), of), rounds=1)
    torch.set_num_threads(threads)
    tokens = len(of.tokens.ids)
    rate = {name: tokens / float(np.median(some)) for name, some in seconds.items()}
    ratio = rate["ours"] / rate["trainer"]
    benchmark.extra_info["ratio_to_trainer"] = ratio
    sys.stderr.write(f"\n{tokens} tokens: {rate} tokens per second, {ratio:.2f} times the Trainer's\n{seconds}\n")
    assert ratio > 1.1  # 1.31 and 1.34 were measured on two shared cores; 1.4 is what is wanted
