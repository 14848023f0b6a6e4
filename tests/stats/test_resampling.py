"""Resampled sums: exact, the same whatever computes them, and drawn as the design says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RequestError
from harness.stats import resampling
from harness.stats.resampling import SEED, SurveyDesign, resample, resampled_sums


@pytest.fixture(scope="module")
def columns() -> np.ndarray:
    """Of 1,500 persons, three columns as record files keep them: to six decimals."""
    generator = np.random.default_rng(4)
    return np.round(generator.normal(-40, 30, (1500, 3)), 6)


def drawn_one_by_one(units: int, replicates: int) -> np.ndarray:
    """int64 [replicates, units]: the units that each replicate draws, by the plainest reading of the docstrings."""
    stream = np.random.PCG64(np.random.SeedSequence([SEED, units], spawn_key=(0,)))
    halves: list[int] = []
    while len(halves) < replicates * units:
        word = int(stream.random_raw())
        halves += [word & 0xFFFFFFFF, word >> 32]
    return np.array([half * units >> 32 for half in halves[: replicates * units]]).reshape(replicates, units)


def test_sums_are_those_of_a_plain_loop() -> None:
    """To the last bit, in whole numbers of any length."""
    values = np.random.default_rng(0).integers(-(10**9), 10**9, size=(311, 2))
    sums = resampled_sums(values.astype(float), replicates=40)
    exact = [[sum(int(values[i, c]) for i in row) for c in range(2)] for row in drawn_one_by_one(311, 40)]
    assert sums.tolist() == exact


def test_the_rounding_of_columns_cannot_be_seen(columns: np.ndarray) -> None:
    sums = resampled_sums(columns, replicates=30)
    plain = np.array([columns[row].sum(axis=0) for row in drawn_one_by_one(1500, 30)])
    np.testing.assert_allclose(sums, plain, rtol=0, atol=1500**2 * np.abs(columns).max() / 2**51)
    observed, _ = resample(columns, replicates=1)
    np.testing.assert_allclose(observed, columns.sum(axis=0), rtol=1e-13)


@pytest.mark.parametrize(
    "changed",
    [{"TILE": 7}, {"PRODUCT": 1 << 30}, {"PRODUCT": 900}, {"COUNT_CELLS": 1}, {"TILE": 1000, "PRODUCT": 1 << 30}],
    ids=str,
)
def test_how_the_work_is_cut_changes_no_bit(
    columns: np.ndarray, monkeypatch: pytest.MonkeyPatch, changed: dict[str, int]
) -> None:
    wide = np.hstack([columns * factor for factor in (1, 1e-3, np.pi)])
    whole = resampled_sums(wide, replicates=300)
    for name, value in changed.items():
        monkeypatch.setattr(resampling, name, value)
    assert resampled_sums(wide, replicates=300).tobytes() == whole.tobytes()


def test_the_order_of_columns_changes_no_bit(columns: np.ndarray) -> None:
    whole = resampled_sums(columns, replicates=300)
    turned = resampled_sums(columns[:, [2, 0, 1]], replicates=300)
    assert np.ascontiguousarray(turned[:, [1, 2, 0]]).tobytes() == whole.tobytes()
    alone = resampled_sums(columns[:, [1]], replicates=300)
    assert alone.tobytes() == np.ascontiguousarray(whole[:, [1]]).tobytes()


SUMS = """
import hashlib, numpy as np
from harness.stats.resampling import resampled_sums
columns = np.round(np.random.default_rng(4).normal(-40, 30, (20_000, 9)), 6)
print(hashlib.sha256(resampled_sums(columns, replicates=250).tobytes()).hexdigest())
"""


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the BLAS in another process; ours in this one. Three blocks, of which the last is cut short."""
    columns = np.round(np.random.default_rng(4).normal(-40, 30, (20_000, 9)), 6)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    here = hashlib.sha256(resampled_sums(columns, replicates=250).tobytes()).hexdigest()
    environment = {**os.environ, "OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", SUMS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_more_replicates_begin_with_the_same_ones(columns: np.ndarray) -> None:
    many = resampled_sums(columns, replicates=1500)  # 1,398 make a block
    for fewer in (3, 1400):
        np.testing.assert_array_equal(resampled_sums(columns, replicates=fewer), many[:fewer])
    assert len(np.unique(many[:, 0])) == 1500


@pytest.mark.parametrize("wrong", [np.nan, -np.inf])
def test_what_is_not_finite_is_refused(wrong: float) -> None:
    columns = np.zeros((5, 2))
    columns[3, 1] = wrong
    with pytest.raises(RequestError, match=r"column 1 is .* at person 3"):
        resampled_sums(columns, replicates=2)


def test_numbers_of_any_size_are_summed() -> None:
    for size in (1e-300, 1e-12, 1e150):
        observed, drawn = resample(np.full((7, 1), size), replicates=3)
        np.testing.assert_allclose([observed, *drawn], 7 * size, rtol=1e-12, atol=1e-100)
    assert resampled_sums(np.zeros((7, 1)), replicates=3).tolist() == [[0.0]] * 3


def test_units_are_drawn_with_all_their_persons(columns: np.ndarray) -> None:
    """As if the persons of a unit were one."""
    unit = np.arange(1500) % 60
    together = np.column_stack([np.bincount(unit, column) for column in columns.T]).astype(float)
    by_unit = resampled_sums(columns, replicates=200, design=SurveyDesign(unit))
    np.testing.assert_allclose(by_unit, resampled_sums(together, replicates=200), rtol=1e-12)


STRATA = np.repeat([0, 1, 2], [5, 12, 30])


def test_strata_keep_what_they_count_for() -> None:
    """However units are drawn, a stratum of n units counts for n: none is drawn in another's place."""
    inside = np.column_stack([h == STRATA for h in range(3)]).astype(float)
    sums = resampled_sums(inside, replicates=500, design=SurveyDesign(np.arange(47), STRATA))
    np.testing.assert_allclose(sums, np.broadcast_to([5.0, 12.0, 30.0], sums.shape), rtol=1e-12)


def test_variance_of_a_stratified_total_is_the_unbiased_one() -> None:
    """sum_h n_h / (n_h - 1) sum_i (y_hi - mean of h)^2, in strata of three units and of ten, in any order of units."""
    generator = np.random.default_rng(8)
    stratum = generator.permutation(np.repeat([0, 1, 2], [3, 10, 4]))
    unit = np.repeat(np.arange(17), 6)  # six persons each
    y = generator.normal(5 * stratum[unit], 1 + unit % 3)
    total = np.bincount(unit, y)
    wanted = sum((stratum == h).sum() * total[stratum == h].var(ddof=1) for h in range(3))
    observed, drawn = resample(y[:, None], replicates=8000, design=SurveyDesign(unit, stratum))
    assert observed[0] == pytest.approx(y.sum())
    assert drawn.mean() == pytest.approx(y.sum(), abs=5 * np.sqrt(wanted / 8000))
    assert drawn.var() == pytest.approx(wanted, rel=0.06)  # error of a variance of 8,000: 1.6% and what tails add


def test_a_unit_without_persons_was_drawn_all_the_same() -> None:
    """Three units of a stratum, one of which has nobody at risk: its total is zero, and not absent."""
    persons = np.array([[3.0], [5.0]])
    seen = resampled_sums(persons, replicates=6000, design=SurveyDesign(np.array([0, 2]), np.zeros(3, dtype=int)))
    assert seen.var() == pytest.approx(3 * np.var([3.0, 0.0, 5.0], ddof=1), rel=0.06)


@pytest.mark.parametrize(
    ("stratum", "lonely", "pooled"),
    [
        ([0, 0, 1, 1], 0, [0, 0, 1, 1]),
        ([0, 1, 1, 2, 3, 3], 2, [0, 1, 1, 0, 2, 2]),  # two alone: together
        ([0, 0, 0, 1, 2, 2], 1, [0, 0, 0, 1, 1, 1]),  # one alone: with the smallest other one
        ([4, 9, 7], 3, [0, 0, 0]),
        ([3], 1, [0]),
    ],
)
def test_strata_of_one_unit_are_pooled(stratum: list[int], lonely: int, pooled: list[int]) -> None:
    design = SurveyDesign(np.arange(len(stratum)), np.array(stratum))
    assert design.lonely == lonely
    assert design.pooled is not None
    same = design.pooled[:, None] == design.pooled
    assert np.array_equal(same, np.equal.outer(pooled, pooled))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=25))
def test_no_stratum_is_left_with_one_unit(stratum: list[int]) -> None:
    design = SurveyDesign(np.arange(len(stratum)), np.array(stratum))
    assert design.pooled is not None
    assert np.bincount(design.pooled).min() >= min(2, len(stratum))
    for label in set(stratum):
        assert len({int(p) for s, p in zip(stratum, design.pooled, strict=True) if s == label}) == 1
    ones = resampled_sums(np.ones((len(stratum), 1)), replicates=5, design=design)
    np.testing.assert_allclose(ones, len(stratum), rtol=1e-12)


def test_labels_of_units_are_read_within_their_stratum() -> None:
    design = SurveyDesign.of(["1", "2", "1", "2", "2"], ["north", "north", "south", "south", "north"])
    assert design.unit.tolist() == [0, 1, 2, 3, 1]
    assert design.stratum is not None
    assert design.stratum.tolist() == [0, 0, 1, 1]
    assert SurveyDesign.of([7, 3, 7]).unit.tolist() == [0, 1, 0]
    assert (design.units, SurveyDesign.of([7, 3, 7]).units) == (4, 2)


def test_a_design_that_fits_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match="3 persons have a sampling unit, and 2 a stratum"):
        SurveyDesign.of([1, 2, 3], [1, 1])
    with pytest.raises(RequestError, match="each unit needs its stratum"):
        SurveyDesign(np.array([0, 1, 2]), np.array([0, 0]))
    with pytest.raises(RequestError, match="numbered from 0"):
        SurveyDesign(np.array([0, -1]))
    with pytest.raises(RequestError, match="of 2 persons, and there are 5"):
        resampled_sums(np.ones((5, 1)), replicates=2, design=SurveyDesign(np.array([0, 1])))
