"""markov: by hand on four persons, and against marginal and its own unsmoothed form on survey careers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import open_panel
from harness.features.frequencies import Destinations, Strengths
from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.marginal import Marginal, MarginalParams
from harness.plugins.markov import Markov, MarkovParams

# States 0 and 1 form a group, 2 and 3 are alone in theirs; 3 is never seen.
CAREERS = [[0, 0, 1], [1, 1, 2], [0, 2, 0], [0]]
GROUPS = ("x", "x", "y", "z")


def panel_of(careers: list[list[int]], groups: tuple[str, ...] = GROUPS) -> Panel:
    lengths = [len(career) for career in careers]
    codes = tuple(str(k) for k in range(len(groups)))
    return Panel(
        name="by hand",
        persons=np.array([f"p{i}" for i in range(len(careers))]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        year=np.concatenate([2000 + np.arange(n) for n in lengths]).astype(np.int32),
        state=np.concatenate(careers).astype(np.int32),
        occupations=Occupations(codes, codes, groups, (Status.EMPLOYED,) * len(groups)),
        split=np.zeros(len(careers), dtype=np.int8),
    )


def fitted(folder: Path, train: Panel, valid: Panel | None = None, **params: float) -> Markov:
    model = Markov(MarkovParams(**params))
    model.fit(train, valid or train, Context(seed=0, scratch=folder, cache=folder))
    return model


def rows_of(model: Markov | Marginal, panel: Panel, transitions: np.ndarray) -> np.ndarray:
    states = np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))
    return np.exp(model.log_prob(panel, transitions, states).astype(np.float64))


def test_closed_form(tmp_path: Path) -> None:
    panel = panel_of(CAREERS)
    given: dict[str, Any] = {"stay_strength": 2.0, "group_strength": 1.0, "origin_strength": 3.0, "state_strength": 4.0}
    rows = rows_of(fitted(tmp_path, panel, **given), panel, np.array([1]))  # the origin is state 0
    # Transitions: 0>0 0>1 1>1 1>2 0>2 2>0. Staying: 2 of 6, with half an observation more of each: 2.5 / 7.
    stay = (1 + 2 * 2.5 / 7) / (3 + 2)
    # Destinations, half an observation more of each: 0: 1.5, 1: 1.5, 2: 2.5, 3: 0.5 of 6. Without state 0: x 1.5,
    # y 2.5, z 0.5 of 4.5. Group x's own flows: one to x, two to y; of state 0: one to x, one to y.
    margin = np.array([1.5, 2.5, 0.5]) / 4.5
    flows = (np.array([1, 2, 0]) + margin) / 4
    group = (np.array([1, 1, 0]) + 3 * flows) / 5
    # Each group has a single state left once the origin is excluded, so the shares within are one.
    np.testing.assert_allclose(rows[0], [stay, *(1 - stay) * group], rtol=1e-5)


def test_within_a_group_counts_lean_on_the_margin() -> None:
    panel = panel_of([[2, 0], [2, 0], [2, 1]])
    table = Destinations(panel).within(strength=5.0)
    share = 2.5 / 4  # destinations 0: 2.5, 1: 1.5 with half an observation more of each
    np.testing.assert_allclose(table[2, 0], (2 + 5 * share) / (3 + 5))
    np.testing.assert_allclose(table[3, 0], share)  # an origin never left: the margin's share


def test_first_records_follow_the_frequencies_of_first_records(tmp_path: Path) -> None:
    panel = panel_of(CAREERS)
    rows = rows_of(fitted(tmp_path, panel, entry_strength=2.0), panel, panel.entries)
    everyone = (np.array([5, 3, 2, 0]) + 0.5) / 12
    np.testing.assert_allclose(rows, np.tile((np.array([3, 1, 0, 0]) + 2 * everyone) / 6, (4, 1)), rtol=1e-6)


def test_strengths_are_the_likeliest_on_the_validation_split(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    chain = np.array([[0.8, 0.1, 0.05, 0.05], [0.1, 0.7, 0.1, 0.1], [0.3, 0.3, 0.35, 0.05], [0.25] * 4])
    careers = []
    for _ in range(120):
        career = [int(draw.integers(4))]
        for _ in range(8):
            career.append(int(draw.choice(4, p=chain[career[-1]])))
        careers.append(career)
    train, valid = panel_of(careers[:60]), panel_of(careers[60:])

    def log_likelihood(model: Markov) -> float:
        return float(model.log_prob(valid, valid.transitions, valid.state[valid.transitions][:, None]).sum())

    chosen = fitted(tmp_path, train, valid)
    assert set(chosen.facts()["chosen_on_validation"]) == {
        "stay_strength",
        "group_strength",
        "origin_strength",
        "state_strength",
    }
    for name in chosen.chosen:
        for strength in (0.25, 1024.0):
            other = fitted(tmp_path, train, valid, **(chosen.chosen | {name: strength}))
            assert log_likelihood(other) <= log_likelihood(chosen) + 1e-3


@settings(max_examples=60)
@given(
    careers=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=5),
    groups=st.tuples(*[st.sampled_from("xyz")] * 4),
)
def test_rows_are_distributions_whatever_the_panel(careers: list[list[int]], groups: tuple[str, ...]) -> None:
    panel = panel_of(careers, groups)
    model = Markov(MarkovParams())
    model.fit(panel, panel, Context(seed=0, scratch=Path(), cache=Path()))
    other = panel_of([[a, b] for a in range(4) for b in range(4)], groups)
    rows = rows_of(model, other, np.arange(other.n_records))
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-6)
    assert (rows > 0).all()


def test_a_single_state(tmp_path: Path) -> None:
    panel = panel_of([[0, 0], [0]], groups=("x",))
    np.testing.assert_allclose(rows_of(fitted(tmp_path, panel), panel, np.arange(3)), 1.0)


def test_destinations_keep_the_origin_out() -> None:
    table = Destinations(panel_of(CAREERS)).table(Strengths())
    assert (np.diag(table) == 0).all()
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


def test_save_and_load(tmp_path: Path) -> None:
    panel = panel_of(CAREERS)
    model = fitted(tmp_path, panel)
    model.save(tmp_path)
    again = Markov(MarkovParams())
    again.load(tmp_path)
    everything = np.arange(panel.n_records)
    np.testing.assert_array_equal(rows_of(model, panel, everything), rows_of(again, panel, everything))
    assert model.facts() == again.facts()


@pytest.mark.survey
def test_survey_perplexity(nlsy97: Path, tmp_path: Path) -> None:
    panel = open_panel(str(nlsy97))
    test = panel.part("test")
    observed = test.state[test.transitions][:, None]
    markov = fitted(tmp_path, panel.part("train"), panel.part("valid"))
    marginal = Marginal(MarginalParams())
    marginal.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=tmp_path, cache=tmp_path))
    perplexity = {m: np.exp(-m.log_prob(test, test.transitions, observed).mean()) for m in (markov, marginal)}
    assert perplexity[markov] < 9.75
    assert perplexity[marginal] > 100
