"""Sampled careers: right in closed form, repeatable, blind to what came later, and what a model is shown of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import Frequencies, entry_of, run_on

from harness.errors import RequestError, RunError
from harness.forecasts import sample as forecast_careers
from harness.forecasts.files import write_careers
from harness.forecasts.plan import Plan, plan, pooled, until
from harness.forecasts.sample import Forecast, Sampler, collect, forecast
from harness.model.contract import Context, Model, NoParams, take_states
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations
from harness.runs.execute import Workshop
from harness.types import FloatArray, IntArray

# P(next | origin) of four states; far from its own square, so that a chain that does not move on is found out.
CHAIN = np.array([[0.6, 0.3, 0.1, 0.0], [0.1, 0.7, 0.1, 0.1], [0.5, 0.2, 0.2, 0.1], [0.0, 0.1, 0.2, 0.7]])
CHAIN = (CHAIN + 0.01) / 1.04
TRAINED = {"t": [(y, y % 2) for y in range(2000, 2010)], "v": [(2000, 0), (2001, 1)]}


class Chain(Model):
    """Knows the chain, spends a part of it elsewhere where told so, and remembers every panel it was asked about."""

    def __init__(self, params: NoParams) -> None:
        self.params, self.holds = params, 1.0
        self.asked: list[tuple[Panel, IntArray]] = []

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        """Knows it already."""

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        self.asked.append((panel, transitions))
        return take_states(np.log(self.holds * CHAIN[panel.origin(transitions)]), states)

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""


SPEC = entry_of(Chain, name="chain", params=NoParams).item


def panel_of(
    occupations: Occupations,
    test: Mapping[str, Sequence[tuple[int, int]]],
    covariates: Mapping[str, Any] | None = None,
    trained: Mapping[str, Sequence[tuple[int, int]]] = TRAINED,
) -> Panel:
    """Careers of (year, state): those of the test split after those that are trained on ('v' validates)."""
    careers = {**trained, **test}
    records = [(person, *record) for person, career in careers.items() for record in career]
    made = {name: [of(person, year) for person, year, _ in records] for name, of in (covariates or {}).items()}
    return Panel(
        name="toy",
        persons=np.array(list(careers)),
        offsets=np.concatenate([[0], np.cumsum([len(career) for career in careers.values()])]),
        year=np.array([year for _, year, _ in records]),
        state=np.array([state for _, _, state in records]),
        occupations=occupations,
        split=np.array([{"t": 0, "v": 1}.get(person[0], 2) for person in careers]),
        covariates={
            n: Covariate("numeric", np.array(v, dtype=float), fixed=n == "birth_year") for n, v in made.items()
        },
    )


def sampled(made: Plan, samples: int = 8, seed: int = 0, model: Chain | None = None, **changes: Any) -> Forecast:
    spec = replace(SPEC, **changes)
    return collect(spec.name, made, samples, Sampler(spec, model or Chain(NoParams()), made, samples, seed).steps())


@pytest.fixture
def crowd(four_persons: Panel) -> Panel:
    """300 persons in each state in 2003; those of state 1 were last heard of in 2002; three of each seen later."""
    careers = {}
    for k in range(4):
        for i in range(300):
            last = 2003 - (k == 1)
            career = [(last - 1, 0), (last, k)]
            careers[f"{k}-{i:03}"] = career + ([(2004, i), (2007, 0)] if i < 3 else [])
    return panel_of(four_persons.occupations, careers)


def test_shares_are_those_of_the_powers_of_the_chain(crowd: Panel) -> None:
    made = plan(crowd, 2003, 4)
    found = sampled(made, samples=10)
    assert made.years.tolist() == [2004, 2005, 2006, 2007]
    assert made.steps.tolist() == [2003, 2004, 2005, 2006, 2007]  # 2003 for those who were not asked in it
    for k in range(4):
        ours = made.last == k
        steps = np.arange(1, 5) + (k == 1)
        right = np.stack([np.linalg.matrix_power(CHAIN, n)[k] for n in steps])
        error = np.sqrt(right * (1 - right) / 3000)  # of the drawn states; that of the rows is less
        assert (np.abs(found.prob[ours].mean(axis=0) - right) < 4 * error).all()
        drawn = np.stack([(found.states[ours][:, :, -4:] == j).mean(axis=(0, 1)) for j in range(4)], axis=1)
        assert (np.abs(drawn - right) < 4 * error).all()
        assert (np.abs(right[0] - right[-1]) > 8 * error[0]).any()  # so much would be seen
    exact = made.last != 1
    np.testing.assert_allclose(found.prob[exact, 0], CHAIN[made.last[exact]], atol=1e-6)
    np.testing.assert_allclose(found.prob.sum(axis=2), 1.0, atol=1e-5)


def test_likelihood_is_that_of_the_mean_row_of_who_was_seen(crowd: Panel) -> None:
    made = plan(crowd, 2003, 4)
    found = sampled(made)
    seen = made.actual >= 0
    assert seen.sum(axis=0).tolist() == [12, 0, 0, 12]
    assert np.array_equal(~np.isnan(found.log_prob), seen)
    row, column = np.nonzero(seen)
    own = found.prob[row, column, made.actual[row, column]]
    np.testing.assert_allclose(found.log_prob[seen], np.log(own), atol=1e-6)
    assert (found.shortfall[seen] >= 0).all()
    # By hand: nobody's first step depends on a draw, whose later mean is over rows of the states drawn before.
    i = int(np.flatnonzero(made.last == 2)[0])
    weights = np.bincount(found.states[i, :, -2], minlength=4) / 8
    assert np.exp(found.log_prob[i, 3]) == pytest.approx(float(weights @ CHAIN[:, 0]), rel=1e-5)
    spread = weights @ CHAIN[:, 0] ** 2 - (weights @ CHAIN[:, 0]) ** 2
    assert found.shortfall[i, 3] == pytest.approx(spread / 7 / (weights @ CHAIN[:, 0]) ** 2 / 2, rel=1e-4)


def test_draws_depend_on_person_year_sample_and_seed_alone(crowd: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sampled(plan(crowd, 2003, 4))
    assert np.array_equal(sampled(plan(crowd, 2003, 4)).states, found.states)
    assert np.array_equal(sampled(plan(crowd, 2003, 4), name="another").states, found.states)
    assert not np.array_equal(sampled(plan(crowd, 2003, 4), seed=1).states, found.states)
    assert np.array_equal(sampled(plan(crowd, 2003, 4), samples=20).states[:, :8], found.states)
    assert np.array_equal(sampled(plan(crowd, 2003, 2)).states, found.states[:, :, :3])
    some = np.concatenate([[0, 1], np.arange(2 + 900, 2 + 1200, 7)])[::-1]  # and in another order
    fewer = sampled(plan(crowd.select(some), 2003, 4))
    kept = some[some > 1] - 2
    assert np.array_equal(fewer.states, found.states[kept][:, :, 1:])  # without those who need 2003
    np.testing.assert_array_equal(fewer.prob, found.prob[kept])
    monkeypatch.setattr(forecast_careers, "CAREERS", 50)
    assert np.array_equal(sampled(plan(crowd, 2003, 4)).states, found.states)
    # Different persons, samples and years meet different draws.
    alike = found.states[plan(crowd, 2003, 4).last == 0][:, :, 1:]
    assert len(np.unique(alike.reshape(-1, alike.shape[2]), axis=0)) > 100


def test_nothing_after_the_year_changes_a_fit_or_a_sample(workshop: Workshop, crowd: Panel) -> None:
    def made(panel: Panel) -> tuple[str, Plan, Forecast]:
        planned = plan(panel, 2003, 4)
        run = run_on(workshop.registry, planned.known)
        return run.fit_name, planned, forecast(run, planned, 5, workshop)

    careers = dict(TRAINED) | {
        p: [(int(crowd.year[r]), int(crowd.state[r])) for r in range(crowd.offsets[i], crowd.offsets[i + 1])]
        for i, p in enumerate(crowd.persons.tolist())
    }
    name, before, was = made(crowd)
    later = {p: [r if r[0] <= 2003 else (r[0], 3 - r[1]) for r in career] for p, career in careers.items()}
    later["t2"] = [(2004, 2), (2005, 2)]  # begins too late to be known
    later["x"] = [(2006, 2), (2007, 2)]
    fits = Frequencies.fits
    same, after, now = made(panel_of(crowd.occupations, {}, trained=later))
    assert (same, Frequencies.fits) == (name, fits)  # the cached fit
    assert not np.array_equal(after.actual, before.actual)
    assert np.array_equal(now.states, was.states)
    assert np.array_equal(now.prob, was.prob)
    assert not np.array_equal(now.log_prob, was.log_prob, equal_nan=True)
    earlier = careers | {"t": [(y, s if y != 2003 else 2) for y, s in careers["t"]]}
    other, _, changed = made(panel_of(crowd.occupations, {}, trained=earlier))
    assert other != name  # what was known does
    assert not np.array_equal(changed.prob, was.prob)


def test_a_model_sees_sampled_histories_and_their_years_covariates(four_persons: Panel) -> None:
    covariates = {
        "birth_year": lambda person, year: 1980,
        "region": lambda person, year: 7 if year < 2003 else 8,
        "tenure": lambda person, year: year - 1990,
        "later": lambda person, year: 0 if year <= 2003 else 1,  # never changed, as far as can be known
    }
    test = {"a": [(2001, 0), (2003, 1), (2004, 3), (2005, 0)], "b": [(2002, 2)], "c": [(2005, 1)]}
    made = plan(panel_of(four_persons.occupations, test, covariates), 2003, 3)
    assert made.persons.persons.tolist() == ["a", "b"]
    assert (made.moving, made.carried) == (("tenure",), ("region",))
    assert made.known.covariates["later"].fixed
    model = Chain(NoParams())
    found = sampled(made, samples=6, model=model)
    region = {"a": 8.0, "b": 7.0}
    told = set()
    for panel, transitions in model.asked:
        assert transitions.tolist() == (panel.offsets[1:] - 1).tolist()
        assert panel.state[transitions].tolist() == panel.state[transitions - 1].tolist()  # no word of the target's
        for i, person in enumerate(panel.persons.tolist()):
            records = slice(panel.offsets[i], panel.offsets[i + 1])
            year, state = panel.year[records].tolist(), panel.state[records].tolist()
            known = [record for record in test[person] if record[0] <= 2003]
            assert list(zip(year, state, strict=True))[: len(known)] == known
            assert year[len(known) :] == list(range(known[-1][0] + 1, year[-1] + 1))
            told.add((person, year[-1], tuple(state[len(known) : -1])))
            values = {name: c.values[records][len(known) :].tolist() for name, c in panel.covariates.items()}
            after = len(year) - len(known)
            assert values["region"] == [region[person]] * after
            assert values["tenure"] == [y - 1990.0 for y in year[len(known) :]]
            assert (values["birth_year"], values["later"]) == ([1980.0] * after, [0.0] * after)
    drawn = set()
    for person, states, first in (("a", found.states[0, :, 1:], 2004), ("b", found.states[1], 2003)):
        for t in range(states.shape[1]):
            drawn |= {(person, first + t, tuple(path[:t].tolist())) for path in states}
    assert told == drawn
    assert (found.states[0, :, 0] == -1).all()  # a record of 2003 is known


def test_rows_are_divided_by_their_sum_where_the_model_says_so(workshop: Workshop, crowd: Panel) -> None:
    made = plan(crowd, 2003, 4)
    open_model = Chain(NoParams())
    open_model.holds = 0.4
    found, right = sampled(made, model=open_model, sums_to_one=False), sampled(made)
    np.testing.assert_allclose(found.prob, right.prob, atol=1e-6)
    assert np.array_equal(found.states, right.states)
    with pytest.raises(RunError, match=r"'chain' broke the contract at person 0-000, year 2004: the row sums to 0\.4"):
        sampled(plan(crowd.select(np.array([0, 1, 2])), 2003, 4), model=open_model)
    for sums_to_one in (True, False):
        run = run_on(workshop.registry, made.known, entry=entry_of(Frequencies, sums_to_one=sums_to_one))
        assert forecast(run, made, 2, workshop).renormalised is not sums_to_one


def test_a_survey_of_every_other_year_is_sampled_so(four_persons: Panel) -> None:
    trained = {"t": [(2000, 0), (2001, 0), (2003, 1), (2005, 1)], "v": [(2001, 0), (2003, 1)]}
    test = {"a": [(2001, 0), (2003, 1), (2005, 2), (2006, 2), (2007, 3)], "b": [(2001, 0)]}
    panel = panel_of(four_persons.occupations, test, trained=trained)
    made = plan(panel, 2004, 4)
    assert (made.every, made.years.tolist(), made.steps.tolist()) == (2, [2005, 2007], [2003, 2005, 2007])
    assert made.actual.tolist() == [[2, 3], [-1, -1]]
    assert made.left_out == {"later records of these persons, in years that are not sampled": 1}
    assert plan(panel, 2004, 4, every=1).years.tolist() == [2005, 2006, 2007, 2008]
    assert (plan(panel).year, plan(panel).years.tolist()) == (2004, [2005, 2007])  # half of seven years


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((1999, 1), "has records from 2000 to 2009: 1999 is not a year"),
        ((2010, 1), "has records from 2000 to 2009: 2010 is not a year"),
        ((2000, 3), "to fit on: forecast from 2001 or later"),
        ((2001, 3), "nobody in its test split with a record up to 2001: forecast from 2002 or later"),
        ((2009, None), "ends in 2009: name the years to forecast after it"),
        ((None, 30), r"fewer years than 30 \(--horizon\)"),
        ((2005, 3, 4), "next record in 2009: forecast at least 4 years"),
    ],
)
def test_what_cannot_be_forecast(four_persons: Panel, asked: tuple[Any, ...], message: str) -> None:
    panel = panel_of(four_persons.occupations, {"a": [(2002, 1), (2005, 1)]})
    with pytest.raises(RequestError, match=message):
        plan(panel, *asked)


def test_further_panels_are_cut_at_the_same_year(four_persons: Panel) -> None:
    panel = panel_of(four_persons.occupations, {"a": [(2002, 1), (2005, 1)]})
    assert pooled(panel, 2004).year.max() == 2004
    with pytest.raises(RequestError, match="'toy' has no training career with two records up to 2000"):
        pooled(panel, 2000)
    assert until(panel, 1990).n_persons == 0


def test_every_sampled_record_is_written(four_persons: Panel, tmp_path: Path) -> None:
    from pyarrow import parquet

    test = {"a": [(2001, 0), (2003, 1)], "b": [(2002, 2)]}
    made = plan(panel_of(four_persons.occupations, test), 2003, 2)
    forecasts = [sampled(made, samples=3), sampled(made, samples=3, seed=1, name="other")]
    path = tmp_path / "careers.parquet"
    assert write_careers(path, made, forecasts) == 2 * 3 * (2 + 3)
    assert [file.name for file in tmp_path.iterdir()] == ["careers.parquet"]
    rows = parquet.read_table(path).to_pylist()
    assert list(rows[0]) == ["model", "person", "sample", "year", "occupation"]
    codes = four_persons.occupations.codes
    expected = [
        (made_by.name, person, s, year, codes[made_by.states[i, s, t]])
        for made_by in forecasts
        for i, person in enumerate("ab")
        for s in range(3)
        for t, year in enumerate([2003, 2004, 2005])
        if (person, year) != ("a", 2003)
    ]
    assert [tuple(row.values()) for row in rows] == expected
    with pytest.raises(RunError, match="cannot be written"):
        write_careers(tmp_path / "none" / "careers.parquet", made, forecasts)
