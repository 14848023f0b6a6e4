"""The oracle's probabilities: exact probabilities given everything visible, by Bayes over the latent classes.

A class c is a skill type and a gender. With visible utilities u (see ``history``), tastes and mobilities of classes,

    P(j | h, c) = exp(u_j + taste_cj - mobility_c 1[j = last, employed]) / (the same summed over all states)

    w_c(h_t) is proportional to P(c | covariates) P(education_0 | c) P(state_0 | c)
                 times the product over s = 1 .. t of P(education_s | h_{s-1}, c) P(state_s | h_{s-1}, c)

and with this year's education, known before anyone chooses, P(j | h) = sum over c of w_c(h) P(j | h, c). Because u is
the same for all classes, exp(u + taste_c) factors and a block of persons takes two matrix products a year.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.data.market.economy import VERSION, Economy, economy
from harness.data.market.history import MarketHistory, Now, visible_utility
from harness.data.market.population import joint
from harness.data.market.skills import ETHNICITIES, GENDERS, N_CLASSES, N_TYPES, OLDEST, REGIONS, schooling
from harness.data.market.titles import EDUCATION, N_JOBS, SCHOOL, occupations
from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.types import BoolArray, FloatArray, IntArray

BLOCK = 1024  # persons at a time
# A history that the market cannot produce (education that falls, say) is priced as very unlikely instead of refused,
# and all classes alike, so it tells nothing about them.
FLOOR = 1e-12


def known_population(panel: Panel) -> str:
    """The population that the panel was drawn from; RequestError where the market did not make it."""
    if panel.source.get("generator") != "market":
        raise RequestError(
            f"oracle knows the probabilities of simulated panels only, and '{panel.name}' is not one: "
            "use --data market or --data market-resumes"
        )
    if panel.source.get("version") != VERSION:
        raise RequestError(
            f"oracle knows version {VERSION} of the market, but '{panel.name}' was drawn from version "
            f"{panel.source.get('version')}: draw it again"
        )
    missing = [name for name in ("birth_year", "education") if name not in panel.covariates]
    if missing or panel.occupations != occupations():
        what = f"its covariates lack {', '.join(missing)}" if missing else "its occupations are not the market's"
        raise RequestError(f"oracle needs the market as it was made, but '{panel.name}' was changed: {what}")
    return str(panel.source["population"])


def _prior(panel: Panel, population: str) -> FloatArray:
    """float64 [P, classes]: P(class | fixed covariates), unnormalised; a covariate the panel lacks is summed out."""
    table, index = joint(population), []  # [genders, ethnicities, regions, types]
    for axis, (name, levels) in enumerate((("ethnicity", ETHNICITIES), ("region", REGIONS)), start=1):
        if name in panel.covariates:
            index.append(_positions(panel, name, levels)[panel.entries])
        else:
            table = table.sum(axis=axis, keepdims=True)
            index.append(np.zeros(panel.n_persons, dtype=np.int64))
    prior = table.transpose(1, 2, 0, 3)[index[0], index[1]]  # [P, genders, types]
    if "gender" in panel.covariates:
        gender = _positions(panel, "gender", GENDERS)[panel.entries]
        prior = prior * (gender[:, None] == np.arange(len(GENDERS)))[:, :, None]
    return np.asarray(prior.reshape(panel.n_persons, N_CLASSES), dtype=np.float64)


def _positions(panel: Panel, name: str, levels: tuple[str, ...]) -> IntArray:
    """int64 [N]: the covariate as positions in the market's own levels; RequestError for any other level."""
    covariate = panel.covariates[name]
    if covariate.kind != "categorical" or covariate.levels != levels or (covariate.values < 0).any():
        raise RequestError(
            f"oracle needs the market as it was made, but '{name}' of '{panel.name}' was changed: "
            f"it should have the levels {', '.join(levels)} and nothing missing"
        )
    return covariate.values.astype(np.int64)


def _log(values: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(values, FLOOR)), dtype=np.float64)


def _block_rows(panel: Panel, population: str, wanted: BoolArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """(records, rows [n, K]) of the wanted records of a few persons, a year of their careers at a time."""
    tables, school = economy(), schooling()
    lengths = np.diff(panel.offsets)
    age = np.clip(panel.age(), 0, OLDEST).astype(np.int64)
    education = _positions(panel, "education", EDUCATION)
    skill = np.arange(N_CLASSES) % N_TYPES
    log_weight = np.log(np.maximum(_prior(panel, population), 1e-300))  # the other gender: never more than 1e-300
    history, alive = MarketHistory(panel.n_persons), np.arange(panel.n_persons)
    for t in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths[alive] > t)
        alive, log_weight = alive[going], log_weight[going]
        history.keep(going)
        record = panel.offsets[alive] + t
        now = Now(age[record], panel.year[record].astype(np.int64), education[record])
        if t == 0:
            log_weight += _log(school.entry[skill[None, :], now.age[:, None], now.education[:, None]])
        else:
            log_weight += _education_step(school.rise, history, now, education[record - 1])
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        choice = _Choice(tables, history, now)
        asked = np.flatnonzero(wanted[record])
        if len(asked):
            yield record[asked], choice.rows(weight, asked)
        state = panel.state[record].astype(np.int64)
        log_weight += choice.log_likelihood(state)
        history.advance(state)


def _education_step(rise: FloatArray, history: MarketHistory, now: Now, before: IntArray) -> FloatArray:
    """float64 [n, classes]: ln P(education this year | education last year, age, whether last year was school)."""
    studied = (history.last == SCHOOL).astype(np.int64)
    up = rise[studied, :, before, now.age]  # [n, types]
    step = (now.education - before)[:, None]
    chance = np.where(step == 1, up, np.where(step == 0, 1 - up, 0.0))
    return np.tile(_log(chance), (1, len(GENDERS)))


class _Choice:
    """One year's choice of n persons, for every class at once."""

    def __init__(self, tables: Economy, history: MarketHistory, now: Now) -> None:
        utility = visible_utility(tables, history, now)
        self.visible = np.exp(utility - utility.max(axis=1, keepdims=True))  # [n, K]
        self.taste = np.exp(tables.taste)  # [classes, K]
        self.last = np.where(history.last < N_JOBS, history.last, -1)  # -1: nothing that mobility bears on
        penalty = np.exp(-tables.mobility)
        at_last = self.visible[np.arange(len(self.last)), self.last][:, None] * self.taste[:, self.last].T
        self.kept = np.where((self.last >= 0)[:, None], at_last * (penalty - 1), 0.0)  # [n, classes], a correction
        self.total = self.visible @ self.taste.T + self.kept  # [n, classes]

    def rows(self, weight: FloatArray, asked: IntArray) -> FloatArray:
        """float64 [n, K]: sum over classes of weight times P(state | class); weight: [all persons, classes]."""
        share = weight[asked] / self.total[asked]
        rows = self.visible[asked] * (share @ self.taste)
        worked = np.flatnonzero(self.last[asked] >= 0)
        rows[worked, self.last[asked][worked]] += (share * self.kept[asked]).sum(axis=1)[worked]
        return np.asarray(rows / rows.sum(axis=1, keepdims=True), dtype=np.float64)

    def log_likelihood(self, state: IntArray) -> FloatArray:
        """float64 [n, classes]: ln P(state | class)."""
        value = self.visible[np.arange(len(state)), state][:, None] * self.taste[:, state].T
        value = value + np.where((state == self.last)[:, None], self.kept, 0.0)
        return np.asarray(np.log(np.maximum(value, 1e-300)) - np.log(self.total), dtype=np.float64)


def oracle_rows(panel: Panel, records: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Whole rows P(next state | history), float64 [n, K], for the target records asked for, in the market's own order.

    records: int64 [m], any records of the panel, a career's first ones included. Yields (some of those records, their
    rows) until each has come once; memory stays bounded however large the panel is.
    """
    population = known_population(panel)
    wanted = np.zeros(panel.n_records, dtype=bool)
    wanted[records] = True
    people = np.unique(panel.person[records])
    for start in range(0, len(people), BLOCK):
        some = people[start : start + BLOCK]
        part = panel.select(some)
        origin = panel.records_of(some)
        for record, rows in _block_rows(part, population, wanted[origin]):
            yield origin[record], rows
