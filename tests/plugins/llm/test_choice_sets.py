"""Whole choice sets of a language model: the trie behind one read career against one plain sequence a choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from helpers.tiny_llm import tiny_llm
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.model import Context
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.scoring import choice_sets as choice
from harness.plugins.llm.scoring.certified import CERTIFIED_TOLERANCE, certified
from harness.plugins.llm.scoring.choice_sets import Limits, whole_rows
from harness.plugins.llm.scoring.reader import Reader
from harness.plugins.llm.scoring.search import CertifiedRows
from harness.plugins.llm.scoring.trie import Chunks, Trie
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.pieces import PieceEncoder, Ragged
from harness.plugins.llm.text.tokens import Resumes

TITLES = (
    "Nurses",
    "Nurses and midwives",  # begun by another title
    "Nurses and midwives, all other",
    "Nursing aides",
    "Retail cashiers",
    "Retail salespersons",
    "Retail salespersons, parts and rental counters",
    "Software developers, systems and applications",
    "Software developers, web",
    "Unemployed",
    "Out of the labor force",
)
ARCHITECTURES = ["Llama", "GPT2", "Qwen2", "Mistral", "Gemma"]
PAD = 0


def careers(lengths: list[int]) -> Panel:
    """Random careers of these lengths, with gaps between the years."""
    rng = np.random.default_rng(0)
    n = sum(lengths)
    person = np.repeat(np.arange(len(lengths)), lengths)
    start = np.cumsum(lengths) - lengths
    steps = np.cumsum(rng.integers(1, 4, n))
    return Panel(
        name="random",
        persons=np.array([f"p{i}" for i in range(len(lengths))]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        year=1995 + steps - steps[start][person],
        state=rng.integers(0, len(TITLES), n),
        occupations=Occupations(
            codes=tuple(str(k) for k in range(len(TITLES))),
            titles=TITLES,
            groups=tuple(title[:3] for title in TITLES),
            statuses=(Status.EMPLOYED,) * 9 + (Status.UNEMPLOYED, Status.OUT),
        ),
        split=np.zeros(len(lengths), np.int8),
        covariates={"gender": Covariate("categorical", person % 2, ("female", "male"), fixed=True)},
    )


@pytest.fixture(scope="module")
def panel() -> Panel:
    return careers([3, 1, 6, 2])


@pytest.fixture(scope="module")
def tokenizer(panel: Panel) -> Any:
    return train_tokenizer(panel, 360, 512)


def resumes_of(panel: Panel, tokenizer: Any, context: int = 512) -> Resumes:
    return Resumes(panel, PieceEncoder(tokenizer), context)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tokenizer: Any) -> Any:
    return tiny_llm(request.param, len(tokenizer))


def plain(model: Any, resumes: Resumes, targets: np.ndarray) -> np.ndarray:
    """float64 [n, K]: every choice in a sequence of its own, padded, without cache, mask or positions."""
    windows = resumes.windows(targets)
    rows = np.empty((len(targets), resumes.panel.n_states))
    for i in range(len(targets)):
        history = windows.tokens[windows.window[i]][: windows.at[i] + 1]
        sequences = [np.concatenate([history, resumes.events[k]]) for k in range(rows.shape[1])]
        width = max(map(len, sequences))
        ids = torch.tensor(np.array([np.pad(s, (0, width - len(s))) for s in sequences]))
        with torch.no_grad():
            log_prob = model(ids, use_cache=False).logits.double().log_softmax(-1)
        for k, event in enumerate(map(resumes.events.__getitem__, range(rows.shape[1]))):
            rows[i, k] = log_prob[k, len(history) - 1 + np.arange(len(event)), event].sum()
    return rows


def test_whole_rows_are_those_of_one_plain_sequence_a_choice(panel: Panel, tokenizer: Any, model: Any) -> None:
    resumes = resumes_of(panel, tokenizer)
    targets = np.arange(panel.n_records)  # entries and a career of one record among them
    rows = whole_rows(Reader(model, PAD), resumes, targets)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, plain(model, resumes, targets), atol=1e-4)
    assert (np.exp(rows.astype(float)).sum(axis=1) <= 1 + 1e-6).all()
    assert choice.follows_tree(Reader(model, PAD)), "it was the fallback that answered"


def test_targets_may_repeat_and_come_in_any_order(panel: Panel, tokenizer: Any) -> None:
    model, resumes = tiny_llm("Llama", len(tokenizer)), resumes_of(panel, tokenizer)
    shuffled = np.array([9, 2, 11, 2, 0])
    rows = whole_rows(Reader(model, PAD), resumes, np.arange(panel.n_records))
    np.testing.assert_allclose(whole_rows(Reader(model, PAD), resumes, shuffled), rows[shuffled], atol=1e-5)
    asked = panel.state[shuffled, None].astype(int)
    answer = certified(Reader(model, PAD), resumes, shuffled, asked, 0.1)
    np.testing.assert_allclose(answer.log_prob(asked)[:, 0], rows[shuffled, panel.state[shuffled]], atol=1e-4)


@pytest.mark.parametrize("limits", [Limits(1, 1, 1), Limits(3, 7, 2), Limits(500, 40, 5), Limits(store_bytes=1)])
def test_sizes_of_chunks_and_batches_change_nothing(panel: Panel, tokenizer: Any, limits: Limits) -> None:
    model, resumes = tiny_llm("Llama", len(tokenizer)), resumes_of(panel, tokenizer)
    targets = np.array([0, 2, 3, 9, 11])
    rows = whole_rows(Reader(model, PAD), resumes, targets)
    np.testing.assert_allclose(whole_rows(Reader(model, PAD), resumes, targets, limits), rows, atol=1e-4)
    brackets(certified(Reader(model, PAD), resumes, targets, targets[:, None] % len(TITLES), 1e-3, limits), rows, 1e-3)


def test_a_career_longer_than_the_context_keeps_its_newest_records(panel: Panel, tokenizer: Any) -> None:
    model, short = tiny_llm("GPT2", len(tokenizer)), resumes_of(panel, tokenizer, 60)
    assert short.records_dropped() > 0
    targets = np.arange(panel.n_records)
    rows = whole_rows(Reader(model, PAD), short, targets)
    np.testing.assert_allclose(rows, plain(model, short, targets), atol=1e-4)
    assert np.abs(rows - whole_rows(Reader(model, PAD), resumes_of(panel, tokenizer), targets)).max() > 0.01
    brackets(certified(Reader(model, PAD), short, targets, targets[:, None] % len(TITLES), 1e-3), rows, 1e-3)


def test_no_targets(panel: Panel, tokenizer: Any) -> None:
    model, resumes = tiny_llm("Llama", len(tokenizer)), resumes_of(panel, tokenizer)
    none = np.zeros(0, dtype=np.int64)
    asked = none.reshape(0, 2)
    assert whole_rows(Reader(model, PAD), resumes, none).shape == (0, len(TITLES))
    assert certified(Reader(model, PAD), resumes, none, asked).renormalised(asked).shape == (0, 2)


def brackets(answer: CertifiedRows, exact: np.ndarray, tolerance: float, rounding: float = 1e-4) -> None:
    """The bounds hold the exact normaliser, and are as close as was asked for; what was read is exact.

    rounding: nats, of a base in float32 unless told.
    """
    log_z = np.log(np.exp(exact.astype(float)).sum(axis=1))
    low, high = answer.log_mass
    assert (low <= log_z + rounding).all()
    assert (log_z <= high + rounding).all()
    assert (high - low <= tolerance * (1 + 1e-9)).all()
    read = np.isfinite(answer.rows)
    np.testing.assert_allclose(answer.rows[read], exact[read], atol=rounding, rtol=1e-5)  # logs as low as -70
    smallest, largest = answer.outside
    assert (smallest - rounding <= 1 - np.exp(log_z)).all()
    assert (1 - np.exp(log_z) <= largest + rounding).all()


def test_certified_bounds_hold_the_exact_normaliser(panel: Panel, tokenizer: Any, model: Any) -> None:
    resumes, targets = resumes_of(panel, tokenizer), np.arange(panel.n_records)
    exact = whole_rows(Reader(model, PAD), resumes, targets)
    asked = np.stack([panel.state.astype(int), (targets * 5) % len(TITLES)], axis=1)
    for tolerance in (0.1, 1e-4):
        answer = certified(Reader(model, PAD), resumes, targets, asked, tolerance)
        brackets(answer, exact, tolerance)
        log_prob = np.take_along_axis(exact, asked, axis=1)
        np.testing.assert_allclose(answer.log_prob(asked), log_prob, atol=1e-4)
        truth = log_prob - np.log(np.exp(exact.astype(float)).sum(axis=1))[:, None]
        assert (answer.renormalised(asked) <= truth + 1e-4).all()
        assert (answer.renormalised(asked) >= truth - tolerance - 1e-4).all()


def test_titles_of_one_token_each_leave_nothing_to_keep(toy_llama: Path, market_40: Panel, tmp_path: Path) -> None:
    test, bounds = market_40.part("test"), []
    asked = test.state[test.transitions].astype(np.int64)[:, None]
    ways: tuple[Literal["exact", "certified"], ...] = ("exact", "certified")
    for way in ways:
        params = LlmParams(base=str(toy_llama), tuning="none", extend_vocabulary="titles", renormalise=way)
        model: Any = build(params)
        context = Context(seed=0, scratch=tmp_path, cache=tmp_path)
        model.fit(market_40.part("train"), market_40.part("valid"), context)
        bounds.append(model.bounded_log_prob(test, test.transitions, asked))
    exact, found = bounds
    np.testing.assert_allclose(found.log_prob, exact.log_prob, atol=1e-4)
    assert (found.log_mass_low <= exact.log_mass_low + 1e-4).all()
    assert (exact.log_mass_high <= found.log_mass_high + 1e-4).all()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), scale=st.floats(0.05, 1.0), tolerance=st.floats(1e-6, 0.5))
@example(seed=1508, scale=0.8066923194559803, tolerance=0.125)  # rounds to .00015 nats in float32
def test_certified_bounds_hold_for_any_model(
    panel: Panel, tokenizer: Any, seed: int, scale: float, tolerance: float
) -> None:
    """In double precision: weights of scale one amplify the rounding of single precision past any bound."""
    model = tiny_llm("Llama", len(tokenizer), seed=seed, scale=scale).double()
    resumes, targets, none = resumes_of(panel, tokenizer), np.array([0, 3, 9, 11]), np.zeros((4, 0), dtype=int)
    exact = whole_rows(Reader(model, PAD), resumes, targets)
    brackets(certified(Reader(model, PAD), resumes, targets, none, tolerance), exact, tolerance, rounding=1e-5)


def test_a_model_that_is_sure_is_read_at_few_nodes(panel: Panel, tokenizer: Any) -> None:
    resumes, targets = resumes_of(panel, tokenizer), panel.transitions[::2]
    model = tiny_llm("Llama", len(tokenizer), scale=0.1)
    windows, event = resumes.windows(targets), resumes.events[3]
    optimizer = torch.optim.AdamW(model.parameters(), 2e-2)
    for _ in range(20):  # it learns to answer every line head with the same title
        for window, at in zip(windows.window, windows.at, strict=True):
            ids = torch.from_numpy(np.concatenate([windows.tokens[window][: at + 1], event]))[None]
            labels = torch.where(torch.arange(ids.shape[1]) > at, ids, -100)
            model(ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    asked = np.full((len(targets), 1), 3)
    answer = certified(Reader(model, PAD), resumes, targets, asked, 1e-4)
    exact = whole_rows(Reader(model, PAD), resumes, targets)
    brackets(answer, exact, 1e-4)
    assert np.exp(exact[:, 3]).min() > 0.9
    inner = len(Trie.of(resumes.events).inner)
    assert answer.read.max() < inner / 2
    assert answer.read.min() >= len(event) - 1


def test_only_what_is_asked_must_be_read(panel: Panel, tokenizer: Any) -> None:
    """Nothing is asked and much may be left: fewer nodes are read than for a state that is far from likely."""
    model, resumes, targets = tiny_llm("Llama", len(tokenizer)), resumes_of(panel, tokenizer), panel.transitions
    exact = whole_rows(Reader(model, PAD), resumes, targets)
    least = exact.argmin(axis=1)[:, None]
    without = certified(Reader(model, PAD), resumes, targets, least[:, :0], 0.5)
    asked = certified(Reader(model, PAD), resumes, targets, least, 0.5)
    assert not np.isfinite(np.take_along_axis(without.rows, least, axis=1)).all()
    np.testing.assert_allclose(asked.log_prob(least), np.take_along_axis(exact, least, axis=1), atol=1e-4)
    assert without.read.sum() < asked.read.sum() < len(targets) * len(Trie.of(resumes.events).inner)


def test_the_career_is_read_once(panel: Panel, tokenizer: Any) -> None:
    model, resumes = tiny_llm("Llama", len(tokenizer)), resumes_of(panel, tokenizer)
    seen: list[int] = []
    model.register_forward_pre_hook(lambda _, __, kw: seen.append(kw["input_ids"].numel()), with_kwargs=True)
    choice.follows_tree(Reader(model, PAD))
    trial, targets = sum(seen), panel.transitions
    seen.clear()
    limits = Limits(nodes=128)  # one chunk, which nothing has to fill up
    whole_rows(Reader(model, PAD), resumes, targets, limits)
    windows, trie = resumes.windows(targets), Trie.of(resumes.events)
    nodes = len(targets) * int((Chunks.of(trie, limits.nodes).nodes >= 0).sum())
    assert sum(seen) - trial <= windows.tokens.offsets[-1] + nodes


class Recurrent(torch.nn.Module):
    """A causal language model that knows neither masks nor caches, and takes no part in either."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(vocabulary, 16)
        self.cell = torch.nn.GRU(16, 16, batch_first=True)
        self.head = torch.nn.Linear(16, vocabulary)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.embedding

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        from transformers.modeling_outputs import CausalLMOutput

        return CausalLMOutput(logits=self.head(self.cell(self.embedding(input_ids))[0]) * 5)


def test_without_trees_a_model_is_asked_choice_by_choice(panel: Panel, tokenizer: Any) -> None:
    model, resumes, targets = Recurrent(len(tokenizer)).eval(), resumes_of(panel, tokenizer), panel.transitions
    assert not choice.follows_tree(Reader(model, PAD))
    exact = plain(model, resumes, targets)
    np.testing.assert_allclose(whole_rows(Reader(model, PAD), resumes, targets), exact, atol=1e-4)
    asked = targets[:, None] % len(TITLES)
    answer = certified(Reader(model, PAD), resumes, targets, asked)
    brackets(answer, exact, CERTIFIED_TOLERANCE)
    np.testing.assert_allclose(answer.log_prob(asked)[:, 0], exact[np.arange(len(targets)), asked[:, 0]], atol=1e-4)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 0.6])
def test_tolerances_that_mean_nothing_are_refused(panel: Panel, tokenizer: Any, tolerance: float) -> None:
    model, resumes = tiny_llm("Llama", len(tokenizer)), resumes_of(panel, tokenizer)
    with pytest.raises(ValueError, match=r"at most 0\.5 nats"):
        certified(Reader(model, PAD), resumes, panel.transitions, panel.transitions[:, None] * 0, tolerance)


words = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=7), min_size=1, max_size=40)


@given(words)
def test_the_trie_holds_every_event_once(titles: list[list[int]]) -> None:
    events = sorted({(*title, 0) for title in titles})  # the closing 0 keeps one from beginning another
    trie = Trie.of(Ragged.of(events))
    for state, event in enumerate(events):
        path, node = [], int(trie.leaf[state])
        assert trie.state[node] == state
        while node > 0:
            path.append(int(trie.token[node]))
            assert trie.depth[node] == len(event) - len(path) + 1
            assert trie.first[trie.parent[node]] <= node < trie.last[trie.parent[node]]
            node = int(trie.parent[node])
        assert tuple(path[::-1]) == event
    prefixes = {event[:i] for event in events for i in range(len(event) + 1)}
    assert trie.n_nodes == len(prefixes)
    assert sorted(trie.inner) == sorted(set(np.flatnonzero(~trie.is_leaf)) - {0})


@given(words, st.integers(1, 30))
def test_every_chunk_brings_the_ancestors_of_its_nodes(titles: list[list[int]], size: int) -> None:
    trie = Trie.of(Ragged.of(sorted({(*title, 0) for title in titles})))
    chunks = Chunks.of(trie, size)
    top = set(range(trie.first[0], trie.last[0]))
    assert sorted(chunks.read_node) == sorted(set(range(1, trie.n_nodes)) - top)
    for nodes, sees in zip(chunks.nodes, chunks.sees, strict=True):
        for i, node in enumerate(nodes):
            seen = nodes[sees[i]].tolist()
            line = [] if node < 0 else [*trie.inner_ancestors(int(node)), int(node)]
            assert sorted(seen) == sorted(line or [-1])
    read = chunks.nodes[chunks.read_chunk, chunks.read_at]
    assert (trie.parent[chunks.read_node] == read).all()


def test_an_event_that_begins_another_is_refused() -> None:
    with pytest.raises(ValueError, match="begins another"):
        Trie.of(Ragged.of([[1, 2], [1, 2, 3]]))
    with pytest.raises(ValueError, match="begins another"):
        Trie.of(Ragged.of([[1, 2], [1, 2]]))
