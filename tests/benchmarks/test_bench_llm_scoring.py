"""ln P of every title after a history: lm-evaluation-harness against the ways of this project, one model, one process.

Run with ``-s`` to see the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from helpers.timing import Benchmark

from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.certified import certified
from harness.plugins.llm.scoring.choice_sets import Choices, whole_rows
from harness.plugins.llm.scoring.reader import Reader

pytestmark = [pytest.mark.slow, pytest.mark.survey]
PAD, ROUNDS, PEER_BATCHES = 0, 3, (4, 32)
CLOSE = 1e-4  # nats, of float32
DRAWN = 64  # titles that show what a batch of the peer holds


def one_choice_a_sequence(study: Any) -> np.ndarray:
    scorer = Scorer(study.model, PAD)
    scorer._branches_exact = False
    return scorer.log_prob(study.resumes(), study.targets[study.few], study.every_state(len(study.few)))


def cached_prefix(study: Any) -> np.ndarray:
    """The history once a transition, its keys and values repeated for 64 padded titles a batch; transformers alone."""
    from transformers import DynamicCache

    events = study.resumes().events
    rows = np.empty((len(study.targets), len(events)))
    for i in range(len(study.targets)):
        with torch.inference_mode():
            begin = study.model(input_ids=torch.from_numpy(study.history(i)[None]), use_cache=True)
        for some in np.array_split(np.arange(len(events)), -(-len(events) // 64)):
            table = np.zeros((len(some), int(events.lengths[some].max())), dtype=np.int64)
            inside = np.arange(table.shape[1]) < events.lengths[some][:, None]
            table[inside] = events.gather(some).ids
            cache: Any = DynamicCache()
            for layer, kept in enumerate(begin.past_key_values.layers):
                keys, values = (x.expand(len(some), -1, -1, -1) for x in (kept.keys, kept.values))
                cache.update(keys, values, layer)
            ids = torch.from_numpy(table)
            with torch.inference_mode():
                after = study.model(input_ids=ids[:, :-1], past_key_values=cache, use_cache=True).logits
                first = begin.logits[:, -1:].expand(len(some), -1, -1)
                said = torch.cat([first, after], dim=1).log_softmax(-1).gather(2, ids[:, :, None])[:, :, 0]
            rows[i, some] = np.where(inside, said.double().numpy(), 0.0).sum(axis=1)
    return rows


def pruned(study: Any, tolerance: float) -> np.ndarray:
    """Rows, -inf where a title was not read. With random weights no title is unlikely: nearly all nodes are read."""
    return certified(Reader(study.model, PAD), study.resumes(), study.targets, study.observed, tolerance).rows


# What to ask, and whether of the one transition only.
METHODS: dict[str, tuple[Any, bool]] = {
    "one choice a sequence": (one_choice_a_sequence, True),
    "cached prefix": (cached_prefix, False),
    "branches": (
        lambda s: Scorer(s.model, PAD).log_prob(s.resumes(), s.targets, s.every_state(len(s.targets))),
        False,
    ),
    "trie": (lambda s: whole_rows(Reader(s.model, PAD), s.resumes(), s.targets), False),
    "pruned, random weights": (lambda s: pruned(s, 1e-3), False),
}


@pytest.mark.benchmark(group="every title")
def test_every_title(study: Any, meter: Any, benchmark: Benchmark) -> None:
    pytest.importorskip("lm_eval")
    pytest.importorskip("ctranslate2")
    few, states, n = study.few, study.every_state(len(study.few)), len(study.targets)
    at = study.resumes().windows(study.targets).at + 1
    meter.say(f"\ntokens before: {at[few].mean():.0f} of the peer's transition, {at.mean():.0f} in the mean of all {n}")
    peers = {f"lm-eval, batch {b}": (lambda b=b: study.lm_eval(few, states, b), len(few)) for b in PEER_BATCHES}
    others = {name: (lambda ask=ask: ask(study), len(few) if one else n) for name, (ask, one) in METHODS.items()}
    both = peers | {"trie": others.pop("trie")}
    # The two that a ratio is asserted of take turns; the others show their order of magnitude.
    with study.ctranslate2() as score:
        others["ctranslate2"] = (partial(score, few, states), len(few))
        costs = benchmark.pedantic(lambda: meter.in_turns(both, ROUNDS) | meter.in_turns(others, 1), rounds=1)
    best = min((costs[name] for name in peers), key=lambda cost: cost.cpu)
    # A sequence costs as its length, but for the title's 5 tokens: the peer's one transition stands for the mean.
    scale = at.mean() / at[few].mean()
    meter.say("method                    CPU s   by the clock   times lm-eval   largest difference")
    for name, cost in costs.items():
        one = name in peers or name == "ctranslate2" or METHODS[name][1]
        rows = cost.rows if one else cost.rows[few]
        read = np.isfinite(rows)
        difference = float(np.abs(rows - best.rows)[read].max())
        ratio = best.cpu * (1.0 if one else scale) / cost.cpu
        benchmark.extra_info[name] = {"CPU s": cost.cpu, "times lm-eval": ratio, "largest difference": difference}
        meter.say(f"{name:24s} {cost.cpu:7.4f} {cost.wall:14.4f} {ratio:15.1f} {difference:20.1e}")
        assert difference < CLOSE
    layers = sum(p.numel() for name, p in study.model.named_parameters() if p.ndim == 2 and "embed" not in name)
    read = len(Choices.of(study.resumes().events, 64).trie.inner)
    share = benchmark.extra_info["share"] = 2 * layers * read / costs["trie"].cpu / meter.matrix_rate()
    meter.say(f"products of the {read} nodes of a trie alone take {share:.0%} of the rate of one product")
    # 30.3 on two idle cores, about 20 on busy ones.
    assert benchmark.extra_info["trie"]["times lm-eval"] >= 20


@pytest.mark.benchmark(group="memory")
def test_memory_stays_under_the_peers(study: Any, meter: Any, benchmark: Benchmark) -> None:
    pytest.importorskip("lm_eval")
    some = study.every_state(1)[:, :DRAWN]
    peers = {b: meter.peak(lambda b=b: study.lm_eval(study.few, some, b)) for b in PEER_BATCHES}
    ours = {name: meter.peak(lambda ask=ask: ask(study)) for name, (ask, _) in METHODS.items()}
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.extra_info.update({f"lm-eval, batch {b}": mb for b, mb in peers.items()} | ours)
    meter.say("\nMB over start: " + ", ".join(f"{name} {mb:.0f}" for name, mb in benchmark.extra_info.items()))
    assert ours["trie"] < max(peers.values())
    assert ours["pruned, random weights"] < max(peers.values())


@pytest.mark.benchmark(group="observed titles")
def test_observed_titles(study: Any, meter: Any, benchmark: Benchmark) -> None:
    pytest.importorskip("lm_eval")
    study = replace(study, targets=study.panel.transitions)  # as a task asks for them: one pass a career serves all
    pairs, scorer = np.arange(len(study.targets)), Scorer(study.model, PAD)

    def ours() -> np.ndarray:
        return np.concatenate([scorer.log_prob(study.resumes(), study.targets, study.observed) for _ in range(10)])

    methods: dict[str, tuple[Callable[[], np.ndarray], int]] = {
        f"lm-eval, batch {b}": (partial(study.lm_eval, pairs, study.observed, b), len(pairs)) for b in PEER_BATCHES
    }
    methods["observed"] = (ours, 10 * len(pairs))
    costs = benchmark.pedantic(meter.in_turns, args=(methods, ROUNDS), rounds=1)
    own = costs.pop("observed")
    best = min(costs.values(), key=lambda cost: cost.cpu)
    difference = float(np.abs(own.rows[: len(pairs)] - best.rows).max())
    ratio = benchmark.extra_info["times lm-eval"] = best.cpu / own.cpu
    meter.say(
        f"\nobserved titles: {own.cpu:.5f} CPU s a transition, lm-eval for the same pairs {best.cpu:.4f}: {ratio:.1f} "
        f"times, by the clock {best.wall / own.wall:.1f}; largest difference {difference:.1e}"
    )
    assert difference < CLOSE
    assert ratio >= 14  # 20.5 on two idle cores
