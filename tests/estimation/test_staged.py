"""The three-step models on panels of every kind: distributions, repeatable, at ease with what is missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fits import fit_on, model_of, observed, whole_rows

from harness import open_panel
from harness.errors import RequestError
from harness.model.contract import Model, ModelSpec
from harness.panel.careers import Covariate, Panel, split_by_hash
from harness.panel.occupations import Occupations, Status
from harness.plugins import gbm, mnl
from harness.registry import load_registry
from harness.types import FloatArray

QUICK: dict[str, dict[str, Any]] = {"gbm": {"rounds": 30, "threads": 1}, "mnl": {"iterations": 30}}
SPECS = {"gbm": gbm.harness_models()[0], "mnl": mnl.harness_models()[0]}


@pytest.fixture(params=sorted(SPECS))
def spec(request: pytest.FixtureRequest) -> ModelSpec:
    spec = SPECS[request.param]
    for module in spec.needs:
        pytest.importorskip(module)
    return spec


def panel_of(
    careers: list[list[int]], groups: tuple[str, ...], covariates: dict[str, Covariate] | None = None
) -> Panel:
    lengths = [len(career) for career in careers]
    codes = tuple(f"{k:03d}" for k in range(len(groups)))
    persons = np.array([f"p{i}" for i in range(len(careers))])
    return Panel(
        name="drawn",
        persons=persons,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        year=np.concatenate([2000 + np.arange(n) for n in lengths]).astype(np.int32),
        state=np.concatenate(careers).astype(np.int32),
        occupations=Occupations(codes, codes, groups, (Status.EMPLOYED,) * (len(groups) - 1) + (Status.OUT,)),
        split=split_by_hash(persons),
        covariates=covariates or {},
    )


def drawn(n_states: int, n_groups: int, n_persons: int, seed: int = 0) -> Panel:
    """Careers with a level and a number that matter; the last state of several is never drawn."""
    draw = np.random.default_rng(seed)
    used = max(1, n_states - 1)
    careers, level, number = [], [], []
    for _ in range(n_persons):
        kind, n = int(draw.integers(2)), int(draw.integers(1, 10))
        career = [int(draw.integers(used))]
        for _ in range(n - 1):
            stays = draw.random() < (0.8 if kind else 0.4)
            # Those of kind 1 stay, and go to the upper half of the states.
            low = used // 2 if kind else 0
            career.append(career[-1] if stays else int(draw.integers(low, used)))
        careers.append(career)
        level += [kind] * n
        number += list(draw.normal(size=n))
    covariates = {
        "kind": Covariate("categorical", np.array(level), ("stayer of no sort", "stayer"), fixed=True),
        "wage": Covariate("numeric", np.array(number)),
    }
    groups = tuple(f"g{k % n_groups:03d}" for k in range(n_states))
    return panel_of(careers, groups, covariates)


def fitted(spec: ModelSpec, panel: Panel, folder: Path, **params: Any) -> Model:
    return fit_on(model_of(spec, spec.params(**(QUICK[spec.name] | params))), panel, folder, seed=3)


def assert_distributions(rows: FloatArray) -> None:
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert rows.max() <= 0
    np.testing.assert_allclose(np.exp(rows.astype(np.float64)).sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("n_states", "n_groups", "n_persons"),
    [(12, 3, 60), (3, 3, 12), (2, 1, 20), (5, 1, 30), (70, 70, 80), (1, 1, 4)],
    ids=["groups", "few persons", "two states", "one group", "seventy groups", "one state"],
)
def test_whole_rows_are_distributions(
    spec: ModelSpec, tmp_path: Path, n_states: int, n_groups: int, n_persons: int
) -> None:
    panel = drawn(n_states, n_groups, n_persons)
    model = fitted(spec, panel, tmp_path)
    everything = np.arange(panel.n_records)  # first records, and states that training never saw, among them
    assert_distributions(whole_rows(model, panel, everything))


def test_four_careers_of_one_record(spec: ModelSpec, tmp_path: Path) -> None:
    panel = replace(panel_of([[0], [1], [0], [2]], ("x", "x", "y")), split=np.array([0, 0, 1, 2], dtype=np.int8))
    model = fitted(spec, panel, tmp_path)
    assert_distributions(whole_rows(model, panel, panel.entries))
    longer = panel_of([[0, 1], [2, 2]], ("x", "x", "y"))
    assert_distributions(whole_rows(model, longer, longer.transitions))


def test_nobody_switches_in_training(spec: ModelSpec, tmp_path: Path) -> None:
    panel = panel_of([[k % 3] * 4 for k in range(30)], ("x", "x", "y"))
    assert_distributions(whole_rows(fitted(spec, panel, tmp_path), panel, panel.transitions))


def test_states_asked_for_are_those_of_the_whole_row(spec: ModelSpec, tmp_path: Path) -> None:
    panel = drawn(12, 3, 60)
    model = fitted(spec, panel, tmp_path)
    transitions = panel.transitions
    rows = whole_rows(model, panel, transitions)
    states = np.random.default_rng(0).integers(0, 12, size=(len(transitions), 3))
    states[:, 0] = panel.origin(transitions)
    some = model.log_prob(panel, transitions, states)
    np.testing.assert_allclose(some, np.take_along_axis(rows, states, axis=1), rtol=1e-5)
    chunk = panel.select(np.arange(20, 40))
    mine = (transitions >= panel.offsets[20]) & (transitions < panel.offsets[40])
    np.testing.assert_allclose(whole_rows(model, chunk, chunk.transitions), rows[mine], rtol=1e-5)


def test_a_seed_repeats_and_a_folder_keeps_the_model(spec: ModelSpec, tmp_path: Path) -> None:
    panel = drawn(12, 3, 80)
    model, twin = fitted(spec, panel, tmp_path), fitted(spec, panel, tmp_path)
    everything = np.arange(panel.n_records)
    rows = whole_rows(model, panel, everything)
    np.testing.assert_array_equal(rows, whole_rows(twin, panel, everything))
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    moved = shutil.move(folder, tmp_path / "moved")
    again = model_of(spec, spec.params(**QUICK[spec.name]))
    again.load(Path(moved))
    np.testing.assert_array_equal(rows, whole_rows(again, panel, everything))
    assert model.facts() == again.facts()
    assert model.facts()["parameters_trained"] > 0


def test_covariates_may_be_missing_renamed_or_new_at_prediction(spec: ModelSpec, tmp_path: Path) -> None:
    panel = drawn(12, 3, 80)
    model = fitted(spec, panel, tmp_path)
    kind = panel.covariates["kind"]
    reordered = replace(kind, values=1 - kind.values, levels=kind.levels[::-1])
    same = replace(panel, covariates=dict(panel.covariates) | {"kind": reordered})
    rows = whole_rows(model, panel, panel.transitions)
    np.testing.assert_array_equal(rows, whole_rows(model, same, panel.transitions))  # levels go by name
    unseen = replace(kind, values=np.full(panel.n_records, 2), levels=(*kind.levels, "of another sort"))
    missing = replace(kind, values=np.full(panel.n_records, -1))
    nothing = Covariate("numeric", np.full(panel.n_records, np.nan))
    for covariates in ({}, {"kind": unseen}, {"kind": missing, "wage": nothing}, {"kind": nothing, "wage": kind}):
        other = replace(panel, covariates=covariates)
        assert_distributions(whole_rows(model, other, other.transitions))


def test_a_panel_with_other_states_is_refused(spec: ModelSpec, tmp_path: Path) -> None:
    model = fitted(spec, drawn(12, 3, 60), tmp_path)
    other = drawn(11, 3, 10)
    with pytest.raises(RequestError, match="has other states than the panel this model was fitted on"):
        whole_rows(model, other, other.transitions)


def perplexity(model: Model, test: Panel) -> float:
    return float(np.exp(-observed(model, test).astype(np.float64).mean()))


def rivals(panel: Panel, folder: Path) -> dict[str, Model]:
    specs = [load_registry().model(name).item for name in ("marginal", "markov")]
    return {spec.name: fit_on(model_of(spec, spec.params()), panel, folder) for spec in specs}


def test_beats_the_models_that_only_count_where_covariates_matter(spec: ModelSpec, tmp_path: Path) -> None:
    panel = drawn(12, 3, 1200)
    mine = perplexity(fitted(spec, panel, tmp_path), panel.part("test"))
    others = {name: perplexity(rival, panel.part("test")) for name, rival in rivals(panel, tmp_path).items()}
    assert mine < 0.97 * others["markov"] < others["marginal"]


def test_beats_the_models_that_only_count_on_the_wage_panel(spec: ModelSpec, tmp_path: Path) -> None:
    pytest.importorskip("linearmodels")
    dataset = load_registry().dataset("wage-panel")
    panel = dataset.load(dataset.params())
    mine = perplexity(
        fitted(spec, panel, tmp_path, **({"rounds": 200} if spec.name == "gbm" else {})), panel.part("test")
    )
    others = {name: perplexity(rival, panel.part("test")) for name, rival in rivals(panel, tmp_path).items()}
    assert mine < 0.97 * others["markov"] < others["marginal"]


@pytest.mark.slow
@pytest.mark.survey
def test_beats_the_models_that_only_count_on_survey_careers(spec: ModelSpec, nlsy97: Path, tmp_path: Path) -> None:
    """On a sixteenth of the persons and two covariates, for time; the whole extract is measured outside the tests."""
    panel = open_panel(str(nlsy97))
    panel = panel.select(np.arange(0, panel.n_persons, 16))
    panel = replace(panel, covariates={name: panel.covariates[name] for name in ("birth_year", "gender")})
    quick = {"rounds": 40, "learning_rate": 0.2} if spec.name == "gbm" else {"iterations": 30, "penalties": (100.0,)}
    mine = perplexity(fitted(spec, panel, tmp_path, **quick), panel.part("test"))
    others = {name: perplexity(rival, panel.part("test")) for name, rival in rivals(panel, tmp_path).items()}
    assert mine < 0.9 * others["markov"] < others["marginal"]
