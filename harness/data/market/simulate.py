"""Draws careers from the market, vectorised over persons, and makes a panel of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.data.market.draws import person_uniforms, pick
from harness.data.market.economy import VERSION, economy
from harness.data.market.history import MarketHistory, Now, visible_utility
from harness.data.market.population import POPULATIONS, Population, joint
from harness.data.market.skills import ETHNICITIES, GENDERS, N_TYPES, REGIONS, schooling
from harness.data.market.titles import EDUCATION, N_JOBS, SCHOOL, occupations
from harness.panel.careers import Covariate, Panel, split_by_hash
from harness.types import FloatArray, IntArray

LONGEST_CAREER = 30  # records of a career at most
CHUNK = 256  # persons at a time: [256, 333] utilities are 0.7 MB, which stays in a processor's own cache


@dataclass(frozen=True)
class People:
    """Traits of n persons before they choose anything, int64 [n] each; ``skill`` (a type) is never shown."""

    gender: IntArray
    ethnicity: IntArray
    region: IntArray
    skill: IntArray
    birth_year: IntArray
    entry_year: IntArray
    records: IntArray

    @property
    def latent_class(self) -> IntArray:
        return self.gender * N_TYPES + self.skill


def draw_people(population: Population, seed: int, persons: range) -> People:
    """Everything about a person that no choice changes."""
    uniform = person_uniforms(f"{population.name}:{seed}:people", persons, 5)
    table = joint(population.name)
    cell = np.minimum(np.searchsorted(np.cumsum(table), uniform[:, 0]), table.size - 1)
    gender, ethnicity, region, skill = np.unravel_index(cell, table.shape)

    def between(column: int, bounds: tuple[int, int]) -> IntArray:
        return bounds[0] + np.floor(uniform[:, column] * (bounds[1] - bounds[0] + 1)).astype(np.int64)

    birth = between(1, population.births)
    entry = np.maximum(birth + between(2, population.entry_age), population.years[0])
    possible = np.minimum(population.years[1] - entry + 1, LONGEST_CAREER)
    early = uniform[:, 3] < population.leave
    records = np.where(early, 2 + np.floor(uniform[:, 4] * (possible - 2)).astype(np.int64), possible)
    return People(
        gender=gender,
        ethnicity=ethnicity,
        region=region,
        skill=skill,
        birth_year=birth,
        entry_year=entry,
        records=records,
    )


def draw_careers(people: People, chance: FloatArray) -> tuple[IntArray, IntArray]:
    """(state, education), int16 [n, longest career], -1 after a career's end.

    chance: float64 [n, 2, LONGEST_CAREER], uniform: what moves education in a year, and after that the choice of state.
    """
    tables, school = economy(), schooling()
    n, longest = len(people.skill), int(people.records.max())
    state = np.full((n, longest), -1, dtype=np.int16)
    education = np.full((n, longest), -1, dtype=np.int16)
    history, alive = MarketHistory(n), np.arange(n)
    for t in range(longest):
        going = np.flatnonzero(people.records[alive] > t)
        alive = alive[going]
        history.keep(going)
        skill, year = people.skill[alive], people.entry_year[alive] + t
        age = year - people.birth_year[alive]
        if t == 0:
            level = pick(school.entry[skill, age], chance[alive, 0, t])
        else:
            level = education[alive, t - 1].astype(np.int64)
            studied = (history.last == SCHOOL).astype(np.int64)
            level += chance[alive, 0, t] < school.rise[studied, skill, level, age]
        utility = visible_utility(tables, history, Now(age, year, level))
        latent = people.latent_class[alive]
        utility += tables.taste[latent]
        worked = np.flatnonzero(history.last < N_JOBS)
        utility[worked, history.last[worked]] -= tables.mobility[latent[worked]]
        choice = pick(np.exp(utility - utility.max(axis=1, keepdims=True)), chance[alive, 1, t])
        state[alive, t], education[alive, t] = choice, level
        history.advance(choice)
    return state, education


def draw_panel(population: str, persons: int, seed: int, part: range | None = None) -> Panel:
    """The panel of persons 0 to ``persons`` - 1 of a population, split by hash; source says how to draw it again.

    part: of these persons alone, who are the same as among all.
    """
    chosen, drawn = POPULATIONS[population], part or range(persons)
    people, states, educations = [], [], []
    for start in range(drawn.start, drawn.stop, CHUNK):
        some = range(start, min(start + CHUNK, drawn.stop))
        these = draw_people(chosen, seed, some)
        chance = person_uniforms(f"{population}:{seed}:careers", some, 2 * LONGEST_CAREER).reshape(
            len(some), 2, LONGEST_CAREER
        )
        state, education = draw_careers(these, chance)
        people.append(these)
        states.append(state[state >= 0])
        educations.append(education[education >= 0])
    panel = _panel((chosen, seed), people, np.concatenate(states), np.concatenate(educations))
    ids = np.array([f"{chosen.name[0]}{seed}-{i:06d}" for i in drawn])
    return replace(panel, persons=ids, split=split_by_hash(ids), source={**panel.source, "persons": persons})


def _panel(drawn_from: tuple[Population, int], people: list[People], state: IntArray, education: IntArray) -> Panel:
    """The panel of these people and of their records, one person's after another's; ids and splits are to come."""
    population, seed = drawn_from

    def column(name: str) -> IntArray:
        return np.concatenate([getattr(some, name) for some in people])

    records = column("records")
    offsets = np.concatenate([[0], np.cumsum(records)]).astype(np.int64)
    person = np.repeat(np.arange(len(records)), records)
    year = column("entry_year")[person] + np.arange(offsets[-1]) - offsets[:-1][person]
    covariates = {
        "birth_year": Covariate("numeric", column("birth_year")[person].astype(np.float64), fixed=True),
        "education": Covariate("categorical", education.astype(np.int32), EDUCATION),
    }
    if population.demographics:
        for name, levels in (("gender", GENDERS), ("ethnicity", ETHNICITIES), ("region", REGIONS)):
            covariates[name] = Covariate("categorical", column(name)[person].astype(np.int32), levels, fixed=True)
    source = {"generator": "market", "population": population.name, "persons": len(records), "seed": seed}
    return Panel(
        name="market" if population.demographics else "market-resumes",
        persons=np.arange(len(records)).astype(str),
        offsets=offsets,
        year=year.astype(np.int32),
        state=state.astype(np.int32),
        occupations=occupations(),
        split=np.zeros(len(records), dtype=np.int8),
        covariates=covariates,
        source={**source, "version": VERSION},
    )
