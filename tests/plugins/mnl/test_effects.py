"""Average marginal effects of mnl, and what its tables say where there are no errors, or no optimum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import open_panel
from harness.features.catalogue import build
from harness.features.discrete import Discretizer
from harness.model.contract import Context, Table
from harness.plugins.mnl import MnlParams, harness_models

pytest.importorskip("statsmodels")
from statsmodels.discrete.discrete_model import Logit

from harness.estimation.logits import Scaling
from harness.estimation.samples import Sample
from harness.estimation.stays import StayFeatures
from harness.plugins.mnl.effects import Bands, marginal_effects
from harness.plugins.mnl.linear import Linear, varying
from harness.plugins.mnl.stay import bands_of
from harness.plugins.mnl.terms import Factor, Known, StateClasses, Term


def column(table: Table, heading: str) -> dict[str, Any]:
    at = table.headings.index(heading)
    return {str(row[0]): row[at] for row in table.rows}


def test_marginal_effects_of_terms_that_stand_alone_are_statsmodels_own() -> None:
    draw = np.random.default_rng(0)
    n = 500
    number, dummy, level = draw.normal(size=n), draw.integers(2, size=n), np.arange(n) % 5 // 2  # level 0 twice in five
    X = np.column_stack([np.ones(n), number, dummy, level == 1, level == 2])
    y = (X @ [0.2, 0.8, -0.5, 0.7, -1.0] + draw.logistic(size=n) > 0).astype(int)
    person = np.repeat(np.arange(100), 5)
    own = Logit(y, X).fit(disp=0, cov_type="cluster", cov_kwds={"groups": person})
    effects = own.get_margeff(dummy=True)
    terms = (
        Term("number", (Factor("number", "number"),)),
        Term("dummy", (Factor("number", "dummy"),)),
        Term("level = 1", (Factor("level", "level", 1),)),
        Term("level = 2", (Factor("level", "level", 2),)),
    )
    known = Known({"number": number, "dummy": dummy.astype(float)}, {"level": level}, StateClasses.empty(), {})
    raw = Scaling(np.arange(4), np.zeros(4), np.ones(4), np.full(4, -8.0), np.full(4, 8.0))
    linear = Linear(terms, raw, own.params[:, None])
    [table] = marginal_effects(linear, X, np.ones(n), known, own.cov_params()).tables()
    mine = column(table, "percentage points")
    # A dummy of many levels changes from the reference here, all the others zero; in get_margeff they stay as they are.
    np.testing.assert_allclose([mine["number"], mine["dummy"]], 100 * effects.margeff[:2], rtol=1e-6)
    errors = column(table, "standard error")
    np.testing.assert_allclose([errors["number"], errors["dummy"]], 100 * effects.margeff_se[:2], rtol=1e-5)
    at = [own.predict(np.column_stack([X[:, :3], np.full(n, a), np.full(n, b)])).mean() for a, b in ((0, 0), (1, 0))]
    np.testing.assert_allclose(mine["level = 1"], 100 * (at[1] - at[0]), rtol=1e-9)


def test_a_marginal_effect_moves_every_term_of_a_feature() -> None:
    n = 400
    age = np.random.default_rng(1).integers(20, 60, size=n).astype(float)
    terms = (Term("age", (Factor("number", "age"),)), Term("age squared", (Factor("square", "age"),)))
    known = Known({"age": age}, {}, StateClasses.empty(), {})
    kept, X, scaling = varying(terms, known, np.ones(n))
    beta = np.array([0.3, 1.2, -0.9])
    linear = Linear(kept, scaling, beta[:, None])
    [table] = marginal_effects(linear, scaling.apply(X), np.ones(n), known, None).tables()
    later = linear.utilities(known.moved("age", age + 1), n)[:, 0]
    now = linear.utilities(known, n)[:, 0]
    change = 1 / (1 + np.exp(-later)) - 1 / (1 + np.exp(-now))
    np.testing.assert_allclose(column(table, "percentage points")["age"], 100 * change.mean(), rtol=1e-9)
    assert column(table, "standard error")["age"] is None


def test_the_share_in_a_band_moves_with_whole_numbers() -> None:
    n = 6
    age, income = np.array([20.0, 24, 29, 30, 31, np.nan]), np.array([1.5, 2, 2.5, 3, 3.5, 4])
    given = {
        "stayers among age": np.array([-0.2, -0.1, -0.15, 0.3, 0.35, 0.0]),
        "stayers among income": np.linspace(-1, 1, n),
    }
    known = Known({"age": age, "income": income}, {}, StateClasses.empty(), given)
    terms = (
        Term("age", (Factor("number", "age"),)),
        Term("age band", (Factor("given", "stayers among age"),)),
        Term("income", (Factor("number", "income"),)),
        Term("income band", (Factor("given", "stayers among income"),)),
    )
    own = np.nan_to_num(age)
    X = np.column_stack([np.ones(n), own, given["stayers among age"], income, given["stayers among income"]])
    beta, weight = np.array([0.5, -0.03, 1.2, 0.4, 2.0]), np.array([1.0, 2, 0.5, 1, 3, 1])
    scaling = Scaling(np.arange(4), np.zeros(4), np.full(4, 100.0), np.full(4, -8.0), np.full(4, 8.0))
    linear = Linear(terms, scaling, beta[:, None] * [[1], *[[100]] * 4])
    design = np.column_stack([X[:, 0], X[:, 1:] / 100])
    # Two bands of age, below 30 and from 30 up; all training careers say -0.1 and 0.3 of them.
    bands = {"age": Bands((30.0,), np.array([-0.1, 0.3, 0.0])), "income": Bands((2.5,), np.array([-1.0, 1.0, 0.0]))}
    [table] = marginal_effects(linear, design, weight, known, np.eye(5), bands).tables()

    def stay(at: Any) -> Any:
        return 1 / (1 + np.exp(-at @ beta))

    later = X.copy()
    later[:5, 1] += 1
    later[2, 2] += 0.4  # from 29 to 30, the one that comes into another band
    effect = (weight * (stay(later) - stay(X)))[:5].sum() / weight[:5].sum()
    np.testing.assert_allclose(column(table, "percentage points")["age"], 100 * effect, rtol=1e-9)
    slope = beta[3] * (weight * stay(X) * (1 - stay(X))).sum() / weight.sum()  # a step has no derivative
    np.testing.assert_allclose(column(table, "percentage points")["income"], 100 * slope, rtol=1e-6)


def test_a_number_is_in_the_band_of_its_share() -> None:
    panel = open_panel("market", {"persons": 100}).part("train")
    discretizer = Discretizer.fit(build(panel, panel.transitions), panel.n_states)
    sample = Sample.of(panel, discretizer)
    features = StayFeatures.count(sample, discretizer, panel.occupations.group_index()[0], (16.0, 50.0))
    columns = features.matrix(sample.inputs)
    bands = bands_of(discretizer, features)
    assert {"age", "year"} <= set(bands)
    for name, own in bands.items():
        values = sample.inputs.numbers[:, discretizer.numbers.index(name)]
        assert len(np.unique(own.of(values))) > 1
        np.testing.assert_array_equal(own.of(values), columns[:, list(features.affinities.tables).index(name)])


def explained(panel: Any, folder: Path, **params: Any) -> dict[str, list[Table]]:
    model = harness_models()[0].build(MnlParams(**params))
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=folder, cache=folder))
    found: dict[str, list[Table]] = {}
    for table in model.explain():
        found.setdefault(table.stage, []).append(table)
    return found


def test_tables_say_why_there_are_no_errors(tmp_path: Path) -> None:
    tables = explained(open_panel("market", {"persons": 60}), tmp_path)
    [first, *_] = tables["group"]
    assert {row[2] for row in first.rows} == {None}
    assert "no standard errors: " in first.notes[0]
    assert "too few for" in first.notes[0]
    assert not any("clustered" in note or "sandwich" in note for note in first.notes)
    assert "standard errors are clustered by person" in tables["stay"][0].notes[0]


def test_tables_say_that_the_solver_stopped_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for most in ("NEWTON_SIZE", "MOST_COEFFICIENTS"):  # as where the Hessian cannot be had, which would end the climb
        monkeypatch.setattr(f"harness.plugins.mnl.solve.{most}", 0)
    panel = open_panel("wage-panel")
    short = explained(panel, tmp_path, iterations=1, standard_errors=False)
    assert any("stopped short of the optimum" in note for note in short["group"][0].notes)
    assert "no standard errors: standard_errors=false" in short["group"][0].notes[0]
    whole = explained(panel, tmp_path, standard_errors=False)
    assert not any("stopped short" in note for tables in whole.values() for table in tables for note in table.notes)
