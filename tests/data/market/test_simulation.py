"""The simulated labor market: what it looks like, and that it can be drawn again."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from harness.data.market import MarketParams, load_market
from harness.data.market.draws import person_uniforms
from harness.data.market.economy import attributes, distances
from harness.data.market.population import POPULATIONS
from harness.data.market.simulate import LONGEST_CAREER, draw_careers, draw_people
from harness.data.market.titles import EDUCATION, N_JOBS, OUT, SCHOOL, UNEMPLOYED, words
from harness.panel.careers import Panel
from harness.panel.occupations import Status
from harness.registry import load_registry

NOT_AT_WORK = [UNEMPLOYED, OUT]


# --- the state space ---------------------------------------------------------------------------------------------


def test_titles_are_many_and_none_begins_another(market: Panel) -> None:
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


def test_titles_that_read_alike_are_alike() -> None:
    gap = distances(attributes())
    shared: dict[int, list[float]] = {1: [], 0: []}
    for a, b in combinations(range(N_JOBS), 2):
        if a // 15 != b // 15:  # in different major groups
            shared[int(words(a)[0] == words(b)[0])].append(gap[a, b])
    within = np.mean([gap[15 * g : 15 * g + 15, 15 * g : 15 * g + 15].sum() / (15 * 14) for g in range(22)])
    assert len(shared[1]) > 100
    assert np.mean(shared[1]) < np.mean(shared[0]) - 0.05
    assert within < 0.6 * np.mean(shared[0])


# --- moments -----------------------------------------------------------------------------------------------------


def test_moments_resemble_survey_careers(market: Panel) -> None:
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


def test_careers_have_a_record_every_year(market: Panel) -> None:
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


def test_resumes_over_represent_college_and_work(market: Panel, resumes: Panel) -> None:
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


def test_the_same_parameters_give_the_same_panel(market: Panel) -> None:
    assert load_market(MarketParams()).fingerprint() == market.fingerprint()
    assert load_market(MarketParams(seed=2)).fingerprint() != market.fingerprint()


def test_the_panel_is_the_one_of_this_version(market: Panel) -> None:
    """On every machine. Whoever changes the market on purpose raises VERSION and puts the new digits here."""
    assert (market.source["version"], market.fingerprint()[:16]) == (1, "c4f3fef4724428c0")


def test_more_persons_leave_the_earlier_ones_as_they_were(market: Panel) -> None:
    few = load_market(MarketParams(persons=300))
    assert few.fingerprint() == market.select(np.arange(300)).fingerprint()  # states, covariates, ids and splits
    past_a_chunk = load_market(MarketParams(persons=2100))
    assert past_a_chunk.fingerprint() == market.select(np.arange(2100)).fingerprint()


def test_a_persons_draws_are_alike_in_any_range() -> None:
    whole = person_uniforms("test", range(0, 700), 3)
    assert np.array_equal(person_uniforms("test", range(250, 520), 3), whole[250:520])
    assert len(np.unique(whole)) == whole.size
    assert abs(whole.mean() - 0.5) < 4 / np.sqrt(12 * whole.size)


def test_the_name_carries_parameters_that_are_not_the_defaults(market: Panel, resumes: Panel) -> None:
    assert market.name == "market"
    assert load_market(MarketParams(persons=5, seed=3)).name == "market-persons-5-seed-3"
    assert resumes.name == "market-resumes-persons-1500-seed-1"
    assert market.source["generator"] == "market"
    assert (market.source["population"], resumes.source["population"]) == ("survey", "resumes")


def test_registered() -> None:
    registry = load_registry()
    assert registry.dataset("market").simulated
    assert registry.dataset("market-resumes").simulated
    assert registry.model("oracle").item.simulated_only


# --- education is known before the state -------------------------------------------------------------------------


@pytest.mark.parametrize("year", [1, 4, 9])
def test_education_depends_on_earlier_states_alone(year: int) -> None:
    people = draw_people(POPULATIONS["survey"], 1, range(600))
    chance = person_uniforms("any", range(600), 2 * LONGEST_CAREER).reshape(600, 2, LONGEST_CAREER)
    state, education = draw_careers(people, chance)
    chance[:, 1, year:] = 1 - chance[:, 1, year:]
    other_state, other_education = draw_careers(people, chance)
    assert np.array_equal(state[:, :year], other_state[:, :year])
    assert (state[:, year] != other_state[:, year]).mean() > 0.3
    assert np.array_equal(education[:, : year + 1], other_education[:, : year + 1])
    assert not np.array_equal(education, other_education)  # but later levels do depend on years in school


def test_education_rises_by_a_level_at_most_and_sooner_after_school(market: Panel) -> None:
    t = market.transitions
    education = market.covariates["education"].values
    step = education[t] - education[t - 1]
    assert set(np.unique(step)) == {0, 1}
    studied = market.origin(t) == SCHOOL
    assert step[studied].mean() > step[~studied].mean() + 0.05
