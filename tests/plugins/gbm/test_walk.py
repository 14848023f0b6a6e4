"""Trees walked by all pairs at once: the scores are LightGBM's own, bit by bit."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from harness.features.pair_columns import CodedColumn, ListedPairs, PairColumns
from harness.plugins.gbm.walk import Forest

N, A, NAMED = 700, 23, 5


def columns_of(seed: int, n: int = N) -> PairColumns:
    """Every kind: tables of codes, a missing code, numbers with gaps, names, and what few pairs have."""
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(40, A)).astype(np.float32).round(1)  # ties with limits
    base = generator.normal(size=(40, A)).astype(np.float32)
    base[generator.random(base.shape) < 0.1] = np.nan
    code = generator.integers(-1, 39, n)
    levels = generator.normal(size=(4, A)).astype(np.float32)
    age = generator.integers(20, 60, n).astype(float)
    age[generator.random(n) < 0.1] = np.nan
    place = np.sort(generator.choice(n * A, n * 2, replace=False))
    since = generator.integers(0, 9, len(place)).astype(np.float32)
    return PairColumns(
        n,
        A,
        {
            0: CodedColumn(table, code),
            1: CodedColumn(base, code),
            2: CodedColumn(levels, generator.integers(0, 4, n)),
            3: CodedColumn.of_transitions(age),
            4: CodedColumn(generator.normal(size=(40, 1)).astype(np.float32), code),
            NAMED: CodedColumn.of_alternatives(np.arange(A), n),
        },
        ListedPairs(place, {6: since, 7: (since > 4).astype(np.float32)}, {6: np.nan, 7: 0.0}),
    )


def matrix(columns: PairColumns) -> np.ndarray:
    row, alternative = np.divmod(np.arange(columns.n * A), A)
    return columns.matrix(row, alternative)


def booster(columns: PairColumns, leaves: int, **settings: Any) -> Any:
    X = matrix(columns)
    known = np.nan_to_num(X)
    signal = (
        known[:, 0] + np.abs(known[:, 1]) + (X[:, NAMED] % 3 == 1) * known[:, 3] / 20 - known[:, 6] + 2 * known[:, 7]
    )
    noise = np.random.default_rng(0).normal(size=len(X))
    asked = {"num_leaves": leaves, "min_data_in_leaf": 2, "verbosity": -1, "objective": "regression", "num_threads": 1}
    data = lightgbm.Dataset(X, signal + noise, categorical_feature=[NAMED])
    return lightgbm.train(asked | settings, data, 12)


def lightgbm_scores(trees: Any, columns: PairColumns) -> np.ndarray:
    return np.asarray(trees.predict(matrix(columns), raw_score=True, num_threads=1)).reshape(columns.n, A)


@pytest.mark.parametrize("leaves", [2, 31, 32, 33, 64])
def test_scores_are_those_of_lightgbm(leaves: int) -> None:
    trees, others = booster(columns_of(0), leaves), columns_of(1)
    forest = Forest.of(trees)
    assert forest is not None
    np.testing.assert_array_equal(forest.scores(others, 1), lightgbm_scores(trees, others))


@pytest.mark.parametrize("settings", [{"use_missing": False}, {"zero_as_missing": True}])
def test_missing_values_go_where_lightgbm_sends_them(settings: dict[str, bool]) -> None:
    trees, others = booster(columns_of(0), 16, **settings), columns_of(2)
    forest = Forest.of(trees)
    assert forest is not None
    np.testing.assert_array_equal(forest.scores(others, 1), lightgbm_scores(trees, others))


def test_the_number_of_threads_changes_no_score() -> None:
    trees, others = booster(columns_of(0), 31), columns_of(3, n=1500)
    forest = Forest.of(trees)
    assert forest is not None
    np.testing.assert_array_equal(forest.scores(others, 5), forest.scores(others, 1))


def test_longer_trees_than_a_word_are_left_to_lightgbm() -> None:
    assert Forest.of(booster(columns_of(0), 65)) is None


def test_trees_of_one_leaf_add_its_value() -> None:
    columns = columns_of(0)
    trees = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "min_data_in_leaf": 10**6},
        lightgbm.Dataset(matrix(columns), np.full(N * A, 3.0)),
        2,
    )
    forest = Forest.of(trees)
    assert forest is not None
    np.testing.assert_array_equal(forest.scores(columns, 1), lightgbm_scores(trees, columns))
