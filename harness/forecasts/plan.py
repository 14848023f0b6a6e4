"""Forecasts: whole careers sampled past a year, from a model that has seen nothing after it.

As the CAREER paper's code does (Vafa et al., arXiv 2202.08370): models are fitted on what was known in a year, held-out
careers are sampled forward step by step, and P(state in a later year) is the mean, over the sampled careers, of the
model's own row given each. That code samples the years in which a person was seen again, with the education of each.
Here all that is known of the future is the calendar: every year is sampled, covariates stay as they last were, and only
those that count the years move with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.data.covariates import is_fixed
from harness.errors import RequestError
from harness.panel import time
from harness.panel.careers import Covariate, Panel
from harness.types import FloatArray, IntArray

LONGEST = 10  # years that are forecast where nobody says how many


@dataclass(frozen=True)
class Plan:
    """The persons who are forecast, the records that they are forecast from, and the years; P persons, H years.

    panel: the whole one. known: its records up to ``year``; models are fitted on its training persons. persons: its
    test persons, who are forecast; of a weighted panel, those whose last record counts for something. every: years from
    one sampled record to the next. years: int64 [H], those after ``year`` that are forecast. actual: int64 [P, H], the
    state that each person was in, -1 where that is not known; no model and no sample depends on it. left_out: reason ->
    count.
    """

    panel: Panel
    known: Panel
    persons: Panel
    year: int
    every: int
    years: IntArray
    actual: IntArray
    left_out: Mapping[str, int]

    def when(self, at: int) -> str:
        """A point in time by its name."""
        return time.name(at, self.panel.unit)

    @property
    def last(self) -> IntArray:
        """int64 [P]: the last state known of each person."""
        return self.persons.state[self.persons.offsets[1:] - 1].astype(np.int64)

    @property
    def weight(self) -> FloatArray:
        """float64 [P]: what each person counts for in every year that is forecast: as their last known record does."""
        return self.persons.weights(self.persons.offsets[1:] - 1)

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """Covariates that are sampled with the calendar: numbers that rose by the years that passed, in every career.

        ``birth_year`` needs no such rule: it stays, and the age that follows from it moves.
        """
        return tuple(name for name, c in self.known.covariates.items() if _counts_years(self.known, c))

    @property
    def carried(self) -> tuple[str, ...]:
        """Covariates that can change and stay, in every sampled career, as they last were."""
        return tuple(n for n, c in self.known.covariates.items() if not c.fixed and n not in self.moving)

    @cached_property
    def steps(self) -> IntArray:
        """int64 [T]: every year that anyone is sampled in; the last H are ``years``."""
        end, first = int(self.years[-1]), int(self.persons.year[self.persons.offsets[1:] - 1].min())
        return np.arange(end, first, -self.every, dtype=np.int64)[::-1]


def plan(panel: Panel, year: int | None = None, horizon: int | None = None, every: int | None = None) -> Plan:
    """Plan the forecast of a panel from ``year`` on, ``horizon`` calendar years ahead.

    Where they are left out, the last ten years that the panel has are forecast, or the last half of its years, if that
    is less. every: years between two sampled records; the most common gap between people's last two records, where left
    out, so that a survey of every other year is sampled so. RequestError where nobody could be forecast or fitted on.
    """
    year, horizon = _span(panel, year, horizon)
    known = until(panel, year)
    persons = known.part("test")
    counting = persons.weights(persons.offsets[1:] - 1) > 0
    weightless, persons = int((~counting).sum()), persons.select(np.flatnonzero(counting))
    _require_people(panel, known, persons, year)
    every = every or _rhythm(known)
    wave = int(known.year.max())
    years = np.arange(wave, year + horizon + 1, every, dtype=np.int64)
    years = years[years > year]
    if not len(years):
        following = wave + every * ((year - wave) // every + 1)
        raise RequestError(
            f"sampled every {every} {panel.unit}s, '{panel.name}' has its next record in {_named(panel, following)}: "
            f"forecast at least {following - year} {panel.unit}s from {_named(panel, year)} (--horizon), or sample "
            "more often (--step)"
        )
    held_out = panel.part("test")
    actual, unasked = _actual(held_out, persons, years, (year, year + horizon))
    known_to = _named(panel, year)
    unseen = {
        f"persons without a record up to {known_to}": panel.n_persons - known.n_persons,
        f"test persons without a record up to {known_to}": held_out.n_persons - persons.n_persons - weightless,
        f"test persons whose last record up to {known_to} has weight zero": weightless,
        "later records of these persons, in years that are not sampled": unasked,
    }
    return Plan(
        panel=panel,
        known=known,
        persons=persons,
        year=year,
        every=every,
        years=years,
        actual=actual,
        left_out={k: n for k, n in unseen.items() if n},
    )


def _named(panel: Panel, at: int) -> str:
    return time.name(at, panel.unit)


def _span(panel: Panel, year: int | None, horizon: int | None) -> tuple[int, int]:
    """The last year that is known, and how many are forecast, where one or both are left out."""
    first, last = int(panel.year.min()), int(panel.year.max())
    if year is None:
        horizon = horizon or max(1, min(LONGEST, (last - first) // 2))
        year = last - horizon
        if year < first:
            raise RequestError(
                f"'{panel.name}' has records from {_named(panel, first)} to {_named(panel, last)}: forecast fewer "
                f"{panel.unit}s than {horizon} (--horizon), or say from which {panel.unit} on (--from)"
            )
    if not first <= year <= last:
        span = f"{_named(panel, first)} to {_named(panel, last)}"
        message = f"{_named(panel, year)} is not a {panel.unit} to forecast from"
        raise RequestError(f"'{panel.name}' has records from {span}: {message}")
    if horizon is None:
        horizon = min(LONGEST, last - year)
        if not horizon:
            ends = _named(panel, last)
            raise RequestError(
                f"'{panel.name}' ends in {ends}: name the {panel.unit}s to forecast after it (--horizon)"
            )
    return year, horizon


def _require_people(panel: Panel, known: Panel, persons: Panel, year: int) -> None:
    counting = "" if panel.weight is None else " and a weight above zero"
    end = _named(panel, year)
    learned = known.part("train")
    if not learned.weights(learned.transitions).any():
        train = panel.part("train")
        hint = (
            f": forecast from {_named(panel, int(train.year[train.transitions].min()))} or later"
            if len(train.transitions)
            else ""
        )
        raise RequestError(
            f"'{panel.name}' has no training career with two records up to {end} to fit on{counting}{hint}"
        )
    if not persons.n_persons:
        test = panel.part("test")
        hint = f": forecast from {_named(panel, int(test.year.min()))} or later" if test.n_persons else ""
        raise RequestError(f"'{panel.name}' has nobody in its test split with a record up to {end}{counting}{hint}")


def until(panel: Panel, year: int) -> Panel:
    """The panel as it was known at the end of a year: no later record, nobody without an earlier one.

    Whether a covariate is fixed is asked anew, so that no later change tells.
    """
    kept = panel.year <= year
    counts = np.bincount(panel.person[kept], minlength=panel.n_persons)
    here = np.flatnonzero(counts)
    offsets = np.concatenate([[0], np.cumsum(counts[here])]).astype(np.int64)
    start = np.zeros(int(offsets[-1]), dtype=bool)
    start[offsets[:-1]] = True
    covariates = {name: c.take(np.flatnonzero(kept)) for name, c in panel.covariates.items()}
    return replace(
        panel,
        name=f"{panel.name} until {year}",
        persons=panel.persons[here],
        offsets=offsets,
        year=panel.year[kept],
        state=panel.state[kept],
        weight=None if panel.weight is None else panel.weight[kept],
        units=None if panel.units is None else panel.units[here],
        strata=None if panel.strata is None else panel.strata[here],
        split=panel.split[here],
        covariates={name: replace(c, fixed=is_fixed(c.values, start)) for name, c in covariates.items()},
        source={**panel.source, "until": year},
    )


def pooled(panel: Panel, year: int) -> Panel:
    """A further panel to train on, as it was known at the end of a year. RequestError where nothing was."""
    known = until(panel, year)
    train = known.part("train")
    if not train.weights(train.transitions).any():
        raise RequestError(
            f"'{panel.name}' has no training career with two records up to {_named(panel, year)}: nothing to add"
        )
    return known


def _rhythm(panel: Panel) -> int:
    last = panel.offsets[1:][np.diff(panel.offsets) > 1] - 1
    return int(np.bincount(panel.year[last] - panel.year[last - 1]).argmax())


def _counts_years(panel: Panel, covariate: Covariate) -> bool:
    if covariate.kind != "numeric" or covariate.fixed:
        return False
    later = panel.transitions
    rose = covariate.values[later] - covariate.values[later - 1]
    return bool((rose == panel.year[later] - panel.year[later - 1]).all())


def _actual(whole: Panel, persons: Panel, years: IntArray, span: tuple[int, int]) -> tuple[IntArray, int]:
    """int64 [P, H] states, -1 where unknown; and how many records within ``span`` lie in none of the years."""
    place = {person: i for i, person in enumerate(persons.persons.tolist())}
    position = np.array([place.get(person, -1) for person in whole.persons.tolist()])[whole.person]
    column = np.searchsorted(years, whole.year)
    asked = (column < len(years)) & (years[np.minimum(column, len(years) - 1)] == whole.year) & (position >= 0)
    actual = np.full((persons.n_persons, len(years)), -1, dtype=np.int64)
    actual[position[asked], column[asked]] = whole.state[asked]
    later = (position >= 0) & (whole.year > span[0]) & (whole.year <= span[1])
    return actual, int((later & ~asked).sum())
