"""mlogit: statsmodels' own numbers on a formula's design, effects, what has no optimum, and what a formula may not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from helpers.commands import installed
from helpers.fits import fit_on

from harness import open_panel
from harness.errors import RequestError
from harness.panel.careers import Covariate, Panel
from harness.plugins.mnl import MlogitParams, build_plain
from harness.types import FloatArray, IntArray

pytest.importorskip("statsmodels")
from statsmodels.discrete.discrete_model import MNLogit

from harness.plugins.mnl.mlogit import MultinomialLogit

FORMULA = "tenure + years_of_schooling * married + years_of_schooling**2"


@pytest.fixture(scope="module")
def careers() -> Panel:
    return open_panel("wage-panel")


def mlogit(panel: Panel, folder: Path, **params: Any) -> MultinomialLogit:
    model = build_plain(MlogitParams(**params))
    fit_on(model, panel, folder)
    assert isinstance(model, MultinomialLogit)
    return model


def by_hand(panel: Panel, split: Literal["train", "test"]) -> tuple[FloatArray, IntArray, IntArray]:
    """(X, state, person) of the formula, written without a parser."""
    part = panel.part(split)
    records = part.transitions
    tenure = np.empty(part.n_records)
    for first, end in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        for i in range(first, end):
            tenure[i] = tenure[i - 1] + 1 if i > first and part.state[i] == part.state[i - 1] else 1
    school = part.covariates["years_of_schooling"].values[records].astype(float)
    married = part.covariates["married"]
    yes = (np.array(married.levels)[married.values[records]] == "yes").astype(float)
    columns = [np.ones(len(records)), tenure[records - 1], school, yes, school**2, school * yes]
    return np.column_stack(columns), part.state[records].astype(int), part.person[records]


def named(panel: Panel) -> list[str]:
    return [f"{c} {t}" for c, t in zip(panel.occupations.codes, panel.occupations.titles, strict=True)]


def numbers(values: Any) -> FloatArray:
    return np.array(values, dtype=float)


def test_it_is_statsmodels_own_optimum_with_clustered_errors(careers: Panel, tmp_path: Path) -> None:
    model = mlogit(careers, tmp_path, formula=FORMULA, base="Sales workers")
    X, state, person = by_hand(careers, "train")
    base = careers.occupations.titles.index("Sales workers")
    order = [base, *(k for k in np.argsort(-np.bincount(state), kind="stable") if k != base)]
    place = np.argsort(order)
    groups = np.unique(person, return_inverse=True)[1]
    own = MNLogit(place[state], X).fit(
        disp=0, method="newton", maxiter=100, cov_type="cluster", cov_kwds={"groups": groups}
    )
    [table, effects] = model.estimates
    assert table.outcomes == tuple(named(careers)[k] for k in order[1:])
    assert table.terms[:3] == ("constant", "tenure", "years_of_schooling")
    np.testing.assert_allclose(numbers(table.value), own.params, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(numbers(table.error), own.bse, rtol=1e-4)
    held, _, _ = by_hand(careers, "test")
    test = careers.part("test")
    asked = np.tile(np.array(order), (len(test.transitions), 1))
    np.testing.assert_allclose(
        np.exp(model.log_prob(test, test.transitions, asked)), own.predict(held), rtol=1e-4, atol=1e-6
    )
    # Of a term that stands alone: the mean of dP/dx, and its error by the delta method.
    theirs = own.get_margeff()
    at = effects.terms.index("tenure")
    mine, error = (np.roll(numbers(part)[at], 1) / 100 for part in (effects.value, effects.error))
    np.testing.assert_allclose(mine, theirs.margeff[0], atol=1e-6)
    np.testing.assert_allclose(error, theirs.margeff_se[0], rtol=1e-3)
    assert numbers(effects.value).sum(axis=1) == pytest.approx(0, abs=1e-6), "what one outcome gains the others lose"


def test_an_effect_moves_all_terms_of_its_variable(careers: Panel, tmp_path: Path) -> None:
    model = mlogit(careers, tmp_path, formula=FORMULA)
    X, _, _ = by_hand(careers, "train")
    beta = numbers(model.estimates[0].value)

    def shares(yes: float) -> FloatArray:
        at = X.copy()
        at[:, 3], at[:, 5] = yes, yes * at[:, 2]
        utility = np.exp(np.column_stack([np.zeros(len(at)), at @ beta]))
        return np.asarray((utility / utility.sum(axis=1, keepdims=True)).mean(axis=0))

    effects = model.estimates[1]
    [row] = [i for i, name in enumerate(effects.terms) if name.startswith("married = ")]
    low, high = (0.0, 1.0) if effects.terms[row] == "married = yes, against no" else (1.0, 0.0)
    wanted = 100 * (shares(high) - shares(low))
    np.testing.assert_allclose(numbers(effects.value)[row], np.roll(wanted, -1), atol=1e-3)


def test_coefficients_without_an_optimum_are_named(careers: Panel, tmp_path: Path) -> None:
    """Those of the origins that nobody left for an outcome, and no others; the rest has errors."""
    model = mlogit(careers, tmp_path, formula="tenure + origin", marginal_effects=False)
    train = careers.part("train")
    count = np.zeros((9, 9))
    np.add.at(count, (train.origin(train.transitions), train.state[train.transitions]), 1)
    titles, outcomes = careers.occupations.titles, named(careers)
    [table] = model.estimates
    nowhere = {(f"origin[T.{titles[a]}]", outcomes[b]) for a, b in np.argwhere(count == 0)}
    missing = {
        (term, outcome)
        for term, row in zip(table.terms, table.value, strict=True)
        for outcome, value in zip(table.outcomes, row, strict=True)
        if value is None
    }
    assert missing == {(t, o) for t, o in nowhere if t in table.terms and o in table.outcomes}
    assert model.facts()["coefficients_without_optimum"] == len(missing) > 0
    assert any("have no optimum" in note and "run to infinity" in note for note in table.notes)
    test = careers.part("test")
    rows = model.log_prob(test, test.transitions, np.tile(np.arange(9), (len(test.transitions), 1)))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.exp(rows.astype(float)).sum(axis=1), 1, atol=1e-5)


def test_a_missing_number_has_a_term_of_its_own(careers: Panel, tmp_path: Path) -> None:
    school = careers.covariates["years_of_schooling"].values.astype(float).copy()
    school[::7] = np.nan
    some = replace(careers, covariates={**careers.covariates, "years_of_schooling": Covariate("numeric", school)})
    model = mlogit(some, tmp_path, formula="years_of_schooling", marginal_effects=False)
    assert model.estimates[0].terms == ("constant", "years_of_schooling", "missing_years_of_schooling")


def test_a_constant_alone_says_the_shares_of_training(careers: Panel, tmp_path: Path) -> None:
    model = mlogit(careers, tmp_path, formula="1")
    train, test = careers.part("train"), careers.part("test")
    shares = np.bincount(train.state[train.transitions], minlength=9) / len(train.transitions)
    asked = np.tile(np.arange(9), (len(test.transitions), 1))
    said = np.exp(model.log_prob(test, test.transitions, asked))
    np.testing.assert_allclose(said, np.tile(shares, (len(test.transitions), 1)), atol=1e-6)


def test_it_is_read_back_as_it_was(careers: Panel, tmp_path: Path) -> None:
    model = mlogit(careers, tmp_path, formula="C(married, Treatment('yes')) + log(tenure)")
    assert model.estimates[0].terms[1] == "C(married, Treatment('yes'))[T.no]"
    kept = tmp_path / "kept"
    kept.mkdir()
    model.save(kept)
    again = build_plain(MlogitParams(formula="C(married, Treatment('yes')) + log(tenure)"))
    again.load(kept)
    test = careers.part("test")
    asked = np.tile(np.arange(9), (len(test.transitions), 1))
    np.testing.assert_array_equal(
        again.log_prob(test, test.transitions, asked), model.log_prob(test, test.transitions, asked)
    )
    assert again.explain() == model.explain()


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("tenure + tenur", "there is no feature 'tenur' here; did you mean 'tenure'"),
        ("state ~ tenure", "has a left-hand side"),
        ("tenure + (", "is no formula"),
        ("0 + tenure", "leaves out the constant"),
        ("tenure + {__import__('os').system('true')}", "is not allowed"),
        ("tenure + __import__('os').system('true')", "is no formula"),
        ("{tenure.real}", "is not allowed"),
        ("{(lambda: 1)() * tenure}", "is not allowed"),
        ("tenure + bs(age, df=4)", "is not allowed"),
        ("log(records - 1)", "is not a number for some transitions"),
        ("tenure + {2 * tenure}", "is a sum of tenure"),
        ("tenure + {0 * tenure}", "does not vary in training"),
    ],
)
def test_a_formula_that_is_none_is_told(careers: Panel, tmp_path: Path, formula: str, said: str) -> None:
    with pytest.raises(RequestError) as told:
        mlogit(careers, tmp_path, formula=formula)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_base_that_is_none_is_told(careers: Panel, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no state 'Sails workers' here; did you mean 'Sales workers'"):
        mlogit(careers, tmp_path, formula="tenure", base="Sails workers")


@pytest.mark.slow
def test_the_command_runs_and_explains_it(tmp_path: Path) -> None:
    line = (
        "run",
        "--task",
        "next_occ",
        "--model",
        "mlogit",
        "--data",
        "wage-panel",
        "--set",
        "formula=tenure + age**2",
    )
    done = installed(tmp_path, *line)
    assert done.returncode == 0, done.stderr
    code = open_panel("wage-panel").occupations.codes[2]
    done = installed(tmp_path, "explain", "wage-panel/next_occ/mlogit", "--marginal-effects", "--outcome", code)
    assert done.returncode == 0, done.stderr
    assert f"Average marginal effects on P(next state): {code} " in done.stdout
    assert {line.strip(" |").split(" ")[0] for line in done.stdout.splitlines() if line.strip()} >= {"tenure", "age"}
    done = installed(tmp_path, "explain", "wage-panel/next_occ/mlogit", "--marginal-effects", "--latex", "e.tex")
    assert "9 tables in e.tex" in done.stderr
    assert (tmp_path / "e.tex").read_text().count("Average marginal effects on P(next state)") == 9
