"""Survey weights: what becomes one, what is refused, and that a weight is what as many records alike would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fits import Fitted, model_of, whole_rows
from helpers.toys import run_all
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import open_panel
from harness.errors import RequestError
from harness.estimation.choices import PairCounts
from harness.estimation.samples import Sample
from harness.estimation.stays import StayFeatures
from harness.features.catalogue import build
from harness.features.discrete import Discretizer
from harness.features.frequencies import Strengths, entry_shares
from harness.model.contract import Context, Model
from harness.model.task import Event
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.panel.weights import weighted, weighted_alike
from harness.plugins.markov import Markov, MarkovParams
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.run import Run
from harness.stats import inference
from harness.stats.figures import METRICS, Scores, gather
from harness.types import FloatArray


def with_column(panel: Panel, values: Any, name: str = "w") -> Panel:
    column = np.broadcast_to(np.asarray(values, dtype=np.float64), panel.year.shape).copy()
    return replace(panel, covariates={**panel.covariates, name: Covariate("numeric", column)})


# --- what becomes a weight


@settings(max_examples=50)
@given(st.floats(1e-300, 1e300), st.integers(1, 40))
def test_a_constant_gives_exactly_ones(value: float, persons: int) -> None:
    panel = of_careers([[0, 1]] * persons)
    weight = weighted(with_column(panel, value), "w").weight
    assert weight is not None
    assert weight.tolist() == [1.0] * (2 * persons)


def test_values_are_divided_by_the_mean_of_training_records_that_count(four_persons: Panel) -> None:
    values = np.arange(13.0)
    made = weighted(with_column(four_persons, values), "w")
    assert made.weight == pytest.approx(values / 3)  # 1 to 5 are for training; the zero is not there
    assert set(made.covariates) == {"birth_year", "gender"}
    assert made.source["weights"] == "w"
    assert made.name == "four-persons weighted by w"
    assert made.fingerprint() not in {four_persons.fingerprint(), replace(made, weight=None).fingerprint()}
    assert not any(name.startswith("w") for name in build(made, made.transitions).features)


@pytest.mark.parametrize(
    ("record", "value", "said"),
    [
        (4, np.nan, "person b, year 2001 has no value; a weight is a finite number"),
        (12, -0.5, "person d, year 2005 has the value -0.5"),
        (0, np.inf, "person a, year 2000 has the value inf"),
    ],
)
def test_what_is_no_weight_is_named(four_persons: Panel, record: int, value: float, said: str) -> None:
    values = np.ones(13)
    values[record] = value
    with pytest.raises(RequestError, match=said) as caught:
        weighted(with_column(four_persons, values), "w")
    assert str(caught.value).startswith("--weights w: ")
    values[1] = value
    with pytest.raises(RequestError, match=r"\(as has 1 more\)"):
        weighted(with_column(four_persons, values), "w")


def test_a_column_that_cannot_be_one_is_refused(four_persons: Panel) -> None:
    panel = with_column(four_persons, 1.0, "weight")
    with pytest.raises(RequestError, match=r"has no such column; numeric covariates: did you mean 'weight'\?"):
        weighted(panel, "wieght")
    with pytest.raises(RequestError, match="the column is categorical in 'four-persons'; a weight is a number"):
        weighted(panel, "gender")


@pytest.mark.parametrize(("persons", "split"), [([3], "test"), ([0, 1], "train"), ([2], "valid")])
def test_a_split_in_which_nothing_counts_is_refused(four_persons: Panel, persons: list[int], split: str) -> None:
    values = np.where(np.isin(four_persons.person, persons), 0.0, 1.0)
    with pytest.raises(RequestError, match=f"every transition of the {split} split has weight zero"):
        weighted(with_column(four_persons, values), "w")
    values[four_persons.offsets[persons]] = 1.0  # first records are nobody's target
    with pytest.raises(RequestError, match=f"every transition of the {split} split has weight zero"):
        weighted(with_column(four_persons, values), "w")
    with pytest.raises(RequestError, match="every record of 'four-persons' has weight zero"):
        weighted(with_column(four_persons, 0.0), "w")


def test_a_further_panel_is_weighted_where_it_has_the_column(four_persons: Panel) -> None:
    main = weighted(with_column(four_persons, np.arange(13.0)), "w")
    assert weighted_alike(four_persons, main) is four_persons
    other = weighted_alike(with_column(four_persons, 2 + np.arange(13.0)), main)
    assert isinstance(other, Panel)
    assert other.weight == pytest.approx((2 + np.arange(13.0)) / 4.5)
    assert "w" not in other.covariates
    unweighted = with_column(four_persons, 1.0)
    assert weighted_alike(unweighted, four_persons) is unweighted


# --- estimation: a weight is what as many persons alike would be


def of_careers(careers: list[list[int]], split: list[int] | None = None) -> Panel:
    """States 0 and 1 form a group, 2 and 3 are alone in theirs."""
    lengths = [len(career) for career in careers]
    codes = ("0", "1", "2", "3")
    return Panel(
        name="careers",
        persons=np.array([f"p{i}" for i in range(len(careers))]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        year=np.concatenate([2000 + np.arange(n) for n in lengths]).astype(np.int32),
        state=np.concatenate(careers).astype(np.int32),
        occupations=Occupations(codes, codes, ("x", "x", "y", "z"), (Status.EMPLOYED,) * 4),
        split=np.array(split or [0] * len(careers), dtype=np.int8),
    )


def repeated(panel: Panel, times: list[int]) -> tuple[Panel, Panel]:
    """The panel whose persons have these weights, and the one in which each stands so often under ids of their own."""
    made = replace(panel, weight=np.array(times, dtype=np.float64)[panel.person])
    copies = panel.select(np.repeat(np.arange(panel.n_persons), times))
    return made, replace(copies, persons=np.array([f"copy {i}" for i in range(copies.n_persons)]))


def fitted(model: Fitted, train: Panel, valid: Panel, folder: Path) -> Fitted:
    model.fit(train, valid, Context(seed=0, scratch=folder, cache=folder))
    return model


def rows(model: Model, panel: Panel) -> FloatArray:
    return whole_rows(model, panel, np.arange(panel.n_records))


careers = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=2, max_size=6)


@settings(max_examples=60)
@given(careers, st.data())
@pytest.mark.parametrize("name", ["marginal", "markov"])
def test_a_weight_of_two_is_a_second_person_alike(
    name: str, registry: Registry, tmp_path_factory: pytest.TempPathFactory, histories: list[list[int]], data: Any
) -> None:
    folder, spec = tmp_path_factory.getbasetemp(), registry.model(name).item
    assert spec.uses_weights
    panel = of_careers(histories)
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(histories), max_size=len(histories)).filter(any))
    given_ = {"stay_strength": 2.0, "group_strength": 1.0, "origin_strength": 3.0, "state_strength": 4.0}
    params = spec.params(**(given_ if name == "markov" else {}))
    counted, copied = (fitted(model_of(spec, params), p, p, folder) for p in repeated(panel, times))
    np.testing.assert_array_equal(rows(counted, panel), rows(copied, panel))


def test_strengths_are_chosen_by_weighted_likelihood(market: Panel, tmp_path: Path) -> None:
    small = market.select(np.arange(300))
    times = np.random.default_rng(0).integers(0, 4, small.n_persons)
    pair = repeated(small, times.tolist())
    counted, copied = (fitted(Markov(MarkovParams()), p.part("train"), p.part("valid"), tmp_path) for p in pair)
    plain = fitted(Markov(MarkovParams()), small.part("train"), small.part("valid"), tmp_path)
    assert counted.facts() == copied.facts()
    assert counted.facts() != plain.facts()
    np.testing.assert_allclose(rows(counted, small), rows(copied, small), rtol=1e-6)


def test_records_of_one_person_may_weigh_differently(tmp_path: Path) -> None:
    """A transition counts as its target record does; first records count in first records' shares alone."""
    panel = replace(of_careers([[0, 0, 1], [2, 2]]), weight=np.array([5.0, 2.0, 0.5, 3.0, 0.0]))
    given_ = {"stay_strength": 2.0, "group_strength": 1.0, "origin_strength": 3.0, "state_strength": 4.0}
    model = fitted(Markov(MarkovParams(**given_)), panel, panel, tmp_path)
    overall = (2.0 + 0.5) / (2.5 + 1.0)  # of the two transitions that count, 0 -> 0 and 0 -> 1
    stay = (2.0 + 2 * overall) / (2.5 + 2)
    assert np.exp(rows(model, panel)[1, 0]) == pytest.approx(stay, rel=1e-6)
    everyone = (np.array([7.0, 0.5, 3.0, 0.0]) + 0.5) / 12.5
    assert entry_shares(panel) == pytest.approx((np.array([5.0, 0, 3, 0]) + 10 * everyone) / 18)


def test_the_features_that_others_count_on_are_weighted(market: Panel) -> None:
    small = market.select(np.arange(60))
    counted, copied = repeated(small, np.random.default_rng(1).integers(0, 3, 60).tolist())
    discretizer = Discretizer.fit(build(small, small.transitions), small.n_states)
    group = small.occupations.group_index()[0]
    samples = [Sample.of(panel, discretizer) for panel in (counted, copied)]
    stays = [StayFeatures.count(sample, discretizer, group, (16.0, 32.0)) for sample in samples]
    asked = Sample.of(small, discretizer).inputs
    np.testing.assert_allclose(stays[0].matrix(asked), stays[1].matrix(asked), rtol=1e-5)
    np.testing.assert_allclose(stays[0].offset(asked), stays[1].offset(asked))
    for step in ("group", "state"):
        counts = PairCounts(step, discretizer, group, Strengths(), 32.0, ())
        moved = Sample.of(small, discretizer).switchers()
        pairs, _ = counts.choices(moved)
        one, other = (counts.count(sample.switchers()) for sample in samples)
        np.testing.assert_allclose(one.matrix(moved.inputs, pairs), other.matrix(moved.inputs, pairs), rtol=1e-5)
        np.testing.assert_allclose(one.offset(moved.inputs, pairs), other.offset(moved.inputs, pairs), rtol=1e-6)


# --- weights of one, through whole runs


def ones_too(panel: Panel) -> tuple[Panel, Panel]:
    return panel, replace(panel, weight=np.ones(panel.n_records))


def plain_evidence(record: Any) -> dict[str, Any]:
    columns: dict[str, Any] = record.evidence.model_dump()
    columns.pop("weight", None)
    return columns


BRIEF: dict[str, dict[str, Any]] = {
    "softmax": {"iterations": 10, "penalties": (16.0,)},
    "mlogit": {"formula": "1"},
}
OWN_TESTS = ("gbm", "mnl")  # ask the same of them


def light(registry: Registry) -> list[str]:
    """Models that use weights, but for those whose fit takes long: their own tests ask the same of them."""
    return [
        n
        for n, e in registry.models.items()
        if e.item.uses_weights and "torch" not in e.item.needs and not e.item.only_task and n not in OWN_TESTS
    ]


def test_weights_of_one_change_no_figure(registry: Registry, workshop: Workshop, market_30: Panel) -> None:
    names = [name for name in light(registry) if name != "softmax"]
    assert len(names) > 3
    for name in names:
        require_same_figures(name, registry, workshop, panel=market_30)


@pytest.mark.slow
def test_weights_of_one_change_no_figure_of_softmax(registry: Registry, workshop: Workshop, market_60: Panel) -> None:
    assert "softmax" in light(registry)
    require_same_figures("softmax", registry, workshop, panel=market_60)


def require_same_figures(name: str, registry: Registry, workshop: Workshop, *, panel: Panel) -> None:
    entry = registry.model(name)
    params = entry.item.params(**BRIEF.get(name, {}))
    tasks = tuple(registry.tasks[task].item for task in registry.tasks)
    runs = [Run(model=entry, params=params, tasks=tasks, panel=one) for one in ones_too(panel)]
    for plain, with_ones in zip(*(run_all(run, workshop) for run in runs), strict=True):
        assert plain.figures == with_ones.figures, name
        assert plain_evidence(plain) == plain_evidence(with_ones), name
        assert with_ones.evidence.weight == [float(n) for n in plain.evidence.transitions]
        assert plain.id != with_ones.id


@pytest.mark.slow
@pytest.mark.survey
def test_weights_of_one_change_no_figure_of_a_survey(registry: Registry, workshop: Workshop, nlsy97: Path) -> None:
    panel = open_panel(nlsy97)
    for name in ("marginal", "markov"):
        entry = registry.model(name)
        tasks = tuple(registry.task(task) for task in ("next_occ", "switch", "lf_exit"))
        runs = [
            Run(model=entry, params=entry.item.params(), tasks=tasks, panel=p)
            for p in (panel, weighted(with_column(panel, 0.37), "w"))
        ]
        for plain, with_ones in zip(*(run_all(run, workshop) for run in runs), strict=True):
            assert plain.figures == with_ones.figures
            assert plain.evidence.log_likelihood == with_ones.evidence.log_likelihood


# --- scoring: a weight is what as many transitions alike would be

answers = st.lists(
    st.tuples(st.integers(1, 9_999), st.booleans(), st.integers(0, 4), st.integers(0, 3), st.integers(1, 7)),
    min_size=1,
    max_size=40,
).filter(lambda rows: any(row[3] for row in rows))


def scores_of(answered: list[tuple[int, bool, int, int, int]], times: bool) -> Scores:
    cell, happened, person, count, rank = (np.array(column) for column in zip(*answered, strict=True))
    log_event = np.log(cell / 10_000)
    columns = {
        "log_prob": Event.observed(log_event, happened),
        "person": person,
        "log_event": log_event,
        "happened": happened,
        "rank": rank,
        "log_prob_unnormalized": log_event - 0.1,
    }
    if times:
        return Scores(5, **{name: np.repeat(values, count) for name, values in columns.items()})
    return Scores(5, **columns, weight=count.astype(np.float64))


@settings(max_examples=100)
@given(answers)
def test_a_weight_is_what_as_many_transitions_are(answered: list[tuple[int, bool, int, int, int]]) -> None:
    ids = [f"p{i}" for i in range(5)]
    counted, repeats = (gather(scores_of(answered, times), ids) for times in (False, True))
    for metric in METRICS:
        expected = metric.compute(repeats)
        assert metric.compute(counted) == (None if expected is None else pytest.approx(expected, abs=2e-6)), metric.key
    assert counted.ids == repeats.ids  # who counts for nothing is not there
    assert counted.counted.tolist() == repeats.transitions.tolist()
    assert counted.transitions.tolist() == [
        sum(1 for row in answered if f"p{row[2]}" == person and row[3]) for person in counted.ids
    ]
    errors = [inference.perplexity(e.log_likelihood, e.counted, 50).standard_error for e in (counted, repeats)]
    assert errors[0] == pytest.approx(errors[1], nan_ok=True)  # of one person there is none


def test_a_weight_that_a_record_file_rounds_away_is_left_out() -> None:
    scores = Scores(2, np.log([0.5, 0.25]), np.array([0, 1]), weight=np.array([1e-9, 1.0]))
    assert gather(scores, ["a", "b"]).ids == ("b",)
