"""CAREER: training tokens per second and peak memory against a plain TransformerEncoder, and scoring of a whole split.

Run with ``-s`` to see the figures. The peer is what one writes first: ``torch.nn.TransformerEncoder`` on random batches
of careers padded to the longest; the same embeddings, layers, optimiser and two-stage likelihood, every state scored at
every place. Both have the published head, start from the same weights and see the same careers in the same batches;
with nothing dropped their losses agree step by step. They are timed as they train, a tenth dropped, each in the places
where its layers drop. Rounds alternate; a ratio is of medians.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.paths import SURVEY
from helpers.timing import Benchmark
from torch import nn

from harness import open_panel
from harness.features.encoding import Encoding
from harness.features.selection import names_of
from harness.network.head import HeadShape
from harness.network.layers import Shape, sinusoids
from harness.network.start import start_of
from harness.network.transitions import TransitionTable
from harness.panel.careers import Panel
from harness.plugins.career.model import CareerModel
from harness.plugins.career.network import Network, NetworkPlan
from harness.plugins.career.params import CareerParams
from harness.training.batch_order import batches
from harness.training.optimizer import adamw
from harness.training.step import Stepping, take_step
from harness.training.workers import workers

pytestmark = [pytest.mark.slow]
CAREERS, ROUNDS, THREADS, TOKENS, RATE = 1024, 3, 2, 2048, 1e-3
SIZES = {"survey": Shape("transformer", 2, 64, 2, 256), "paper": Shape("transformer", 12, 192, 3, 768)}


class Plain(nn.Module):
    """The peer: the same weights under torch's own names, and everything computed everywhere."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        shape = network.plan.shape
        drop = shape.dropout
        layer = nn.TransformerEncoderLayer(
            shape.width, shape.heads, shape.inner, drop, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, shape.layers, nn.LayerNorm(shape.width), enable_nested_tensor=False)
        self.own, self.columns, self.out = network.states.own, network.columns, network.head.states.own
        self.bias = network.head.bias
        self.register_buffer("start", network.head.start)
        theirs = self.encoder.layers
        for block, other in zip(network.reader.blocks, theirs, strict=True):
            names = {
                "self_attn.in_proj_weight": block.qkv.weight,
                "self_attn.in_proj_bias": block.qkv.bias,
                **{f"self_attn.out_proj.{k}": v for k, v in block.out.named_parameters()},
                **{f"linear1.{k}": v for k, v in block.up.named_parameters()},
                **{f"linear2.{k}": v for k, v in block.down.named_parameters()},
                **{f"norm1.{k}": v for k, v in block.norm_1.named_parameters()},
                **{f"norm2.{k}": v for k, v in block.norm_2.named_parameters()},
            }
            other.load_state_dict({name: tensor.detach() for name, tensor in names.items()})

    def forward(self, origin: Any, target: Any, columns: Any, real: Any) -> torch.Tensor:
        """Mean -ln P over the real places; int64 [B, L] twice, float [B, L, c], bool [B, L]."""
        length = origin.shape[1]
        position = sinusoids(torch.arange(length), self.own.shape[1])
        x = self.own[origin] + self.columns(columns) + 0.02 * position
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.encoder(x, mask=mask, src_key_padding_mask=torch.zeros_like(mask[0]).where(real, float("-inf")))
        z = hidden @ self.out.T + self.start + self.bias
        stay = z.gather(2, origin[..., None])[..., 0]
        elsewhere = z.scatter(2, origin[..., None], float("-inf")).log_softmax(2)
        where = elsewhere.gather(2, target[..., None])[..., 0]
        moved = target != origin
        log_prob = torch.where(
            moved, nn.functional.logsigmoid(-stay) + where.where(moved, 0.0), nn.functional.logsigmoid(stay)
        )
        return -log_prob[real].sum()


@pytest.fixture(scope="module")
def train() -> Panel:
    panel = open_panel(SURVEY if SURVEY.is_dir() else "market").part("train")
    return panel.select(np.sort(np.random.default_rng(0).choice(panel.n_persons, CAREERS, replace=False)))


def network_of(size: str, panel: Panel, encoding: Encoding, dropout: float) -> Network:
    torch.manual_seed(0)
    shape = replace(SIZES[size], dropout=dropout)
    network = Network(NetworkPlan(shape, HeadShape(), columns=encoding.width), start_of(panel))
    assert network.head.states is not None
    nn.init.normal_(network.head.states.own, std=0.2)  # so that what is read matters
    return network.train()


def padded(tokens: TransitionTable, careers: np.ndarray) -> tuple[torch.Tensor, ...]:
    lengths = tokens.lengths[careers]
    real = np.arange(lengths.max()) < lengths[:, None]
    rows = np.concatenate([np.arange(tokens.offsets[c], tokens.offsets[c + 1]) for c in careers])
    found = []
    for values in (tokens.origin, tokens.target, tokens.columns):
        table = np.zeros((*real.shape, *values.shape[1:]), dtype=values.dtype)
        table[real] = values[rows]
        found.append(torch.from_numpy(table))
    return (*found, torch.from_numpy(real))


def epoch_of_ours(network: Network, tokens: TransitionTable, order: list[np.ndarray]) -> list[float]:
    def loss_of(part: np.ndarray) -> tuple[torch.Tensor, int]:
        batch = tokens.batch(part)
        return -network(batch).sum(), len(batch.origin)

    optimizer = adamw(list(network.parameters()), 0.01, 0.98)
    with workers("cpu") as (pool, count):
        how = Stepping(pool=pool, workers=count, dropout=network.dropout)
        return [take_step(optimizer, loss_of, batch, RATE, how, (0, i)) for i, batch in enumerate(order)]


def epoch_of_peer(plain: Plain, tokens: TransitionTable, order: list[np.ndarray]) -> list[float]:
    optimizer = adamw(list(plain.parameters()), 0.01, 0.98)
    for group in optimizer.param_groups:
        group["lr"] = RATE
    losses = []
    for careers in order:
        loss = plain(*padded(tokens, careers)) / int(tokens.lengths[careers].sum())
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("size", list(SIZES))
def test_training_is_quicker_than_with_padded_batches(
    size: str, train: Panel, meter: Any, benchmark: Benchmark
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    encoding = Encoding.fit(train, names_of(train, "covariates"))
    some = train if size == "survey" else train.select(np.arange(128))
    tokens = TransitionTable.of(some, encoding)
    order = batches(tokens.lengths, TOKENS, np.random.default_rng(0), packed=True)

    def ours(dropout: float = 0.1) -> list[float]:
        return epoch_of_ours(network_of(size, train, encoding, dropout), tokens, order)

    def peers(dropout: float = 0.1) -> list[float]:
        return epoch_of_peer(Plain(network_of(size, train, encoding, dropout)).train(), tokens, order)

    np.testing.assert_allclose(ours(0.0), peers(0.0), rtol=2e-3)  # equal loss, step by step
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    processor = float("inf")  # seconds of an epoch of ours
    for _ in range(ROUNDS):
        for name, way in (("ours", ours), ("peer", peers)):
            start, spent = time.perf_counter(), time.process_time()
            way()
            seconds[name].append(time.perf_counter() - start)
            processor = min(processor, time.process_time() - spent) if name == "ours" else processor
    of_layers = [p for name, p in network_of(size, train, encoding, 0.1).named_parameters() if "blocks." in name]
    weights = sum(p.numel() for p in of_layers if p.ndim == 2)
    share = 6 * weights * len(tokens) / processor / meter.matrix_rate()
    memory = {"ours": meter.peak(ours), "peer": meter.peak(peers)}
    benchmark.pedantic(ours, rounds=1)
    torch.set_num_threads(threads)
    median = {name: float(np.median(some)) for name, some in seconds.items()}
    ratio = median["peer"] / median["ours"]
    sys.stderr.write(
        f"\n{size}: {len(tokens) / median['ours']:.0f} tokens a second, {ratio:.2f} times the plain encoder's; peak "
        f"memory {memory['ours']:.0f} MB against {memory['peer']:.0f} MB; seconds {seconds}; products of its layers "
        f"alone take {share:.0%} of the rate of one product"
    )
    benchmark.extra_info.update(ratio=ratio, memory=memory, tokens_a_second=len(tokens) / median["ours"], share=share)
    # On two idle cores: 2.1 at the size for a survey, 2.0 at the published one; less where other work disturbs them.
    assert ratio > {"survey": 1.7, "paper": 1.4}[size]


def test_a_whole_split_is_scored_in_one_pass(train: Panel, benchmark: Benchmark, tmp_path: Path) -> None:
    """TransitionTable per second, whole rows; the peer asks for every transition with a pass of its own."""
    from harness.model.contract import Context

    model = CareerModel(CareerParams(epochs=1, fewest_steps=1), "transformer")
    model.fit(train, train.select(np.arange(50)), Context(seed=0, scratch=tmp_path, cache=tmp_path))
    few = train.select(np.arange(20))

    def rows(panel: Panel, transitions: np.ndarray) -> np.ndarray:
        return model.log_prob(panel, transitions, np.tile(np.arange(panel.n_states), (len(transitions), 1)))

    def one_by_one() -> np.ndarray:
        return np.concatenate([rows(few, few.transitions[[i]]) for i in range(len(few.transitions))])

    start = time.perf_counter()
    alone = one_by_one()
    each = (time.perf_counter() - start) / len(few.transitions)
    np.testing.assert_allclose(rows(few, few.transitions), alone, atol=1e-4)
    benchmark.pedantic(lambda: rows(train, train.transitions), rounds=3)
    rate = len(train.transitions) / benchmark.stats["median"]
    sys.stderr.write(f"\nscoring: {rate:.0f} transitions a second, {rate * each:.0f} times one pass a transition")
    benchmark.extra_info["transitions_a_second"] = rate
    assert rate * each > 10


@pytest.mark.survey
def test_a_survey_is_fitted_in_minutes(survey: Panel, benchmark: Benchmark, tmp_path: Path) -> None:
    """The NLSY97 with the preset for surveys; 8.23 is what the best single prototype on this split had."""
    from harness.model.contract import Context

    model = CareerModel(CareerParams(), "transformer")
    parts = survey.part("train"), survey.part("valid")
    benchmark.pedantic(lambda: model.fit(*parts, Context(seed=0, scratch=tmp_path, cache=tmp_path)), rounds=1)
    seconds = benchmark.stats["median"]
    test = survey.part("test")
    observed = test.state[test.transitions].astype(np.int64)[:, None]
    perplexity = float(np.exp(-model.log_prob(test, test.transitions, observed).astype(np.float64).mean()))
    sys.stderr.write(f"\nsurvey: fitted in {seconds:.0f} s, test perplexity {perplexity:.3f}")
    benchmark.extra_info["perplexity"] = perplexity
    assert seconds < 600
    assert perplexity < 8.0
