"""Two populations of the one market: a survey, and the resumes people post."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.data.market.draws import normals
from harness.data.market.skills import ETHNICITIES, GENDERS, N_TYPES, REGIONS, trait
from harness.types import FloatArray


@dataclass(frozen=True, slots=True)
class Population:
    """The persons who are sampled, and the years.

    births: first and last birth year, uniform. entry_age: first and last. years: first and last of the survey.
    leave: share of persons who leave it early, in a year drawn uniformly. selection: log-odds of a type per unit of
    its ability and of its attachment to work. demographics: whether the panel shows them.
    """

    name: str
    births: tuple[int, int]
    entry_age: tuple[int, int]
    years: tuple[int, int]
    leave: float
    selection: tuple[float, float]
    demographics: bool


POPULATIONS = {
    "survey": Population(
        name="survey",
        births=(1980, 1984),
        entry_age=(16, 19),
        years=(1997, 2022),
        leave=0.12,
        selection=(0.0, 0.0),
        demographics=True,
    ),
    "resumes": Population(
        name="resumes",
        births=(1962, 1990),
        entry_age=(18, 24),
        years=(1980, 2022),
        leave=0.8,
        selection=(0.7, 1.2),
        demographics=False,
    ),
}


@cache
def joint(population: str) -> FloatArray:
    """float64 [genders, ethnicities, regions, types]: their joint distribution; types by a multinomial logit."""
    chosen = POPULATIONS[population]
    gender = np.array([0.5, 0.5])
    ethnicity = np.array([0.04, 0.2, 0.22, 0.54])
    region = np.array([0.22, 0.16, 0.38, 0.24])
    ethnic_tilt = 0.35 * normals("ethnicity", len(ETHNICITIES) * N_TYPES).reshape(len(ETHNICITIES), 1, N_TYPES)
    region_tilt = 0.35 * normals("region", len(REGIONS) * N_TYPES).reshape(len(REGIONS), N_TYPES)
    women = np.array([0.5, -0.5])[:, None, None, None] * trait("women")
    odds = women + ethnic_tilt + region_tilt
    odds = odds + chosen.selection[0] * trait("ability") + chosen.selection[1] * trait("attachment")
    types = np.exp(odds)
    types /= types.sum(axis=3, keepdims=True)
    people = gender[:, None, None] * ethnicity[:, None] * region
    table = (people[..., None] * types).round(9)
    assert table.shape == (len(GENDERS), len(ETHNICITIES), len(REGIONS), N_TYPES)
    return np.asarray(table / table.sum(), dtype=np.float64)
