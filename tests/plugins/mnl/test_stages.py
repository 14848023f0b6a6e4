"""mnl through its public interface: one stage against statsmodels, three stages with weights, what they explain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fits import fit_on, model_of, whole_rows

from harness import open_panel
from harness.errors import RequestError, RunError
from harness.estimation.samples import folds_of
from harness.features.catalogue import build
from harness.model.contract import Context, Model, Table
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.mnl import MnlParams, harness_models

pytest.importorskip("statsmodels")
pytest.importorskip("linearmodels")
from statsmodels.discrete.discrete_model import MNLogit

from harness.plugins.mnl.attributes import Attributes, title_likeness
from harness.plugins.mnl.linear import varying
from harness.plugins.mnl.terms import Factor, Known, StateClasses, Term
from harness.types import StrArray

CHOSEN = ("age", "tenure", "years_of_schooling", "ethnicity", "married")


@pytest.fixture(scope="module")
def wage_panel() -> Panel:
    return open_panel("wage-panel")


def fitted(panel: Panel, folder: Path, **params: Any) -> Model:
    return fit_on(mnl(**params), panel, folder)


def mnl(**params: Any) -> Model:
    return model_of(harness_models()[0], MnlParams(**params))


def column(table: Table, heading: str) -> dict[str, Any]:
    at = table.headings.index(heading)
    return {str(row[0]): row[at] for row in table.rows}


# One stage


@pytest.fixture(scope="module")
def one_stage(wage_panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return fitted(wage_panel, tmp_path_factory.mktemp("one"), stages="one", penalties=(0,), terms=CHOSEN)


def own_problem(train: Panel) -> tuple[Any, list[str], list[int]]:
    """statsmodels' MNLogit of the same transitions, its terms by name, and the states in its order."""
    design = build(train, train.transitions)
    terms: dict[str, np.ndarray] = {"constant": np.ones(len(train.transitions))}
    for name in CHOSEN:
        feature, values = design.features[name], design[name]
        if not feature.categorical:
            terms[name] = values
            continue
        reference = int(np.bincount(values).argmax())
        terms |= {f"{name} = {level}": values == k for k, level in enumerate(feature.levels) if k != reference}
    target = train.state[train.transitions]
    order = np.argsort(-np.bincount(target), kind="stable")
    place = np.argsort(order)
    X = np.column_stack([np.asarray(values, dtype=np.float64) for values in terms.values()])
    return MNLogit(place[target], X), list(terms), order.tolist()


def test_one_stage_without_penalty_is_statsmodels_newton_optimum(one_stage: Model, wage_panel: Panel) -> None:
    train = wage_panel.part("train")
    problem, terms, order = own_problem(train)
    person = train.person[train.transitions]
    own = problem.fit(method="newton", maxiter=100, disp=0, cov_type="cluster", cov_kwds={"groups": person})
    target = train.state[train.transitions].astype(np.int64)[:, None]
    mine = one_stage.log_prob(train, train.transitions, target).astype(np.float64).sum()
    np.testing.assert_allclose(mine, own.llf, rtol=1e-6)
    tables = one_stage.explain()
    assert [table.outcome for table in tables] == [
        f"{wage_panel.occupations.codes[k]} {wage_panel.occupations.titles[k]}" for k in order[1:]
    ]
    for j, table in enumerate(tables):
        assert table.stage == "all"
        for heading, theirs in (("coefficient", own.params), ("standard error", own.bse), ("p", own.pvalues)):
            found = column(table, heading)
            assert list(found) == terms
            np.testing.assert_allclose(list(found.values()), theirs[:, j], rtol=1e-5, atol=1e-9)
    notes = " ".join(tables[0].notes)
    assert "reference categories: ethnicity: other; married: no" in notes
    assert f"log-likelihood {own.llf:,.2f}" in notes
    assert "2,618 transitions of 374 persons" in notes


def test_one_stage_prices_first_records_and_states_nobody_went_to(tmp_path: Path, wage_panel: Panel) -> None:
    states = wage_panel.occupations
    more = replace(
        wage_panel,
        occupations=Occupations(
            (*states.codes, "x", "y"),
            (*states.titles, "Nobody", "Nothing"),
            (*states.groups, "x", "y"),
            (*states.statuses, Status.EMPLOYED, Status.OUT),
        ),
    )
    model = fitted(more, tmp_path, stages="one")
    rows = np.exp(whole_rows(model, more).astype(np.float64))
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-6)
    n = len(more.part("train").transitions)
    np.testing.assert_allclose(rows[:, 9:], 0.5 / (n + 0.5 * 11), rtol=1e-5)
    first = np.exp(model.log_prob(more, more.entries, np.broadcast_to(np.arange(11), (more.n_persons, 11))))
    np.testing.assert_allclose(first.sum(axis=1), 1.0, atol=1e-5)
    folder = tmp_path / "kept"
    folder.mkdir()
    model.save(folder)
    again = mnl(stages="one")
    again.load(folder)
    np.testing.assert_array_equal(whole_rows(again, more), whole_rows(model, more))
    assert again.facts() == model.facts()
    assert again.explain() == model.explain()
    with pytest.raises(RequestError, match="has other states"):
        whole_rows(model, wage_panel)


def test_one_stage_says_what_is_wrong_with_its_terms(tmp_path: Path, wage_panel: Panel) -> None:
    with pytest.raises(RequestError, match=r"mnl.terms: there is no feature 'maried' here; did you mean 'married'"):
        fitted(wage_panel, tmp_path, stages="one", terms=("age", "maried"))
    # No farm laborer turned service worker: with a dummy for each origin, nothing bounds that coefficient.
    with pytest.raises(RunError, match="found no optimum without a penalty"):
        fitted(wage_panel, tmp_path, stages="one", penalties=(0,), terms=("origin",))


def given(panel: Panel, name: str, values: np.ndarray) -> Panel:
    """The panel with one more number of each record."""
    return replace(panel, covariates={**panel.covariates, name: Covariate("numeric", values.astype(np.float64))})


def test_a_feature_that_was_asked_for_and_cannot_be_had_is_an_error(tmp_path: Path, wage_panel: Panel) -> None:
    empty = given(wage_panel, "income", np.full(wage_panel.n_records, np.nan))
    with pytest.raises(RequestError, match=r"mnl: 'income' does not vary in training.*: leave it out of mnl.terms"):
        fitted(empty, tmp_path, stages="one", terms=("age", "income"))
    in_months = given(wage_panel, "months", 12 * wage_panel.year - 7)
    with pytest.raises(RequestError, match="mnl: 'months' does not vary in training, or says what another term says"):
        fitted(in_months, tmp_path, stages="one", terms=("year", "months"))
    summed = given(wage_panel, "sum", wage_panel.year + 3 * wage_panel.covariates["married"].values)
    asked = ("year", "married", "sum")
    with pytest.raises(RequestError, match="mnl: 'sum' is a sum of year - 1981, married = yes"):
        fitted(summed, tmp_path, stages="one", terms=asked, penalties=(0,))
    with pytest.raises(RequestError, match="mnl: 'sum'"):  # the path would begin with a penalty
        fitted(summed, tmp_path, stages="one", terms=asked, penalties=(10, 0))


def test_one_stage_takes_states_groups_and_squares(tmp_path: Path, wage_panel: Panel) -> None:
    model = fitted(wage_panel, tmp_path, stages="one", terms=("origin_group", "previous", "age", "age squared"))
    names = list(column(model.explain()[0], "coefficient"))
    assert names[:2] == ["constant", "origin's group = 1"]
    assert {"no previous", "age squared", "previous = 2"} <= set(names)
    assert "origin_group: 5" in " ".join(model.explain()[0].notes)


# Weights


def twins(persons: StrArray) -> StrArray:
    """Another id for each person, of the same fold."""
    tried = [np.char.add(persons, f"-{i}") for i in range(60)]
    same = np.array([folds_of(names) == folds_of(persons) for names in tried])
    assert same.any(axis=0).all()
    return np.asarray(np.array(tried)[same.argmax(axis=0), np.arange(len(persons))])


def doubled(panel: Panel, persons: int) -> tuple[Panel, Panel]:
    """Every third person once more, under another id; and every third counting twice.

    Everyone is copied, and the copies of the others count nothing. Copies are in the folds that their originals are in,
    and so are not counted on one another.
    """
    panel = panel.select(np.flatnonzero(panel.split == 0)[:persons])
    twice = np.arange(persons) % 3 == 0
    copied = panel.select(np.tile(np.arange(persons), 2))
    copied = replace(
        copied,
        persons=np.append(panel.persons, twins(panel.persons)),
        weight=np.append(np.ones(persons), twice.astype(float))[copied.person],
    )
    return copied, replace(panel, weight=(1.0 + twice)[panel.person])


@pytest.mark.parametrize("stages", ["one", "three"])
def test_weight_two_is_two_persons_and_weight_zero_nobody(stages: str, tmp_path: Path, wage_panel: Panel) -> None:
    copied, weighted = doubled(wage_panel, 300)
    valid = wage_panel.part("valid")
    rows = []
    for train in (copied, weighted):
        model = mnl(stages=stages, penalties=(10.0,))
        model.fit(train, valid, Context(seed=0, scratch=tmp_path, cache=tmp_path))
        rows.append(whole_rows(model, valid))
    np.testing.assert_allclose(rows[0], rows[1], atol=2e-3)
    alone = mnl(stages=stages, penalties=(10.0,))
    alone.fit(replace(weighted, weight=None), valid, Context(seed=0, scratch=tmp_path, cache=tmp_path))
    assert np.abs(whole_rows(alone, valid) - rows[1]).max() > 0.02


@pytest.mark.parametrize("stages", ["one", "three"])
def test_weights_of_one_change_nothing(stages: str, tmp_path: Path, wage_panel: Panel) -> None:
    small = wage_panel.select(np.arange(150))
    plain = fitted(small, tmp_path, stages=stages)
    ones = fitted(replace(small, weight=np.ones(small.n_records)), tmp_path, stages=stages)
    np.testing.assert_array_equal(whole_rows(plain, small), whole_rows(ones, small))
    assert plain.explain() == ones.explain()
    assert plain.facts() == ones.facts()


# What three stages explain


@pytest.fixture(scope="module")
def three_stages(wage_panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("three")
    return fitted(in_groups(wage_panel), folder)


def in_groups(panel: Panel) -> Panel:
    """Two major groups, and minor groups within one of them."""
    states = panel.occupations
    groups = ("white",) * 4 + ("blue",) * 5
    return replace(panel, occupations=replace(states, groups=groups, minors=("a", "a", "b", "b", *("c",) * 5)))


def test_every_stage_is_explained_with_names_and_references(three_stages: Model) -> None:
    tables = {(table.stage, table.title): table for table in three_stages.explain()}
    assert [stage for stage, _ in tables] == ["stay", "stay", "group", "state"]
    stay = tables["stay", "Logit of staying"]
    names = column(stay, "coefficient")
    assert {"constant", "origin: log-odds of staying, shrunk", "tenure", "ln(1 + tenure)", "age", "age squared"} <= set(
        names
    )
    assert {"ethnicity = black", "ethnicity = hispanic", "married = yes"} <= set(names)
    assert "reference categories: origin's status: employed; ethnicity: other; married: no" in stay.notes
    assert names["ln(1 + tenure)"] > 0
    effects = next(table for (stage, title), table in tables.items() if stage == "stay" and title != stay.title)
    assert column(effects, "percentage points")["tenure"] > 0
    assert column(effects, "p")["tenure"] < 1e-3
    for table in three_stages.explain():
        for row in table.rows:
            value, error, z, _, low, high = row[1:]
            if error:
                assert isinstance(value, float)
                assert isinstance(error, float)
                expected = [value / error, value - 1.959964 * error, value + 1.959964 * error]
                assert [z, low, high] == pytest.approx(expected, rel=1e-4, abs=1e-4)
    state = column(tables["state", "Conditional logit of the state within the destination's group"], "coefficient")
    assert {"same minor group as the origin", "held before", "likeness of titles to the origin (TF-IDF cosine)"} <= set(
        state
    )


def test_a_loaded_model_explains_the_same(three_stages: Model, tmp_path: Path) -> None:
    three_stages.save(tmp_path)
    again = mnl()
    again.load(tmp_path)
    assert again.explain() == three_stages.explain()


def test_pair_attributes_by_hand(wage_panel: Panel) -> None:
    likeness = title_likeness(("Sales workers", "Sales worker", "Craftsmen, and foremen", "Workers and foremen", "77"))
    np.testing.assert_allclose(np.diag(likeness)[:4], 1.0, rtol=1e-5)
    np.testing.assert_allclose(likeness[0, 1], 1.0, rtol=1e-5)  # a plural is the same word
    assert likeness[0, 2] == 0
    assert likeness[0, 3] > 0
    assert likeness[4, 4] == 0  # no words, and like nothing
    # Words: and, foremen in two of five titles; craftsmen in one: ln(6 / (1 + titles)) + 1.
    rare, common = np.log(6 / 2) + 1, np.log(6 / 3) + 1
    worker = np.log(6 / 4) + 1
    norms = np.sqrt(rare**2 + 2 * common**2), np.sqrt(worker**2 + 2 * common**2)
    np.testing.assert_allclose(likeness[2, 3], 2 * common**2 / np.prod(norms), rtol=1e-5)
    attributes = Attributes.of(in_groups(wage_panel).occupations)
    assert len(set(attributes.minor.tolist())) == 3
    assert attributes.minor[0] == attributes.minor[1] != attributes.minor[2]


def test_no_terms_repeat_another_on_another_scale() -> None:
    n = 50
    age = np.random.default_rng(1).normal(size=n)
    known = Known(
        {"age": age, "months": 12 * age + 5, "younger": -age, "one": np.ones(n)},
        {},
        StateClasses.empty(),
        {},
    )
    terms = [Term(name, (Factor("number", name),)) for name in ("age", "months", "younger", "one")]
    kept, X, _ = varying(terms, known, np.ones(n))
    assert [term.name for term in kept] == ["age"]
    assert X.shape == (n, 1)


def test_numeric_covariates_with_missing_values_have_a_dummy(tmp_path: Path, wage_panel: Panel) -> None:
    values = wage_panel.covariates["years_of_schooling"].values.astype(float).copy()
    values[::7] = np.nan
    panel = replace(
        wage_panel, covariates=dict(wage_panel.covariates) | {"years_of_schooling": Covariate("numeric", values)}
    )
    names = column(fitted(panel, tmp_path).explain()[0], "coefficient")
    assert "years_of_schooling missing" in names
