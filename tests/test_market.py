"""The simulated labor market: what it looks like, that it can be drawn again, and that the oracle knows the truth.

``by_hand`` works one career out from the documented equations, in closed forms over the whole history and over every
cell of gender, ethnicity, region and type, so it shares no step with the recursion that the oracle runs.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.market import MarketParams, ResumesParams, load_market, load_resumes
from harness.data.market.draws import person_uniforms
from harness.data.market.economy import FIRST_YEAR, RECALL, attributes, distances, economy
from harness.data.market.history import FADE, FORGET
from harness.data.market.population import POPULATIONS, joint
from harness.data.market.simulate import LONGEST, draw_careers, draw_people
from harness.data.market.skills import N_TYPES, TYPES, schooling
from harness.data.market.titles import EDUCATION, N_JOBS, OUT, SCHOOL, UNEMPLOYED, words
from harness.errors import RequestError
from harness.model import NoParams
from harness.panel import Covariate, Panel, Status
from harness.plugins.oracle import Oracle
from harness.registry import load_registry

NOT_AT_WORK = [UNEMPLOYED, OUT]


@pytest.fixture(scope="module")
def market() -> Panel:
    return load_market(MarketParams())


@pytest.fixture(scope="module")
def resumes() -> Panel:
    return load_resumes(ResumesParams(persons=1500))


@pytest.fixture(scope="module")
def rows(market) -> np.ndarray:
    """float64 [transitions of the first 1,200 persons, K]: the oracle's probabilities."""
    some = market.select(np.arange(1200))
    return np.exp(ask_all(some, some.transitions).astype(np.float64))


def ask_all(panel: Panel, transitions: np.ndarray) -> np.ndarray:
    states = np.broadcast_to(np.arange(panel.n_states), (len(transitions), panel.n_states))
    return Oracle(NoParams()).log_prob(panel, transitions, states)


def level(panel: Panel, name: str, record: int) -> int:
    return int(panel.covariates[name].values[record])


# --- the state space ---------------------------------------------------------------------------------------------


def test_titles_are_many_and_none_begins_another(market):
    titles = [title.lower() for title in market.occupations.titles]
    assert len(set(titles)) == len(titles) == 333
    assert not [(a, b) for a in titles for b in titles if a != b and b.startswith(a)]
    assert market.occupations.has_status(Status.EMPLOYED).sum() >= 300
    employed = market.occupations.has_status(Status.EMPLOYED)
    assert len({g for g, works in zip(market.occupations.groups, employed, strict=True) if works}) == 22
    assert [market.occupations.statuses[s] for s in (UNEMPLOYED, SCHOOL, OUT)] == [
        Status.UNEMPLOYED,
        Status.EDUCATION,
        Status.OUT,
    ]


def test_titles_that_read_alike_are_alike():
    gap = distances(attributes())
    shared = {1: [], 0: []}
    for a, b in combinations(range(N_JOBS), 2):
        if a // 15 != b // 15:  # in different major groups
            shared[int(words(a)[0] == words(b)[0])].append(gap[a, b])
    within = np.mean([gap[15 * g : 15 * g + 15, 15 * g : 15 * g + 15].sum() / (15 * 14) for g in range(22)])
    assert len(shared[1]) > 100
    assert np.mean(shared[1]) < np.mean(shared[0]) - 0.05
    assert within < 0.6 * np.mean(shared[0])


# --- moments -----------------------------------------------------------------------------------------------------


def test_moments_resemble_survey_careers(market):
    """Bands around the moments of survey careers: stay rates, flows, shares, distinct states, recall."""
    t = market.transitions
    origin, state = market.origin(t), market.state[t]
    stay, age = origin == state, market.age()[t - 1]
    assert stay.mean() == pytest.approx(0.640, abs=0.02)
    bounds = [(0, 17), (18, 20), (21, 24), (25, 29), (30, 34), (35, 99)]
    by_age = [stay[(age >= low) & (age <= high)].mean() for low, high in bounds]
    assert by_age == pytest.approx([0.467, 0.428, 0.561, 0.684, 0.768, 0.820], abs=0.07)

    worked, idle = origin < N_JOBS, np.isin(origin, NOT_AT_WORK)
    assert stay[worked].mean() == pytest.approx(0.642, abs=0.02)
    assert np.isin(state[idle], NOT_AT_WORK).mean() == pytest.approx(0.646, abs=0.04)
    assert stay[origin == SCHOOL].mean() == pytest.approx(0.482, abs=0.08)
    assert np.isin(state[worked], NOT_AT_WORK).mean() == pytest.approx(0.048, abs=0.006)
    assert (state[idle] < N_JOBS).mean() == pytest.approx(0.333, abs=0.03)
    assert (state[idle & (age >= 25)] < N_JOBS).mean() == pytest.approx(0.205, abs=0.03)

    assert np.isin(market.state, NOT_AT_WORK).mean() == pytest.approx(0.176, abs=0.02)
    assert 0.01 < (market.state == SCHOOL).mean() < 0.04
    assert min((market.state == s).mean() for s in NOT_AT_WORK) > 0.04

    cells, first = np.unique(market.person * market.n_states + market.state, return_index=True)
    distinct = np.bincount(cells // market.n_states)
    assert distinct.mean() == pytest.approx(7.1, abs=0.4)
    assert np.median(distinct) == 7
    movers = t[~stay]
    assert 1 - np.isin(movers, first).mean() == pytest.approx(0.21, abs=0.03)
    share = np.bincount(market.state) / market.n_records
    assert np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()) > 60


def test_careers_have_a_record_every_year(market):
    t = market.transitions
    assert (market.year[t] - market.year[t - 1] == 1).all()
    assert 45_000 < market.n_records < 55_000
    entry_age = market.age()[market.entries]
    assert entry_age.min() >= 16
    assert entry_age.max() <= 22
    assert {name: c.fixed for name, c in market.covariates.items()} == {
        "birth_year": True,
        "gender": True,
        "ethnicity": True,
        "region": True,
        "education": False,
    }


def test_resumes_over_represent_college_and_work(market, resumes):
    def college(panel: Panel) -> float:
        return float((panel.covariates["education"].values >= EDUCATION.index("bachelor")).mean())

    assert college(resumes) > college(market) + 0.2
    assert np.isin(resumes.state, NOT_AT_WORK).mean() < 0.6 * np.isin(market.state, NOT_AT_WORK).mean()
    assert set(resumes.covariates) == {"birth_year", "education"}
    assert resumes.occupations == market.occupations
    birth = market.covariates["birth_year"].values, resumes.covariates["birth_year"].values
    assert birth[1].min() < birth[0].min()
    assert not set(market.persons) & set(resumes.persons)


# --- drawing again -----------------------------------------------------------------------------------------------


def test_the_same_parameters_give_the_same_panel(market):
    assert load_market(MarketParams()).fingerprint() == market.fingerprint()
    assert load_market(MarketParams(seed=2)).fingerprint() != market.fingerprint()


def test_the_panel_is_the_one_of_this_version(market):
    """On every machine. Whoever changes the market on purpose raises VERSION and puts the new digits here."""
    assert (market.source["version"], market.fingerprint()[:16]) == (1, "c4f3fef4724428c0")


def test_more_persons_leave_the_earlier_ones_as_they_were(market):
    few = load_market(MarketParams(persons=300))
    assert few.fingerprint() == market.select(np.arange(300)).fingerprint()  # states, covariates, ids and splits
    past_a_chunk = load_market(MarketParams(persons=2100))
    assert past_a_chunk.fingerprint() == market.select(np.arange(2100)).fingerprint()


def test_draws_of_a_person_do_not_depend_on_the_range_asked_for():
    whole = person_uniforms("test", range(0, 700), 3)
    assert np.array_equal(person_uniforms("test", range(250, 520), 3), whole[250:520])
    assert len(np.unique(whole)) == whole.size
    assert abs(whole.mean() - 0.5) < 4 / np.sqrt(12 * whole.size)


def test_the_name_carries_parameters_that_are_not_the_defaults(market, resumes):
    assert market.name == "market"
    assert load_market(MarketParams(persons=5, seed=3)).name == "market-persons-5-seed-3"
    assert resumes.name == "market-resumes-persons-1500-seed-1"
    assert market.source["generator"] == "market"
    assert (market.source["population"], resumes.source["population"]) == ("survey", "resumes")


def test_registered():
    registry = load_registry()
    assert registry.dataset("market").simulated
    assert registry.dataset("market-resumes").simulated
    assert registry.model("oracle").item.simulated_only


# --- education is known before the state -------------------------------------------------------------------------


@pytest.mark.parametrize("year", [1, 4, 9])
def test_education_never_depends_on_the_states_of_its_own_year_or_later(year):
    people = draw_people(POPULATIONS["survey"], 1, range(600))
    chance = person_uniforms("any", range(600), 2 * LONGEST).reshape(600, 2, LONGEST)
    state, education = draw_careers(people, chance)
    chance[:, 1, year:] = 1 - chance[:, 1, year:]
    other_state, other_education = draw_careers(people, chance)
    assert np.array_equal(state[:, :year], other_state[:, :year])
    assert (state[:, year] != other_state[:, year]).mean() > 0.3
    assert np.array_equal(education[:, : year + 1], other_education[:, : year + 1])
    assert not np.array_equal(education, other_education)  # but later levels do depend on years in school


def test_education_rises_by_a_level_at_most_and_sooner_after_school(market):
    t = market.transitions
    education = market.covariates["education"].values
    step = education[t] - education[t - 1]
    assert set(np.unique(step)) == {0, 1}
    studied = market.origin(t) == SCHOOL
    assert step[studied].mean() > step[~studied].mean() + 0.05


# --- the oracle --------------------------------------------------------------------------------------------------


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
        for gender, kind in product(range(2), range(N_TYPES)):
            v = u + table.taste[gender * N_TYPES + kind]
            if t and past[-1] < N_JOBS:
                v[past[-1]] -= TYPES[kind].mobility
            answer[t, gender, kind] = np.exp(v) / np.exp(v).sum()
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
    return weight / weight.sum(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("population", ["survey", "resumes"])
def test_the_oracle_equals_bayes_worked_by_hand(market, resumes, population):
    panel = market if population == "survey" else resumes
    some = panel.select(np.argsort(np.diff(panel.offsets), kind="stable")[[40, 200, 400]])
    answer = np.exp(ask_all(some, np.arange(some.n_records)))
    for person in range(some.n_persons):
        given_class = by_class(some, person)
        expected = np.einsum("tgk,tgks->ts", weights_by_hand(some, person, given_class), given_class)
        records = slice(some.offsets[person], some.offsets[person + 1])
        np.testing.assert_allclose(answer[records], expected, rtol=2e-5, atol=1e-9)


def test_inferring_types_beats_not_inferring_them(market):
    """Bayes against the prior's weights, and against the weights of types that were swapped, paired on persons."""
    some = market.select(np.arange(60))
    log = {"bayes": np.zeros(60), "prior": np.zeros(60), "swapped": np.zeros(60)}
    for person in range(60):
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


def test_rows_sum_to_one_for_any_transitions_of_any_persons(market):
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


def test_an_answer_does_not_depend_on_who_else_is_in_the_panel(market):
    some = market.select(np.arange(1000, 1300))
    alone = some.select(np.array([299, 17]))
    first, second = (slice(some.offsets[i], some.offsets[i + 1]) for i in (299, 17))
    together = ask_all(some, np.concatenate([np.arange(some.n_records)[first], np.arange(some.n_records)[second]]))
    np.testing.assert_allclose(ask_all(alone, np.arange(alone.n_records)), together, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(person=st.integers(0, 199), target=st.integers(0, 25), seed=st.integers(0, 1000))
def test_the_oracle_does_not_peek(market, person, target, seed):
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


def test_predicted_probabilities_come_true(market, rows):
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
def test_the_log_likelihood_is_what_the_oracle_expects_of_itself(market, resumes, population):
    """E ln P(observed) = -entropy, exactly when the probabilities are the truth."""
    some = market.select(np.arange(1200, 2400)) if population == "survey" else resumes
    log = ask_all(some, some.transitions).astype(np.float64)
    surprise = log[np.arange(len(log)), some.state[some.transitions]] - (np.exp(log) * log).sum(axis=1)
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(len(surprise))


def test_the_oracle_is_far_ahead_of_first_order_transitions(market, rows):
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


def test_the_oracle_refuses_what_it_does_not_know(market):
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
