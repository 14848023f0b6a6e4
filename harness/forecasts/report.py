"""Scores of forecasts: shares of persons by year against what happened, and the likelihood of what happened.

A forecast of n persons in a year is the mean of their rows P(state in that year | what was known), each the mean of the
model's own rows over the person's sampled careers (a Rao-Blackwellised Monte Carlo mean: unbiased, never zero). Shares
are compared with those of the same persons. Intervals resample persons, or the units of a survey's design, as
``harness.stats.inference`` does: samples of one person share nothing with those of another, so a replicate carries the
noise of sampling careers as well as that of having few persons. They do not carry that of the fit.

The distance between two distributions is the total variation distance: half the sum of the absolute differences, the
share of persons who would have to be elsewhere. Over hundreds of occupations few persons are far from any forecast,
the right one too. How far is told by careers drawn from the forecast itself, one a person. And it favours forecasts of
whole persons, such as no change, over shares of a person spread on many occupations; the root mean square error does
not: what chance adds to its square is the same for every forecast, so the right one is best.

Of a weighted panel a person counts, in every year, for the weight of the last record known of them: what a survey would
have weighted them by when the forecast was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.forecasts.plan import Plan
from harness.forecasts.sample import Forecast
from harness.panel.occupations import Occupations, Status
from harness.stats import inference
from harness.stats.figures import METRICS, Scores, gather
from harness.stats.inference import Estimate
from harness.stats.resampling import SurveyDesign
from harness.types import BoolArray, FloatArray, IntArray

REDRAWN = 500  # times that careers are drawn from a forecast to see how far from it they are
EVENT_FIGURES = ("auc", "log_loss", "brier")


@dataclass(frozen=True)
class Shares:
    """Shares of persons over the members of a partition of the states, in the order of their names.

    difference: share less the actual one; None for the actual shares themselves and where nobody was observed.
    distance: from the actual distribution; error: root mean square of the differences; both with standard errors (their
    intervals are not to be used: replicates lie above the figure, as it lies above that of unlimited persons). right:
    the mean distance of careers drawn from the forecast itself, and the range of 95% of them.
    """

    names: tuple[str, ...]
    share: tuple[Estimate, ...]
    difference: tuple[Estimate, ...] | None = None
    distance: Estimate | None = None
    error: Estimate | None = None
    right: Estimate | None = None


@dataclass(frozen=True)
class ForecastLine:
    """One forecast in one period. Everything but the shares needs persons who were observed in it, and a model.

    perplexity: of the actual states, persons resampled; status_perplexity: of their statuses. difference: ln P(actual
    state) a record less that of the first model, in nats. shortfall: mean nats that more samples would add, at about
    twice as many samples half of it. events: status -> AUC, log loss and Brier score of P(being in it).
    """

    name: str
    shares: Mapping[str, Shares]
    perplexity: Estimate | None = None
    status_perplexity: Estimate | None = None
    difference: Estimate | None = None
    shortfall: float | None = None
    events: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Period:
    """A year, or all observed years together. persons, records: those it covers; the observed ones, if there are any.

    last: as everyone was in the last record known, the forecast of no change.
    """

    label: str
    years: tuple[int, ...]
    persons: int
    records: int
    actual: Mapping[str, Shares] | None
    lines: tuple[ForecastLine, ...]


@dataclass(frozen=True)
class Report:
    """All that ``harness forecast`` says of one panel; the forecasts in the order of every period's lines."""

    plan: Plan
    samples: int
    seed: int
    forecasts: tuple[Forecast, ...]
    periods: tuple[Period, ...]

    @classmethod
    def of(cls, plan: Plan, samples: int, seed: int, forecasts: Sequence[Forecast]) -> Report:
        return cls(
            plan=plan, samples=samples, seed=seed, forecasts=tuple(forecasts), periods=tuple(compare(plan, forecasts))
        )


def compare(plan: Plan, forecasts: Sequence[Forecast]) -> list[Period]:
    """Every year in turn, and then the observed ones together where there are several."""
    observed = np.flatnonzero((plan.actual >= 0).any(axis=0))
    columns = [np.array([h]) for h in range(len(plan.years))]
    if len(observed) > 1:
        columns.append(observed)
    return [_Comparison(plan, c).period(forecasts) for c in columns]


def partitions(occupations: Occupations) -> dict[str, tuple[tuple[str, ...], IntArray]]:
    """level -> names of the members, and int64 [K], the member of each state. Only statuses that a state has."""
    statuses = [status for status in Status if status in occupations.statuses]
    group, groups = occupations.group_index()
    return {
        "statuses": (tuple(s.value for s in statuses), np.array([statuses.index(s) for s in occupations.statuses])),
        "groups": (groups, group),
        "occupations": (occupations.codes, np.arange(len(occupations))),
    }


def _merge(columns: FloatArray, member: IntArray, size: int) -> FloatArray:
    """float64 [..., size]: the columns [..., K] of each member added up."""
    if np.array_equal(member, np.arange(size)):
        return columns
    return columns @ np.eye(size, dtype=columns.dtype)[member]


def _design_of(plan: Plan, members: IntArray) -> SurveyDesign | None:
    """The survey design that these persons (int64 [m]) were drawn by; None where each was drawn alone."""
    panel = plan.persons
    if panel.units is None and panel.strata is None:
        return None
    units = members if panel.units is None else panel.units[members]
    strata = None if panel.strata is None else panel.strata[members].tolist()
    return SurveyDesign.of(units.tolist(), strata)


class _Comparison:
    """A period of a plan: m persons in it, who are resampled, each with one or more records."""

    def __init__(self, plan: Plan, columns: IntArray) -> None:
        self.plan, self.columns = plan, columns
        self.partitions = partitions(plan.panel.occupations)
        actual = plan.actual[:, columns]
        self.observed = bool((actual >= 0).any())
        mask: BoolArray = actual >= 0 if self.observed else np.ones(actual.shape, dtype=bool)
        self.members = np.flatnonzero(mask.any(axis=1))
        self.mask, self.actual = mask[self.members], actual[self.members]
        self.records = self.mask.sum(axis=1)  # [m]
        self.weight = plan.weight[self.members]  # [m]
        self.counted = self.records * self.weight  # [m]
        self.design = _design_of(plan, self.members)
        self.units = len(self.members) if self.design is None else len(np.unique(self.design.unit))
        n_states = plan.panel.n_states
        last = np.eye(n_states)[plan.last[self.members]] * self.counted[:, None]
        self.last = self._with_replicates(last)
        self.total = self._with_replicates(self.counted[:, None])
        if self.observed:
            happened = np.zeros((len(self.members), n_states))
            row, column = np.nonzero(self.mask)
            np.add.at(happened, (row, self.actual[row, column]), self.weight[row])
            self.happened = self._with_replicates(happened)

    def _with_replicates(self, by_person: FloatArray) -> FloatArray:
        """float64 [1 + replicates, c]: the sums over the persons, and over those of every replicate."""
        return np.vstack([by_person.sum(axis=0), inference.resampled_sums(by_person, design=self.design)])

    def period(self, forecasts: Sequence[Forecast]) -> Period:
        years = tuple(self.plan.years[self.columns].tolist())
        when = self.plan.when
        lines = [ForecastLine(f"as in {when(self.plan.year)}", self._shares(self.last))]
        lines += [self._line(forecast) for forecast in forecasts]
        if self.observed:
            lines[1:] = self._scored(lines[1:], forecasts)
        return Period(
            label=when(years[0]) if len(years) == 1 else self._span(years),
            years=years,
            persons=len(self.members),
            records=int(self.records.sum()),
            actual=self._shares(self.happened, compared=False) if self.observed else None,
            lines=tuple(lines),
        )

    def _span(self, years: Sequence[int]) -> str:
        """'2001-2010', and of another unit '1998-07 to 1999-06'."""
        between = "-" if self.plan.panel.unit == "year" else " to "
        return between.join(self.plan.when(year) for year in (years[0], years[-1]))

    def _line(self, forecast: Forecast) -> ForecastLine:
        prob = forecast.prob[self.members][:, self.columns]  # [m, c, K]
        expected = np.einsum("mck,mc->mk", prob, self.mask * self.weight[:, None], dtype=np.float64)
        shares = self._shares(self._with_replicates(expected))
        if not self.observed:
            return ForecastLine(forecast.name, shares)
        if forecast.states.shape[1] == 1:
            return ForecastLine(forecast.name, shares, events=self._events(prob))  # one career each tells of no spread
        redrawn = self._redrawn(forecast)
        for level, (names, member) in self.partitions.items():
            gap = _merge(redrawn - expected.sum(axis=0), member, len(names))
            distance = np.abs(gap).sum(axis=1) / self.total[0, 0] / 2
            [right] = inference.estimates(distance.mean()[None], distance[:, None])
            shares[level] = replace(shares[level], right=right)
        return ForecastLine(forecast.name, shares, events=self._events(prob))

    def _shares(self, sums: FloatArray, compared: bool = True) -> dict[str, Shares]:
        """sums: float64 [1 + replicates, K]."""
        found = {}
        for level, (names, member) in self.partitions.items():
            share = _merge(sums, member, len(names)) / self.total
            made = Shares(names, tuple(self._estimates(share)))
            if compared and self.observed:
                gap = share - _merge(self.happened, member, len(names)) / self.total
                far = np.column_stack([np.abs(gap).sum(axis=1) / 2, np.sqrt((gap**2).mean(axis=1))])
                distance, error = self._estimates(far)
                gaps = tuple(self._estimates(gap))
                made = replace(made, difference=gaps, distance=distance, error=error)
            found[level] = made
        return found

    def _estimates(self, sums: FloatArray) -> list[Estimate]:
        """Of float64 [1 + replicates, c]; without error where one unit alone was observed."""
        if self.units < 2:
            return [Estimate.without_error(float(value)) for value in sums[0]]
        return inference.estimates(sums[0], sums[1:])

    def _redrawn(self, forecast: Forecast) -> FloatArray:
        """float64 [r, K]: records by state, or what they count for, where each career is one of the sampled ones."""
        samples, n_states = forecast.states.shape[1], self.plan.panel.n_states
        pick = np.random.default_rng([inference.SEED, len(self.members)]).integers(
            0, samples, size=(REDRAWN, len(self.members))
        )
        counts = np.zeros(REDRAWN * n_states)
        first = len(self.plan.steps) - len(self.plan.years)
        for i, column in enumerate(self.columns.tolist()):
            here = np.flatnonzero(self.mask[:, i])
            drawn = forecast.states[self.members[here], pick[:, here], first + column]  # [r, persons]
            cell = np.arange(REDRAWN)[:, None] * n_states + drawn
            weight = np.broadcast_to(self.weight[here], cell.shape).ravel()
            counts += np.bincount(cell.ravel(), weights=weight, minlength=len(counts))
        return counts.reshape(REDRAWN, n_states)

    def _events(self, prob: FloatArray) -> dict[str, dict[str, float | None]]:
        """Of every status: how well the forecast tells who is in it, by the figures of the boards."""
        names, member = self.partitions["statuses"]
        row, column = np.nonzero(self.mask)
        chance = _merge(prob[row, column].astype(np.float64), member, len(names))
        status = member[self.actual[row, column]]
        ids = self.plan.persons.persons[self.members].tolist()
        found = {}
        for k, name in enumerate(names):
            event, happened = np.clip(chance[:, k], 1e-30, 1.0), status == k
            log_event = np.log(event)
            log_prob = np.where(happened, log_event, np.log(np.maximum(1 - event, 2.0**-24)))
            scores = Scores(persons=len(ids), log_prob=log_prob, person=row, log_event=log_event, happened=happened)
            if self.plan.persons.weight is not None:
                scores = replace(scores, weight=self.weight[row])
            evidence = gather(scores, ids)
            found[name] = {m.key: m.compute(evidence) for m in METRICS if m.key in EVENT_FIGURES}
        return found

    def _scored(self, lines: Sequence[ForecastLine], forecasts: Sequence[Forecast]) -> list[ForecastLine]:
        """The models' lines with the likelihood of what happened, on the same draws of persons for all."""
        members, columns = self.members[:, None], self.columns
        log_prob = np.stack([self._sum(f.log_prob[members, columns]) for f in forecasts], axis=1)
        status = np.stack([self._sum(self._log_status(f)) for f in forecasts], axis=1)
        levels = inference.perplexities(log_prob, self.counted, design=self.design)
        statuses = inference.perplexities(status, self.counted, design=self.design)
        gaps: list[Estimate | None] = [None]
        if len(lines) > 1:
            gaps += inference.differences(log_prob[:, 1:], log_prob[:, 0], self.counted, design=self.design)
        short = [float(self._sum(f.shortfall[members, columns]).sum() / self.counted.sum()) for f in forecasts]
        return [
            replace(
                line,
                perplexity=level,
                status_perplexity=of_status,
                difference=gap,
                shortfall=None if np.isnan(less) else less,
            )
            for line, level, of_status, gap, less in zip(lines, levels, statuses, gaps, short, strict=True)
        ]

    def _log_status(self, forecast: Forecast) -> FloatArray:
        """float64 [m, c]: ln P(status of the actual state), anything where that is not known."""
        names, member = self.partitions["statuses"]
        chance = _merge(forecast.prob[self.members][:, self.columns].astype(np.float64), member, len(names))
        own = np.take_along_axis(chance, member[np.maximum(self.actual, 0)][:, :, None], axis=2)[:, :, 0]
        return np.asarray(np.log(np.clip(own, 1e-30, 1.0)))

    def _sum(self, values: FloatArray) -> FloatArray:
        """float64 [m]: the values [m, c] of each person's records in the period added up, times the person's weight."""
        return np.asarray(np.where(self.mask, values, 0.0).sum(axis=1) * self.weight, dtype=np.float64)
