"""Forecasts as tables for a person: what each says of a year, beside what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.forecasts.report import ForecastLine, Period, Report, Shares
from harness.records.kinds import in_a_line
from harness.render.boards.table import NONE, bracketed, error_text, with_error
from harness.stats.inference import Estimate
from harness.system.words import counted

TOP = 10  # states shown
GAP = 3  # characters between two columns of a ruled table


@dataclass(frozen=True)
class ForecastTable:
    """A title, headings and rows. The first ``keys`` columns say what a row is; the first is words, others numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: int

    def parts(self, width: int) -> Iterator[ForecastTable]:
        """Several tables with the same keys, where a line of ``width`` characters holds not all of the columns."""
        cells = (self.headings, *self.rows)
        widths = [max(len(row[i]) for row in cells) + GAP for i in range(len(self.headings))]
        chosen = list(range(self.keys))
        for column in range(self.keys, len(widths)):
            if len(chosen) > self.keys and sum(widths[i] for i in (*chosen, column)) > width:
                yield self._of(chosen)
                chosen = list(range(self.keys))
            chosen.append(column)
        yield self._of(chosen)

    def _of(self, columns: list[int]) -> ForecastTable:
        headings, *rows = (tuple(row[i] for i in columns) for row in (self.headings, *self.rows))
        return ForecastTable(self.title, headings, tuple(rows), self.keys)


def tables(report: Report) -> Iterator[ForecastTable]:
    """By year: shares of statuses, perplexity, distances. Of all years together: who is nearest, the largest states."""
    statuses = report.periods[0].lines[0].shares["statuses"].names
    for k, status in enumerate(statuses if len(statuses) > 1 else ()):
        title = f"{status}, % of persons (forecast less actual, with its 95% interval)"
        yield _by_year(report, title, lambda line, k=k: _share(line.shares["statuses"], k), k)  # type: ignore[misc]
    if any(period.actual is not None for period in report.periods):
        yield _perplexities(report)
        for level in _distances(report.periods[0].lines[0]):
            title = f"distance of the shares of {level} from the actual ones (in brackets: 95% of a right forecast's)"
            yield _by_year(report, title, lambda line, name=level: _distance(line.shares[name]))  # type: ignore[misc]
        yield _together(report.periods[-1])
    yield _largest(report)


def _distances(line: ForecastLine) -> tuple[str, ...]:
    """Shares by the hundred, shown by their distance; groups only where they are not the occupations again."""
    alike = len(line.shares["groups"].names) == len(line.shares["occupations"].names)
    return ("occupations",) if alike else ("groups", "occupations")


def _head(period: Period) -> tuple[str, str]:
    return period.label, f"{period.persons:,}"


def _by_year(
    report: Report, title: str, cell: Callable[[ForecastLine], str], status: int | None = None
) -> ForecastTable:
    """A row a period, a column a forecast; with the actual share of a status, or of observed periods alone."""
    rows = []
    for period in report.periods:
        actual: tuple[str, ...] = ()
        if status is not None:
            actual = (NONE if period.actual is None else _percent(period.actual["statuses"].share[status]),)
        elif period.actual is None:
            continue
        rows.append((*_head(period), *actual, *map(cell, period.lines)))
    names = (line.name for line in report.periods[0].lines)
    keys = (report.plan.panel.unit, "persons", *(["actual"] if status is not None else []))
    return ForecastTable(title, (*keys, *names), tuple(rows), len(keys))


def _percent(estimate: Estimate) -> str:
    return _points(estimate.value)


def _points(share: float, sign: str = "") -> str:
    return f"{round(100 * share, 1) + 0.0:{sign}.1f}"  # 0.0 and not -0.0


def _interval(estimate: Estimate) -> str:
    return bracketed(estimate, _points)


def _share(shares: Shares, k: int) -> str:
    """Percent: the share, by how much it is above the actual one, and the interval of that, or else its own."""
    told = _percent(shares.share[k])
    if shares.difference is None:
        return f"{told} {_interval(shares.share[k])}"
    gap = shares.difference[k]
    return f"{told} ({_points(gap.value, '+')} {_interval(gap)})"


def _distance(shares: Shares) -> str:
    if shares.distance is None:
        return NONE
    told = f"{shares.distance.value:.3f}"
    return told if shares.right is None else f"{told} [{shares.right.low:.3f}, {shares.right.high:.3f}]"


def _gap(line: ForecastLine) -> str:
    if line.difference is None:
        return NONE
    return f"{line.difference.value:+.4f} ± {error_text(line.difference, 4)}"


def _perplexities(report: Report) -> ForecastTable:
    rows = []
    for period in report.periods:
        models = period.lines[1:]
        if period.actual is not None:
            levels = (with_error(line.perplexity, 2) for line in models)
            rows.append((*_head(period), *levels, *map(_gap, models[1:])))
    names = [line.name for line in report.periods[0].lines[1:]]
    title = "perplexity of the actual state; difference in log-likelihood a record, nats"
    headings = (report.plan.panel.unit, "persons", *names, *(f"{name} less {names[0]}" for name in names[1:]))
    return ForecastTable(title, headings, tuple(rows), 2)


def _together(period: Period) -> ForecastTable:
    levels = ("statuses", *_distances(period.lines[0]))
    rows = []
    for line in period.lines:
        errors = (line.shares[level].error for level in levels)
        told = (NONE if e is None else with_error(e.times(100), 2) for e in errors)
        rows.append((line.name, with_error(line.perplexity, 2), with_error(line.status_perplexity, 3), *told))
    title = f"{period.label}, {counted(period.records, 'record')}"
    title += ": perplexities, and root mean square errors of shares in points"
    return ForecastTable(title, ("forecast", "perplexity", "of status", *levels), tuple(rows), 1)


def _largest(report: Report) -> ForecastTable:
    """Of all observed years together, or of the last one where none was observed."""
    period, titles = report.periods[-1], report.plan.panel.occupations.titles
    told = period.actual["occupations"] if period.actual is not None else period.lines[-1].shares["occupations"]
    order = sorted(range(len(titles)), key=lambda k: (-told.share[k].value, k))[:TOP]
    rows = []
    for k in order:
        actual = NONE if period.actual is None else _percent(told.share[k])
        rows.append((titles[k], actual, *(_share(line.shares["occupations"], k) for line in period.lines)))
    what = "forecast less actual, with its 95% interval" if period.actual is not None else "95% intervals"
    title = f"the {len(rows)} largest states, {period.label}, % of {counted(period.records, 'record')} ({what})"
    return ForecastTable(title, ("state", "actual", *(line.name for line in period.lines)), tuple(rows), 2)


def notes(report: Report) -> list[str]:
    """Notes that a reader needs to read the tables rightly, a sentence or two each."""
    plan, seen = report.plan, [p for p in report.periods if p.actual is not None]
    unit, year = plan.panel.unit, plan.when(plan.year)
    rhythm = unit if plan.every == 1 else f"{plan.every} {unit}s"
    lines = [
        f"{counted(plan.persons.n_persons, 'test person')}, as known at the end of {year}; "
        f"{counted(report.samples, 'career')} sampled for each, a record every {rhythm}; seed {report.seed}. Models "
        f"were fitted on {counted(plan.known.part('train').n_persons, 'training person')}, with no record after {year}."
    ]
    if plan.panel.source.get("weights"):
        lines.append(
            f"Weighted by {plan.panel.source['weights']}: in shares, likelihoods and distances a person counts for the "
            f"weight of their last record up to {year}."
        )
    if plan.carried:
        lines.append(f"Stay as last known: {', '.join(plan.carried)}.")
    if plan.moving:
        lines.append(f"Move with the {unit}: {', '.join(plan.moving)}.")
    if seen:
        lines += [
            f"A {unit}'s figures are of the persons observed in it. Intervals, and standard errors (±), resample "
            "persons: they carry the noise of sampling careers, and not that of the fit.",
            f"as in {year}: everyone stays as last known.",
            "distance: half the sum of the absolute differences (total variation). In brackets, where 95% of the "
            "distances lie of careers drawn from the forecast itself. With few persons it favours no change; the root "
            "mean square error does not.",
        ]
    if unseen := [p.label for p in report.periods if p.actual is None]:
        lines.append(f"Nobody was observed in {', '.join(unseen)}: forecasts of all, with their 95% intervals.")
    lines += _of_models(report)
    if seen and (told := [f"{x.name} {x.shortfall:.3f}" for x in seen[-1].lines if x.shortfall is not None]):
        lines.append(f"More samples would raise ln P by about {', '.join(told)} nats a record.")
    return [*lines, *(f"Left out: {count:,} {reason}." for reason, count in plan.left_out.items())]


def _of_models(report: Report) -> Iterator[str]:
    for made in report.forecasts:
        if made.changed:
            yield f"{made.name}: {', '.join(f'{name}={in_a_line(value)}' for name, value in made.changed.items())}."
        if made.train_also:
            yield f"{made.name}: fitted on training careers of {', '.join(made.train_also)} as well."
        if made.pretrained_on:
            yield f"{made.name}: pre-trained on {made.pretrained_on}."
        if made.fitted_without_weights:
            yield f"{made.name}: fitted without the weights, each record counting one."
        if made.renormalised:
            yield f"{made.name}: rows were divided by their sum."
