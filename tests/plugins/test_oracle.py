"""The oracle of the simulated labor market knows the truth, and nothing that is to come.

``by_hand`` works one career out from the documented equations, in closed forms over the whole history and over every
cell of gender, ethnicity, region and type, so it shares no step with the recursion that the oracle runs.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.market.economy import FIRST_YEAR, RECALL, economy
from harness.data.market.history import FADE, FORGET
from harness.data.market.population import joint
from harness.data.market.skills import N_TYPES, TYPES, schooling
from harness.data.market.titles import EDUCATION, N_JOBS, OUT, SCHOOL, UNEMPLOYED
from harness.errors import RequestError
from harness.model.contract import NoParams
from harness.panel.careers import Covariate, Panel
from harness.plugins.oracle import Oracle

NOT_AT_WORK = [UNEMPLOYED, OUT]


@pytest.fixture(scope="module")
def rows(market: Panel) -> np.ndarray:
    """float64 [transitions of the first 1,200 persons, K]: the oracle's probabilities."""
    some = market.select(np.arange(1200))
    return np.exp(ask_all(some, some.transitions).astype(np.float64))


def ask_all(panel: Panel, transitions: np.ndarray) -> np.ndarray:
    states = np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))
    return Oracle(NoParams()).log_prob(panel, transitions, states)


def level(panel: Panel, name: str, record: int) -> int:
    return int(panel.covariates[name].values[record])


def by_class(panel: Panel, person: int) -> np.ndarray:
    """float64 [records, genders, types, K]: P(state | history, class) of one career, from the equations."""
    table, first = economy(), int(panel.offsets[person])
    states = panel.state[first : panel.offsets[person + 1]].astype(int)
    answer = np.empty((len(states), 2, N_TYPES, panel.n_states))
    for t in range(len(states)):
        age, past = int(panel.age()[first + t]), states[:t]
        u = table.education[level(panel, "education", first + t)] + table.age[age]
        u = u + table.year[panel.year[first + t] - FIRST_YEAR] + table.move[past[-1] if t else panel.n_states]
        for job in range(N_JOBS):
            held = np.flatnonzero(past == job)
            in_group = np.flatnonzero((past < N_JOBS) & (past // 15 == job // 15))
            if len(held):
                u[job] += RECALL * FORGET ** (t - 1 - held[-1])
            u[job] += table.ladder[job] * np.log(1 + sum(FADE ** (t - 1 - s) for s in in_group))
        if t:
            others = np.flatnonzero(past != past[-1])
            tenure = t - 1 - others[-1] if len(others) else t
            u[past[-1]] += table.stay[age, past[-1]] + table.tenure[past[-1]] * np.log(1 + tenure)
        v = u + table.taste.reshape(2, N_TYPES, -1)  # gender by gender, type by type
        if t and past[-1] < N_JOBS:
            v[:, :, past[-1]] -= np.array([kind.mobility for kind in TYPES])
        answer[t] = np.exp(v) / np.exp(v).sum(axis=2, keepdims=True)
    return answer


def weights_by_hand(panel: Panel, person: int, given_class: np.ndarray) -> np.ndarray:
    """float64 [records, genders, types]: P(class | all that is known when the year begins), one cell at a time."""
    first, school = int(panel.offsets[person]), schooling()
    table = joint(panel.source["population"])
    known = [level(panel, n, first) if n in panel.covariates else None for n in ("gender", "ethnicity", "region")]
    weight = np.zeros((len(given_class), 2, N_TYPES))
    for cell in product(*(range(n) for n in table.shape)):
        if any(value not in (None, here) for value, here in zip(known, cell, strict=False)):
            continue
        gender, kind, probability = cell[0], cell[3], table[cell]
        for t in range(len(given_class)):
            age, now = int(panel.age()[first + t]), level(panel, "education", first + t)
            if t == 0:
                probability *= school.entry[kind, age, now]
            else:
                before, last = level(panel, "education", first + t - 1), int(panel.state[first + t - 1])
                up = school.rise[int(last == SCHOOL), kind, before, age]
                probability *= given_class[t - 1, gender, kind, last] * (up if now > before else 1 - up)
            weight[t, gender, kind] += probability
    return np.asarray(weight / weight.sum(axis=(1, 2), keepdims=True))


@pytest.mark.parametrize("population", ["survey", "resumes"])
def test_the_oracle_equals_bayes_worked_by_hand(market: Panel, resumes: Panel, population: str) -> None:
    panel = market if population == "survey" else resumes
    some = panel.select(np.argsort(np.diff(panel.offsets), kind="stable")[[40, 200, 400]])
    answer = np.exp(ask_all(some, np.arange(some.n_records)))
    for person in range(some.n_persons):
        given_class = by_class(some, person)
        expected = np.einsum("tgk,tgks->ts", weights_by_hand(some, person, given_class), given_class)
        records = slice(some.offsets[person], some.offsets[person + 1])
        np.testing.assert_allclose(answer[records], expected, rtol=2e-5, atol=1e-9)


@pytest.mark.slow
def test_inferring_types_beats_not_inferring_them(market: Panel) -> None:
    """Bayes against the prior's weights, and against the weights of types that were swapped, paired on persons."""
    some = market.select(np.arange(45))
    log = {"bayes": np.zeros(45), "prior": np.zeros(45), "swapped": np.zeros(45)}
    for person in range(45):
        given_class, states = by_class(some, person), some.state[some.offsets[person] : some.offsets[person + 1]]
        weight = weights_by_hand(some, person, given_class)
        happened = given_class[np.arange(len(states)), :, :, states]
        prior = np.broadcast_to(weight[0], weight.shape)
        for name, w in (("bayes", weight), ("prior", prior), ("swapped", np.roll(weight, 7, axis=2))):
            log[name][person] = np.log((w * happened).sum(axis=(1, 2)))[1:].sum()
    told = Oracle(NoParams()).log_prob(some, some.transitions, some.state[some.transitions].astype(int)[:, None])[:, 0]
    assert np.bincount(some.person[some.transitions], told) == pytest.approx(log["bayes"], rel=1e-4)
    for name in ("prior", "swapped"):
        gain = log["bayes"] - log[name]
        assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain)), name


def test_rows_sum_to_one_for_any_transitions_of_any_persons(market: Panel) -> None:
    some = market.select(np.array([7, 1500, 3, 2200]))
    asked = np.arange(some.n_records)[::-3]
    rows = ask_all(some, asked)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert (rows <= 0).all()
    np.testing.assert_allclose(np.exp(rows.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    columns = np.stack([some.state[asked].astype(int), np.full(len(asked), OUT)], axis=1)
    few = Oracle(NoParams()).log_prob(some, asked, columns)
    np.testing.assert_allclose(few, np.take_along_axis(rows, columns, axis=1), rtol=1e-6)
    twice = Oracle(NoParams()).log_prob(some, np.repeat(asked, 2), np.repeat(columns, 2, axis=0))
    np.testing.assert_array_equal(twice, np.repeat(few, 2, axis=0))


def test_an_answer_is_the_same_in_any_panel(market: Panel) -> None:
    some = market.select(np.arange(1000, 1300))
    alone = some.select(np.array([299, 17]))
    first, second = (slice(some.offsets[i], some.offsets[i + 1]) for i in (299, 17))
    together = ask_all(some, np.concatenate([np.arange(some.n_records)[first], np.arange(some.n_records)[second]]))
    np.testing.assert_allclose(ask_all(alone, np.arange(alone.n_records)), together, atol=1e-5)


@settings(max_examples=15)
@given(person=st.integers(0, 199), target=st.integers(0, 25), seed=st.integers(0, 1000))
def test_the_oracle_does_not_peek(market: Panel, person: int, target: int, seed: int) -> None:
    """Whatever the target's state and everything after it are, the answer is the same."""
    one = market.select(np.array([person]))
    target = min(target, one.n_records - 1)
    rng, changed = np.random.default_rng(seed), one.state.copy()
    changed[target:] = rng.integers(0, one.n_states, one.n_records - target)
    education = one.covariates["education"]
    levels = education.values.copy()
    levels[target + 1 :] = rng.integers(0, len(EDUCATION), one.n_records - target - 1)
    covariates = {**one.covariates, "education": replace(education, values=levels)}
    other = replace(one, state=changed, covariates=covariates)
    records = np.arange(one.n_records)
    before, after = ask_all(one, records), ask_all(other, records)
    np.testing.assert_array_equal(before[: target + 1], after[: target + 1])
    assert np.isfinite(after).all()


def test_predicted_probabilities_come_true(market: Panel, rows: np.ndarray) -> None:
    """By decile of the predicted stay rate, and by destination: within four binomial standard errors."""
    some = market.select(np.arange(1200))
    t = some.transitions
    happened, origin = some.state[t], some.origin(t)
    predicted = rows[np.arange(len(t)), origin]
    for decile in np.array_split(np.argsort(predicted), 10):
        p = predicted[decile]
        assert abs(((happened == origin)[decile] - p).sum()) < 4 * np.sqrt((p * (1 - p)).sum())
    for states in (NOT_AT_WORK, [SCHOOL], range(0, 15), range(150, 165), range(225, 240), range(285, 330)):
        p = rows[:, list(states)].sum(axis=1)
        assert abs(np.isin(happened, list(states)).sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


@pytest.mark.parametrize("population", ["survey", "resumes"])
def test_the_log_likelihood_is_what_the_oracle_expects_of_itself(
    market: Panel, resumes: Panel, population: str
) -> None:
    """E ln P(observed) = -entropy, exactly when the probabilities are the truth."""
    some = market.select(np.arange(1200, 2400)) if population == "survey" else resumes
    log = ask_all(some, some.transitions).astype(np.float64)
    surprise = log[np.arange(len(log)), some.state[some.transitions]] - (np.exp(log) * log).sum(axis=1)
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(len(surprise))


def test_the_oracle_is_far_ahead_of_first_order_transitions(market: Panel, rows: np.ndarray) -> None:
    """Frequencies from all the other persons, smoothed to the margin; history must be worth at least 0.15 nats."""
    some, others = market.select(np.arange(1200)), market.select(np.arange(1200, market.n_persons))
    t = some.transitions
    counts = np.zeros((333, 333))
    np.add.at(counts, (others.origin(others.transitions), others.state[others.transitions]), 1)
    margin = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * 333)
    first_order = (counts + 10 * margin) / (counts.sum(axis=1, keepdims=True) + 10)
    truth = np.log(rows[np.arange(len(t)), some.state[t]])
    regret = truth - np.log(first_order[some.origin(t), some.state[t]])
    by_person = np.bincount(some.person[t], regret)
    assert regret.mean() > 0.15
    assert by_person.mean() > 10 * by_person.std() / np.sqrt(len(by_person))
    assert 6 < np.exp(-truth.mean()) < 9


def test_the_oracle_refuses_what_it_does_not_know(market: Panel) -> None:
    few, oracle = market.select(np.arange(5)), Oracle(NoParams())
    one = np.zeros((1, 1), dtype=int)
    with pytest.raises(RequestError, match="simulated panels only, and 'mine' is not one"):
        oracle.log_prob(replace(few, name="mine", source={}), few.transitions[:1], one)
    with pytest.raises(RequestError, match="version 1 of the market"):
        oracle.log_prob(replace(few, source={**few.source, "version": 0}), few.transitions[:1], one)
    less = {name: c for name, c in few.covariates.items() if name != "education"}
    with pytest.raises(RequestError, match="lack education"):
        oracle.log_prob(replace(few, covariates=less), few.transitions[:1], one)
    region = Covariate("categorical", few.covariates["region"].values, ("north", "south"), fixed=True)
    with pytest.raises(RequestError, match="'region' of 'market' was changed"):
        oracle.log_prob(replace(few, covariates={**few.covariates, "region": region}), few.transitions[:1], one)
