"""The fixed tables of utilities: what every occupation offers and what every move costs.

Utility of state j for a person of class c (skill type and gender) with history h, in utils of a multinomial logit:

    u_j = offer_j(education, age, year) + move(last, j) + history_j(h) + taste_cj - mobility_c 1[j = last, employed]

The first three terms depend on what everyone can see (``harness.data.market.history`` adds them up); the last two are
latent. The tables are built from words by a constant seed and rounded, so every machine has the same economy.

Source: after Keane and Wolpin (1997), "The Career Decisions of Young Men", JPE 105(3): finitely many skill types choose
each year among work, school and home; here the choice is static with switching costs, and over 330 occupations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.data.market.draws import normals
from harness.data.market.skills import GENDERS, N_TYPES, OLDEST, TYPES, trait
from harness.data.market.titles import (
    EDUCATION,
    GROUPS,
    N_JOBS,
    OUT,
    ROLE_TRAITS,
    ROLES,
    SCHOOL,
    SPECIALTIES,
    TRAITS,
    UNEMPLOYED,
    words,
)
from harness.types import FloatArray, IntArray

VERSION = 1  # whatever changes a table or a draw is a new version: another data set
K = N_JOBS + 3
N_GROUPS = len(GROUPS)
GROUP_SIZE = SPECIALTIES * ROLES
FIRST_YEAR, LAST_YEAR = 1970, 2040
NONE = K  # the "last state" of a career's first record

# Calibrated to the moments of survey careers; tests hold the market to them. All in utils.
MATCH = 0.17  # taste for an occupation per unit of skills along its attributes
SPREAD = 0.42  # s.d. of what an occupation offers beyond its group and role
UNDER, OVER = 1.5, 0.75  # per level of education short of, and beyond, the usual one
DISTANCE = 2.0  # cost of moving per unit of distance, the mean distance between two occupations being one
FAMILY, LADDER = 0.75, 0.5  # log(1 + experience in the group), and how much more it is worth in senior roles
RECALL = 2.1  # an occupation held last year, fading
TENURE = (0.6, 0.35, 0.2, 0.45)  # log(1 + years in the state), by kind of state: work, unemployed, school, out
# Utility of moving, from (rows: work, unemployed, school, out, nothing yet) to (work, unemployed, school, out).
MOVE = (
    (0.00, 0.00, 0.00, 0.00),
    (0.00, 0.00, 1.80, 2.18),
    (0.00, 1.63, 1.00, 1.87),
    (0.00, 1.94, 2.64, 0.00),
    (0.00, 2.10, 1.86, 2.75),
)
# At these ages, straight lines between them: what not working is worth, and what keeping the last state is worth, by
# kind of state (work, unemployed, school, out). The young shop around.
AGES = (17.0, 19.0, 22.5, 27.0, 32.0, 37.0)
PULL = (
    (0.00, 0.00, 0.00, 0.00, 0.00, 0.00),
    (3.70, 2.65, 2.69, 2.96, 3.73, 3.83),
    (1.68, 1.19, 1.28, 1.59, 2.21, 1.66),
    (3.60, 2.70, 2.28, 3.08, 3.41, 3.96),
)
STAY = (
    (1.10, -0.28, 0.02, 0.40, 0.62, 0.80),
    (1.00, 1.00, 3.20, 3.30, 3.42, 3.25),
    (3.39, 3.70, 3.93, 3.80, 3.79, 4.11),
    (2.19, 2.87, 3.62, 3.49, 3.63, 3.28),
)


@dataclass(frozen=True)
class Economy:
    """Float64 tables, rounded to 1e-6.

    education: [levels, K], with what the occupation offers to all. age: [ages, K]. year: [years, K], from FIRST_YEAR.
    move: [K + 1, K], from the last state (row K: none). stay: [ages, K], for keeping the last state. tenure: [K].
    ladder: [jobs], worth of a log year in the group. taste: [classes, K]. mobility: [classes].
    """

    education: FloatArray
    age: FloatArray
    year: FloatArray
    move: FloatArray
    stay: FloatArray
    tenure: FloatArray
    ladder: FloatArray
    taste: FloatArray
    mobility: FloatArray


def _by_group(name: str) -> FloatArray:
    """float64 [jobs]: a number of each occupation's group."""
    return np.repeat(np.array([getattr(g, name) for g in GROUPS], dtype=np.float64), GROUP_SIZE)


def _by_role(position: int) -> FloatArray:
    """float64 [jobs]: a number of each occupation's role."""
    roles = [words(job)[1] for job in range(N_JOBS)]
    return np.array([ROLE_TRAITS.get(role, (0.0, 0.0, 0.0))[position] for role in roles])


def _word_mean(text: str) -> FloatArray:
    vectors = [normals(f"word:{word.lower()}", len(TRAITS)) for word in text.split()]
    return np.asarray(np.mean(vectors, axis=0), dtype=np.float64)


def attributes() -> FloatArray:
    """float64 [jobs, traits]: the group's traits, the specialty's and the role's words, and a little of its own."""
    group = np.array([[int(digit) for digit in g.traits] for g in GROUPS], dtype=np.float64)
    group = (group - group.mean(axis=0)) / group.std()
    own = normals("attributes", N_JOBS * len(TRAITS)).reshape(N_JOBS, len(TRAITS))
    pairs = [words(job) for job in range(N_JOBS)]
    specialty = np.array([_word_mean(pair[0]) for pair in pairs])
    role = np.array([_word_mean(pair[1]) for pair in pairs])
    return np.repeat(group, GROUP_SIZE, axis=0) + 0.45 * specialty + 0.45 * role + 0.1 * own


def distances(a: FloatArray) -> FloatArray:
    """float64 [jobs, jobs]: Euclidean between attributes, in units of its mean over pairs."""
    squared = (a**2).sum(axis=1)
    gap = np.sqrt(np.maximum(squared[:, None] + squared - 2 * a @ a.T, 0.0))
    np.fill_diagonal(gap, 0.0)
    return np.asarray(gap / gap[~np.eye(len(a), dtype=bool)].mean(), dtype=np.float64)


def _education() -> FloatArray:
    weight = np.log(_by_group("share")) + _by_role(2) + SPREAD * normals("offers", N_JOBS)
    needed = np.clip(_by_group("schooling") + _by_role(0), 0, len(EDUCATION) - 1)
    gap = needed - np.arange(len(EDUCATION))[:, None]  # [levels, jobs]
    table = np.zeros((len(EDUCATION), K))
    table[:, :N_JOBS] = weight - UNDER * np.maximum(gap, 0) - OVER * np.maximum(-gap, 0)
    table[:, UNEMPLOYED] = [0.5, 0.2, 0.0, -0.3, -0.4]
    table[:, OUT] = [0.6, 0.1, 0.0, -0.2, -0.3]
    table[:, SCHOOL] = [0.2, 0.2, 0.8, 0.1, -0.8]
    return table


def _age() -> FloatArray:
    decades = (np.arange(OLDEST + 1.0) - 26) / 10
    table = np.zeros((len(decades), K))
    slope = 0.9 * _by_role(1) - _by_group("youth") / 2
    table[:, :N_JOBS] = np.clip(decades, -1.2, 2.0)[:, None] * slope
    for state, pull in zip((UNEMPLOYED, SCHOOL, OUT), PULL[1:], strict=True):
        table[:, state] = np.interp(np.arange(OLDEST + 1), AGES, pull)
    return table


def _year() -> FloatArray:
    years = np.arange(FIRST_YEAR, LAST_YEAR + 1.0)
    trend = 0.3 * np.repeat(normals("trends", N_GROUPS), GROUP_SIZE)
    table = np.zeros((len(years), K))
    table[:, :N_JOBS] = np.clip((years - 2008) / 12, -2, 2)[:, None] * trend
    for peak, depth in ((1992, 0.3), (2002, 0.25), (2010, 0.6), (2020, 0.45)):  # recessions
        table[:, UNEMPLOYED] += depth * np.exp(-(((years - peak) / 1.5) ** 2))
    return table


def _kinds() -> IntArray:
    kind = np.zeros(K + 1, dtype=np.int64)
    kind[[UNEMPLOYED, SCHOOL, OUT, NONE]] = [1, 2, 3, 4]
    return kind


def _move(distance: FloatArray) -> FloatArray:
    kind = _kinds()
    table = np.array(MOVE)[kind][:, kind[:K]]
    table[:N_JOBS, :N_JOBS] -= DISTANCE * distance
    return table


def _stay() -> FloatArray:
    by_kind = [np.interp(np.arange(OLDEST + 1), AGES, stay) for stay in STAY]
    return np.array(by_kind).T[:, _kinds()[:K]]


def _taste(a: FloatArray) -> FloatArray:
    group = a.reshape(N_GROUPS, GROUP_SIZE, -1).mean(axis=1)
    code = [g.code for g in GROUPS]
    skills = np.array([np.mean([group[code.index(c)] for c in t.groups], axis=0) for t in TYPES])
    table = np.zeros((len(GENDERS), N_TYPES, K))
    table[:, :, :N_JOBS] = MATCH * skills @ a.T
    tilt = _by_group("women") / 2
    table[0, :, :N_JOBS] += tilt
    table[1, :, :N_JOBS] -= tilt
    level = np.log(np.exp(table[:, :, :N_JOBS]).mean(axis=2))  # taste for work as such is ``attachment`` alone
    table[:, :, :N_JOBS] -= level[:, :, None]
    table[:, :, [UNEMPLOYED, OUT]] -= trait("attachment")[:, None] * np.array([0.6, 1.0])
    table[:, :, SCHOOL] += 0.5 * trait("ability")
    table[0, :, OUT] += 0.2
    table[1, :, OUT] -= 0.2
    return table.reshape(-1, K)


@cache
def economy() -> Economy:
    """The one economy, the same for both populations and every seed."""
    a = attributes()
    tables = {
        "education": _education(),
        "age": _age(),
        "year": _year(),
        "move": _move(distances(a)),
        "stay": _stay(),
        "tenure": np.array(TENURE)[_kinds()[:K]],
        "ladder": FAMILY * (1 + LADDER * _by_role(1)),
        "taste": _taste(a),
        "mobility": np.tile(trait("mobility"), len(GENDERS)),
    }
    return Economy(**{name: table.round(6) for name, table in tables.items()})
