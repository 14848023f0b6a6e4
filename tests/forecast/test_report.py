"""Scores of forecasts, worked by hand on three persons, and intervals that resample persons."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, log, pi, sqrt
from pathlib import Path

import numpy as np
import pytest

from harness.errors import RequestError
from harness.forecasts.files import plain, require_writable
from harness.forecasts.plan import Plan, plan
from harness.forecasts.report import Report
from harness.forecasts.sample import Forecast
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations
from harness.render.forecast import ForecastTable, notes, tables
from harness.types import FloatArray, IntArray

KNOWN = 2003


def planned(occupations: Occupations, last: list[int], actual: list[list[int]]) -> Plan:
    """Persons who were in these states in 2003 and were seen, or not (-1), in the years that follow."""
    careers = [[(2001, 0), (2002, 1), (2003, 0)]]
    careers += [
        [(2002, 2), (2003, now), *((2004 + h, s) for h, s in enumerate(then) if s >= 0)]
        for now, then in zip(last, actual, strict=True)
    ]
    records = [record for career in careers for record in career]
    panel = Panel(
        name="toy",
        persons=np.array([f"{i:03}" for i in range(len(careers))]),
        offsets=np.concatenate([[0], np.cumsum([len(career) for career in careers])]),
        year=np.array([year for year, _ in records]),
        state=np.array([state for _, state in records]),
        occupations=occupations,
        split=np.array([0] + [2] * len(last)),
    )
    return plan(panel, KNOWN, len(actual[0]))


def stated(name: str, made: Plan, prob: FloatArray, states: IntArray | None = None) -> Forecast:
    """A forecast of these probabilities [P, H, K]."""
    own = np.take_along_axis(prob, np.maximum(made.actual, 0)[:, :, None], axis=2)[:, :, 0]
    log_prob = np.where(made.actual >= 0, np.log(own), np.nan)
    if states is None:
        states = np.zeros((len(prob), 4, len(made.steps)), dtype=np.int32)
    return Forecast(name, prob.astype(np.float32), states, log_prob, np.where(made.actual >= 0, 0.01, np.nan))


@pytest.fixture
def occupations(four_persons: Panel) -> Occupations:
    """Nurses and clerks of one group, the unemployed, and those out of the labor force."""
    return replace(four_persons.occupations, groups=("29", "29", "UNEMP", "OUT"))


@pytest.fixture
def report(occupations: Occupations) -> Report:
    """Last in states 0, 1, 3; in 2004 the first two were seen, in 2005 the first and the last, in 2006 nobody."""
    made = planned(occupations, [0, 1, 3], [[0, 1, -1], [2, -1, -1], [-1, 3, -1]])
    prob = np.array(
        [
            [[0.5, 0.3, 0.1, 0.1], [0.4, 0.4, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]],
            [[0.2, 0.4, 0.3, 0.1], [0.1, 0.1, 0.1, 0.7], [0.1, 0.6, 0.2, 0.1]],
            [[0.1, 0.1, 0.1, 0.7], [0.1, 0.2, 0.2, 0.5], [0.1, 0.3, 0.2, 0.4]],
        ]
    )
    models = [stated("one", made, prob), stated("even", made, np.full((3, 3, 4), 0.25))]
    return Report.of(made, 4, 0, models)


def test_shares_and_distances_by_hand(report: Report) -> None:
    first, _, third, together = report.periods
    assert [(p.label, p.persons, p.records) for p in report.periods] == [
        ("2004", 2, 2),
        ("2005", 2, 2),
        ("2006", 3, 3),
        ("2004-2005", 3, 4),
    ]
    same, one, even = first.lines
    assert [line.name for line in first.lines] == ["as in 2003", "one", "even"]
    assert first.actual is not None
    assert [e.value for e in first.actual["occupations"].share] == [0.5, 0.0, 0.5, 0.0]
    found = one.shares["occupations"]
    assert [e.value for e in found.share] == pytest.approx([0.35, 0.35, 0.2, 0.1])
    assert found.difference is not None
    assert found.distance is not None
    assert found.error is not None
    assert [e.value for e in found.difference] == pytest.approx([-0.15, 0.35, -0.3, 0.1])
    assert found.distance.value == pytest.approx(0.45)
    assert found.error.value == pytest.approx(sqrt((0.15**2 + 0.35**2 + 0.3**2 + 0.1**2) / 4))
    statuses = one.shares["statuses"]
    assert statuses.names == ("employed", "unemployed", "out of the labor force")
    assert statuses.difference is not None
    assert statuses.distance is not None
    assert [e.value for e in statuses.share] == pytest.approx([0.7, 0.2, 0.1])
    assert [e.value for e in statuses.difference] == pytest.approx([0.2, -0.3, 0.1])
    assert statuses.distance.value == pytest.approx(0.3)
    assert one.shares["groups"].distance is not None
    assert one.shares["groups"].distance.value == pytest.approx(0.3)  # nurses and clerks make up for one another
    assert [e.value for e in same.shares["occupations"].share] == [0.5, 0.5, 0.0, 0.0]
    assert same.shares["occupations"].distance is not None
    assert same.shares["occupations"].distance.value == pytest.approx(0.5)
    assert [e.value for e in even.shares["occupations"].share] == pytest.approx([0.25] * 4)
    # Of both years, a record each: the first person counts twice.
    mean = np.array([[0.5, 0.3, 0.1, 0.1], [0.4, 0.4, 0.1, 0.1], [0.2, 0.4, 0.3, 0.1], [0.1, 0.2, 0.2, 0.5]]).mean(
        axis=0
    )
    assert [e.value for e in together.lines[1].shares["occupations"].share] == pytest.approx(mean)
    assert [e.value for e in together.lines[0].shares["occupations"].share] == pytest.approx([0.5, 0.25, 0.0, 0.25])
    # Of a year in which nobody was seen: all three, and nothing to compare them with.
    unseen = third.lines[1].shares["occupations"]
    assert third.actual is None
    assert [e.value for e in unseen.share] == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert (unseen.difference, unseen.distance, third.lines[1].perplexity) == (None, None, None)


def test_likelihoods_by_hand(report: Report) -> None:
    first, _, _, together = report.periods
    for period, own, status in (
        (first, [0.5, 0.3], [0.8, 0.3]),
        (together, [0.5, 0.3, 0.4, 0.5], [0.8, 0.3, 0.8, 0.5]),
    ):
        same, one, even = period.lines
        mean = np.log(own).mean()
        assert (same.perplexity, same.difference, one.difference) == (None, None, None)
        assert one.perplexity is not None
        assert one.status_perplexity is not None
        assert even.difference is not None
        assert one.perplexity.value == pytest.approx(exp(-mean))
        assert one.status_perplexity.value == pytest.approx(exp(-np.log(status).mean()), rel=1e-6)
        assert even.difference.value == pytest.approx(log(0.25) - mean)
        assert one.shortfall == pytest.approx(0.01)
        # Who is employed: the first person both times, with 0.8, and nobody else, with at most 0.6.
        assert one.events["employed"]["auc"] == 1.0
    brier = (0.2**2 + 0.6**2) / 2
    assert first.lines[1].events["employed"]["brier"] == pytest.approx(brier, abs=1e-4)


def test_intervals_resample_persons_and_not_their_years(occupations: Occupations) -> None:
    """With every year alike, three years know no more than one; errors are those of a mean over persons."""
    random = np.random.default_rng(0)
    last = random.integers(0, 4, 150)
    made = planned(occupations, last.tolist(), [[int(k)] * 3 for k in last])
    prob = np.repeat(random.dirichlet(np.ones(4), 150)[:, None], 3, axis=1)
    periods = Report.of(
        made, 4, 0, [stated("one", made, prob), stated("even", made, np.full(prob.shape, 0.25))]
    ).periods
    gap = prob[:, 0, 3] - (last == 3)
    loss = -np.log(prob[np.arange(150), 0, last])
    for period in (periods[0], periods[-1]):
        _, one, even = period.lines
        assert one.shares["statuses"].difference is not None
        assert one.perplexity is not None
        found = one.shares["statuses"].difference[2]
        assert found.value == pytest.approx(gap.mean())
        assert found.standard_error == pytest.approx(gap.std() / sqrt(150), rel=0.1)
        assert found.low == pytest.approx(gap.mean() - 1.96 * gap.std() / sqrt(150), abs=0.3 * found.standard_error)
        assert found.high == pytest.approx(gap.mean() + 1.96 * gap.std() / sqrt(150), abs=0.3 * found.standard_error)
        error = one.perplexity.value * loss.std() / sqrt(150)
        assert one.perplexity.standard_error == pytest.approx(error, rel=0.1)
        assert even.difference is not None
        assert even.difference.standard_error == pytest.approx(loss.std() / sqrt(150), rel=0.1)  # the other is certain


def test_a_right_forecast_is_as_far_as_careers_drawn_from_it(occupations: Occupations) -> None:
    """Of n persons at even odds of two statuses the distance is |share - 1/2|: 1 / sqrt(2 pi n) in the mean."""
    n = 400
    made = planned(occupations, [0] * n, [[0]] * n)
    prob = np.tile(np.array([0.5, 0.0, 0.0, 0.5]) + 1e-9, (n, 1, 1))
    states = np.tile(np.array([0, 3], dtype=np.int32)[None, :, None], (n, 10, 1))
    [period] = Report.of(made, 20, 0, [stated("even", made, prob, states)]).periods
    shares = period.lines[1].shares["statuses"]
    assert shares.right is not None
    assert shares.distance is not None
    assert shares.right.value == pytest.approx(1 / sqrt(2 * pi * n), rel=0.15)
    assert shares.right.high == pytest.approx(2.24 * 0.5 / sqrt(n), rel=0.15)  # of 95%, one-sided: |z| below 2.24
    assert shares.distance.value == pytest.approx(0.5)
    [alone] = Report.of(made, 1, 0, [stated("even", made, prob, states[:, :1])]).periods
    assert alone.lines[1].shares["statuses"].right is None  # a single career tells of no spread


def test_tables_and_notes_say_what_the_report_holds(report: Report, occupations: Occupations) -> None:
    shown = list(tables(report))
    employed = shown[0]
    assert employed.title.startswith("employed, % of persons")
    assert employed.headings == ("year", "persons", "actual", "as in 2003", "one", "even")
    assert [row[:3] for row in employed.rows] == [
        ("2004", "2", "50.0"),
        ("2005", "2", "50.0"),
        ("2006", "3", "–"),
        ("2004-2005", "3", "50.0"),
    ]
    assert employed.rows[0][4].startswith("70.0 (+20.0 [")
    assert employed.rows[2][4].startswith("60.0 [")
    assert [table.title.split(",")[0] for table in shown[:3]] == ["employed", "unemployed", "out of the labor force"]
    [perplexity] = [table for table in shown if table.title.startswith("perplexity")]
    assert perplexity.headings[-1] == "even less one"
    assert [row[0] for row in perplexity.rows] == ["2004", "2005", "2004-2005"]
    assert perplexity.rows[0][2].startswith("2.58 ± ")  # exp(-(ln 0.5 + ln 0.3) / 2)
    distances = [table for table in shown if table.title.startswith("distance")]
    assert [table.rows[0][3].split(" ")[0] for table in distances] == ["0.300", "0.450"]  # groups, occupations
    assert [row[0] for row in shown[-1].rows[:2]] == ["Registered nurses", "Office clerks"]
    told = " ".join(notes(report))
    assert "3 test persons, as known at the end of 2003; 4 careers" in told
    assert "Nobody was observed in 2006" in told
    assert "one 0.010, even 0.010 nats" in told
    alike = replace(occupations, groups=occupations.codes)
    made = planned(alike, [0, 1], [[0], [1]])
    few = Report.of(made, 4, 0, [stated("even", made, np.full((2, 1, 4), 0.25))])
    assert sum("distance" in table.title for table in tables(few)) == 1  # groups would be the occupations again


def test_a_table_too_wide_for_the_screen_comes_in_parts() -> None:
    table = ForecastTable("t", ("year", "a", "b", "c"), (("2004", "1" * 10, "2" * 10, "3" * 10),), 1)
    assert list(table.parts(10_000)) == [table]
    assert [part.headings for part in table.parts(40)] == [("year", "a", "b"), ("year", "c")]
    assert [part.rows for part in table.parts(5)] == [(("2004", str(k) * 10),) for k in (1, 2, 3)]


def test_json_holds_every_interval(report: Report) -> None:
    made = json.loads(json.dumps(plain(report), allow_nan=False))
    assert (made["from"], made["years"], made["persons"]) == (2003, [2004, 2005, 2006], 3)
    first, unseen = made["periods"][0], made["periods"][2]
    one = first["forecasts"][1]
    assert one["statuses"]["difference"]["employed"].keys() == {"value", "standard_error", "low", "high"}
    assert one["occupations"]["share"]["29-1141"] == 0.35
    assert one["occupations"]["distance"]["value"] == 0.45
    assert first["actual"]["statuses"]["unemployed"]["value"] == 0.5
    assert (unseen["actual"], unseen["forecasts"][1]["perplexity"]) == (None, None)


def test_where_careers_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    require_writable(tmp_path / "careers.parquet")
    for path, message in (
        (tmp_path / "careers.csv", r"are written as \.parquet"),
        (tmp_path / "none" / "careers.parquet", "there is no folder"),
        (folder, "is a folder; name a file"),
    ):
        with pytest.raises(RequestError, match=message):
            require_writable(path)
