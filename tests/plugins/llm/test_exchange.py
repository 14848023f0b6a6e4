"""Occupations exchanged in tuning: what stays of a career, and what the fit makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.panels import open_once
from helpers.toys import SMALLEST
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import open_panel
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams, exchange_of
from harness.plugins.llm.specs import build
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.exchanged import ExchangedResumes
from harness.plugins.llm.tuning.loss import Examples, examples
from harness.training.exchange import Exchange, exchanged

CODES = ("cook", "waiter", "baker", "nurse", "doctor", "dean", "school", "none")
GROUPS = ("35", "35", "35", "29", "29", "dean", "school", "none")
EMPLOYED = 6  # the first of them
OCCUPATIONS = Occupations(
    CODES, CODES, GROUPS, (Status.EMPLOYED,) * EMPLOYED + (Status.EDUCATION, Status.OUT_OR_UNEMPLOYED)
)


def panel_of(careers: list[list[int]]) -> Panel:
    offsets = np.concatenate([[0], np.cumsum([len(career) for career in careers])])
    return Panel(
        name="toy",
        persons=np.array([str(i) for i in range(len(careers))]),
        offsets=offsets.astype(np.int64),
        year=np.concatenate([np.arange(2000, 2000 + len(career)) for career in careers]).astype(np.int32),
        state=np.concatenate(careers).astype(np.int32),
        occupations=OCCUPATIONS,
        split=np.zeros(len(careers), dtype=np.int8),
    )


CAREERS = st.lists(st.lists(st.integers(0, len(CODES) - 1), min_size=1, max_size=9), min_size=1, max_size=6)
SHARE = st.sampled_from((0.0, 0.3, 1.0))


@settings(max_examples=200)
@given(careers=CAREERS, within=SHARE, seed=st.integers(0, 99))
def test_an_exchange_is_one_for_one_along_a_career(careers: list[list[int]], within: float, seed: int) -> None:
    panel = panel_of(careers)
    state = exchanged(panel, within, 1 - within, np.random.default_rng(seed))
    for start, stop in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        before, after = panel.state[start:stop], state[start:stop]
        pairs = set(zip(before.tolist(), after.tolist(), strict=True))
        assert len(pairs) == len(set(before.tolist())) == len(set(after.tolist()))
        assert all((one < EMPLOYED) == (other < EMPLOYED) for one, other in pairs)
        assert all(one == other for one, other in pairs if one >= EMPLOYED)
        if within == 1.0:
            assert all(GROUPS[one] == GROUPS[other] for one, other in pairs)


@settings(max_examples=100)
@given(careers=CAREERS, within=SHARE, strength=SHARE, seed=st.integers(0, 99))
def test_permutations_are_those_of_the_states(
    careers: list[list[int]], within: float, strength: float, seed: int
) -> None:
    panel, exchange = panel_of(careers), Exchange(within=within, across=1 - within, seed=seed)
    found = exchange.states([panel], 2, strength)
    permutations = exchange.permutations(panel, 2, strength)
    assert (np.sort(permutations, axis=1) == np.arange(len(CODES))).all()
    expected = panel.state if found is None else found[0]
    assert (permutations[panel.person, panel.state] == expected).all()


def test_every_occupation_of_a_group_is_as_likely() -> None:
    panel = panel_of([[0, 1, 3, 5]] * 6000)
    state = exchanged(panel, 0.5, 0.5, np.random.default_rng(3)).reshape(-1, 4)
    cook = np.bincount(state[:, 0], minlength=6) / 6000
    # Half of the cooks are one of three, and the other half one of six.
    expected = np.array([1 / 6, 1 / 6, 1 / 6, 0, 0, 0]) + 1 / 12
    assert np.abs(cook - expected).max() < 0.025
    # Nobody's occupations are exchanged without a share, and half of the persons' with a half.
    assert (exchanged(panel, 0.0, 0.0, np.random.default_rng(3)) == panel.state).all()
    dean = exchanged(panel, 0.0, 0.5, np.random.default_rng(3)).reshape(-1, 4)[:, 3]
    assert abs((dean == 5).mean() - (0.5 + 0.5 / 6)) < 0.025


def test_a_group_of_one_is_left_alone() -> None:
    panel = panel_of([[5, 5, 6, 7]] * 50)
    assert (exchanged(panel, 1.0, 0.0, np.random.default_rng(0)) == panel.state).all()


@pytest.fixture(scope="module")
def resumes() -> Resumes:
    panel = open_panel("market", {"persons": "40"})
    tokenizer = train_tokenizer(panel, vocabulary=400, context=1024)
    return Resumes(panel, PieceEncoder(tokenizer), context=1024)


def test_each_epoch_reads_other_careers_and_the_same_when_asked_again(resumes: Resumes) -> None:
    careers = ExchangedResumes([resumes], "titles", Exchange(within=0.5, across=0.2, seed=4))
    first, second = careers.epoch(0, 1.0), careers.epoch(1, 1.0)
    assert (careers.epoch(0, 1.0).tokens.ids == first.tokens.ids).all()
    assert not np.array_equal(second.tokens.ids, first.tokens.ids)
    assert (careers.epoch(0, 0.0).tokens.ids == careers.plain.tokens.ids).all()
    changed = [not np.array_equal(first.tokens[i], careers.plain.tokens[i]) for i in range(len(first))]
    assert 0.4 < np.mean(changed) < 0.9
    weaker = careers.epoch(0, 0.3)
    assert 0.0 < np.mean([not np.array_equal(weaker.tokens[i], careers.plain.tokens[i]) for i in range(40)]) < 0.4


def test_an_exchanged_career_is_what_a_panel_of_it_would_be() -> None:
    """Titles of several tokens move everything behind them."""
    panel = open_panel("market", {"persons": "40"})
    tokenizer = train_tokenizer(panel, vocabulary=400, context=1024)
    resumes = Resumes(panel, PieceEncoder(tokenizer), context=1024)
    state = exchanged(panel, 1.0, 0.0, np.random.default_rng((4, 0)))
    other = Resumes(replace(panel, state=state), PieceEncoder(tokenizer), context=1024)
    exchange = Exchange(within=1.0, across=0.0, seed=4)
    found, expected = ExchangedResumes([resumes], "titles", exchange).epoch(0, 1.0), examples(other, "titles")
    assert len(found.tokens.ids) != len(examples(resumes, "titles").tokens.ids)
    assert (found.tokens.ids == expected.tokens.ids).all()
    assert (found.counts == expected.counts).all()


def test_exchanges_fall_with_the_learning_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    plain = ExchangedResumes.epoch

    def epoch(self: ExchangedResumes, number: int, strength: float) -> Examples:
        told.append(strength)
        found = plain(self, number, strength)
        assert np.array_equal(found.tokens.ids, self.plain.tokens.ids) == (strength == 0.0)
        return found

    monkeypatch.setattr(ExchangedResumes, "epoch", epoch)
    market = open_panel("market", {"persons": "30"})
    model = build(LlmParams(**SMALLEST | {"epochs": 5, "min_gain": 0.0, "patience": 5, "decay": 4.0}))
    model.fit(
        market.part("train"),
        market.part("valid"),
        Context(seed=3, scratch=tmp_path, cache=tmp_path, open_panel=open_once),
    )
    assert told == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.25])  # one epoch, then the four of the decay


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ({}, (0.6, 0.2)),
        ({"base": "somewhere"}, (0.0, 0.0)),
        ({"base": "somewhere", "exchange": 0.3}, (0.3, 0.0)),
        ({"exchange": 0.9}, (0.9, 0.1)),
        ({"exchange_across": 1.0}, (0.0, 1.0)),
        ({"exchange": 0.0, "exchange_across": 0.0}, (0.0, 0.0)),
    ],
)
def test_the_shares_of_one_whole(given: dict[str, Any], shares: tuple[float, float]) -> None:
    assert exchange_of(LlmParams(**given)) == pytest.approx(shares)


def test_more_than_every_career_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"exchange=0\.7 and exchange_across=0\.4 are shares of the same careers"):
        LlmParams(exchange=0.7, exchange_across=0.4)
