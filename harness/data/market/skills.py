"""Latent skill types of people, and the course of schooling for each. Fixed, whatever the population's seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.data.market.titles import EDUCATION
from harness.types import FloatArray

GENDERS = ("female", "male")
ETHNICITIES = ("asian", "black", "hispanic", "white")
REGIONS = ("midwest", "northeast", "south", "west")
OLDEST = 80


@dataclass(frozen=True, slots=True)
class SkillType:
    """A latent type. groups: the major groups whose mean attributes are its skills.

    ability: drives schooling. attachment: taste for work, in utils. mobility: taste for leaving an employer's
    occupation, in utils (the stay utility is lower by it). women: log-odds of the type, women against men.
    """

    groups: tuple[str, ...]
    ability: float
    attachment: float
    mobility: float
    women: float


TYPES: tuple[SkillType, ...] = (
    SkillType(("11", "13"), 1.2, 0.7, 0.2, 0.0),
    SkillType(("15", "17"), 1.4, 0.6, -0.2, -0.9),
    SkillType(("19", "29"), 1.6, 0.5, -0.4, 0.3),
    SkillType(("25", "21"), 1.1, 0.4, -0.5, 0.8),
    SkillType(("23", "43"), 0.9, 0.3, 0.0, 0.4),
    SkillType(("27", "41"), 0.6, -0.1, 0.7, 0.0),
    SkillType(("29", "31"), 0.5, 0.3, -0.3, 0.9),
    SkillType(("43", "13"), 0.2, 0.4, -0.2, 0.7),
    SkillType(("41", "11"), 0.0, 0.2, 0.4, 0.0),
    SkillType(("31", "39"), -0.4, -0.3, 0.1, 1.2),
    SkillType(("35", "41"), -0.5, -0.2, 0.6, 0.3),
    SkillType(("35", "37"), -1.0, -0.7, 0.3, 0.1),
    SkillType(("47", "49"), -0.4, 0.3, 0.0, -1.6),
    SkillType(("51", "49"), -0.3, 0.5, -0.6, -0.7),
    SkillType(("53", "47"), -0.8, -0.2, 0.5, -1.2),
    SkillType(("45", "37"), -1.1, -0.8, 0.2, -0.5),
    SkillType(("33", "53"), -0.2, 0.2, -0.3, -0.8),
    SkillType(("43", "39"), -0.9, -1.6, 0.1, 0.8),
    SkillType(("51", "53"), -1.3, -1.4, 0.4, -0.2),
    SkillType(("15", "27"), 0.7, -0.2, 0.5, -0.4),
)
N_TYPES = len(TYPES)
N_CLASSES = N_TYPES * len(GENDERS)  # class = gender * N_TYPES + type: what the oracle cannot always see


def trait(name: str) -> FloatArray:
    """float64 [types]: one number of every type."""
    return np.array([getattr(t, name) for t in TYPES], dtype=np.float64)


@dataclass(frozen=True)
class Schooling:
    """Education before and during a career; probabilities known to the oracle.

    entry: float64 [types, ages, levels], education at the first record given the age at it. rise: float64
    [2, types, levels, ages], P(one level more than in the year before | age this year), the first axis telling whether
    last year's state was school. It is drawn before the year's state and knows nothing of it.
    """

    entry: FloatArray
    rise: FloatArray


@cache
def schooling() -> Schooling:
    """Logit hazards with a peak age for each level; education at entry is that hazard run from age 15."""
    ages = np.arange(OLDEST + 1)
    # from: no diploma, high school, some college, bachelor, graduate (no further)
    base = np.array([0.0, -2.0, -1.7, -3.6, -30.0])
    taste = np.array([0.9, 1.1, 1.0, 0.8, 0.0])
    peak = np.array([18.5, 19.5, 22.5, 26.0, 0.0])
    width = np.array([1.4, 3.0, 2.5, 5.0, 1.0])
    in_school = 1.6  # what last year's being in school adds
    late = np.minimum(((ages - peak[:, None]) / width[:, None]) ** 2, 5.0)  # [levels, ages]
    logit = base[:, None] + taste[:, None] * trait("ability")[:, None, None] - late  # [types, levels, ages]
    logit = np.stack([logit, logit + in_school])
    rise = 1.0 / (1.0 + np.exp(-logit))
    for place, earliest in enumerate((17, 18, 21, 22)):
        rise[:, :, place, :earliest] = 0.0
    entry = np.zeros((N_TYPES, OLDEST + 1, len(EDUCATION)))
    entry[:, :16, 0] = 1.0
    for age in range(16, OLDEST + 1):
        up = entry[:, age - 1] * rise[1, :, :, age]
        entry[:, age] = entry[:, age - 1] - up
        entry[:, age, 1:] += up[:, :-1]
    return Schooling(entry=entry.round(9), rise=rise.round(9))
