"""Sums over persons drawn again and again: exact, the same on every machine, and the same draws for every column.

Who is drawn depends on the units, their strata and the seed alone: replicates come in blocks, each with a stream of
its own, from the raw bits of PCG64, which numpy promises never to change. Columns are rounded to the finest power of
two at which no sum can leave the 53 bits of a float64; every product and partial sum is then a whole number that
float64 holds, so that no BLAS, number of threads or order of summation can show.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np

from harness.errors import RequestError
from harness.stats.labels import numbered_as_met
from harness.types import FloatArray, IntArray

REPLICATES = 2000
SEED = 20240617
BLOCK_CELLS = 1 << 21  # of the replicates x units matrix that one stream draws: 16 MB of float64
COUNT_CELLS = 1 << 16  # that are counted at once: they stay in the processor's cache
TILE = 64  # rows and columns of a product
THREADS = 8  # at most: each holds a block, its bits and what they are counted from, 40 MB
PRODUCT = 1 << 18  # multiplications that a BLAS keeps to one thread; two that wait for each other take longer
FINEST = 300  # columns are never scaled by more than 2^300: below that lies no log-likelihood


@dataclass(frozen=True, eq=False)
class SurveyDesign:
    """The draw of a survey's persons, as far as its standard errors need it.

    unit: int64 [P], the primary sampling unit of each person, 0 to U - 1. stratum: int64 [U], the stratum of each unit;
    None where units were drawn from all. Units that none of the persons is of may be among the U; they count as drawn.
    RequestError for units that are no such numbers.
    """

    unit: IntArray
    stratum: IntArray | None = None

    def __post_init__(self) -> None:
        if self.unit.ndim != 1 or len(self.unit) == 0 or self.unit.min() < 0:
            raise RequestError("a design needs the sampling unit of each person, numbered from 0")
        if self.stratum is not None and len(self.stratum) <= self.unit.max():
            raise RequestError(
                f"a person's sampling unit is {self.unit.max()}, and strata are given of units 0 to "
                f"{len(self.stratum) - 1}: each unit needs its stratum"
            )

    @classmethod
    def of(cls, unit: Sequence[Hashable], stratum: Sequence[Hashable] | None = None) -> SurveyDesign:
        """From labels of each person's unit and stratum, [P] each.

        Units are told apart within a stratum, as surveys number them: unit 1 of stratum A is not unit 1 of stratum B.
        RequestError where the two are not of one length.
        """
        if stratum is None:
            return cls(numbered_as_met(unit)[0])
        if len(stratum) != len(unit):
            raise RequestError(f"{len(unit)} persons have a sampling unit, and {len(stratum)} a stratum")
        of_unit, units = numbered_as_met(zip(stratum, unit, strict=True))
        return cls(of_unit, numbered_as_met(label for label, _ in units)[0])

    @property
    def units(self) -> int:
        """U."""
        return int(self.unit.max()) + 1 if self.stratum is None else len(self.stratum)

    @cached_property
    def lonely(self) -> int:
        """The number of strata with a single unit, which give no variance and are drawn from together with others."""
        return 0 if self.stratum is None else int((np.bincount(self.stratum) == 1).sum())

    @cached_property
    def pooled(self) -> IntArray | None:
        """int64 [U], 0 to H - 1: the stratum that each unit is drawn in.

        Strata of a single unit are drawn from together; where there is one of them, with the smallest other stratum.
        """
        if self.stratum is None:
            return None
        label, size = np.unique(self.stratum, return_inverse=True)[1], np.unique(self.stratum, return_counts=True)[1]
        alone = np.flatnonzero(size == 1)
        if len(alone) == 1 and len(size) > 1:
            others = np.flatnonzero(size > 1)
            alone = np.append(alone, others[np.argmin(size[others])])
        merged = np.arange(len(size))
        if len(alone):
            merged[alone] = alone[0]
        return np.unique(merged[label], return_inverse=True)[1]


@dataclass(frozen=True)
class Draw:
    """The units of one replicate: of ``draws`` units the i-th is one of the ``size[i]`` from ``first[i]`` on.

    order: int64 [U], the units as they are drawn from, strata one after another. factor: float64 [U], what a drawn unit
    counts for, in that order. Without strata first and size are [1], the same for every draw.
    """

    draws: int
    first: IntArray
    size: IntArray
    order: IntArray
    factor: FloatArray

    @classmethod
    def plan(cls, units: int, stratum: IntArray | None) -> Draw:
        """As many units as there are, with replacement; with strata Rao and Wu's rescaled bootstrap.

        Of the n_h units of stratum h, n_h - 1 are drawn with replacement and each counts n_h / (n_h - 1) times (Rao and
        Wu 1988; Rao, Wu and Yue 1992), so that the variance of a total is the usual unbiased one. A unit
        that is alone altogether is drawn once.
        """
        if stratum is None or units == 1:
            return cls(
                draws=units,
                first=np.zeros(1, np.int64),
                size=np.full(1, units),
                order=np.arange(units),
                factor=np.ones(units),
            )
        size = np.bincount(stratum)
        first = np.cumsum(size) - size
        order = np.argsort(stratum, kind="stable")
        factor = (size / (size - 1))[stratum[order]]
        return cls(
            draws=units - len(size),
            first=np.repeat(first, size - 1),
            size=np.repeat(size, size - 1),
            order=order,
            factor=factor,
        )

    @property
    def is_plain(self) -> bool:
        """True where all units are drawn from alike, and each counts for itself."""
        return self.draws == len(self.order) and len(self.size) == 1

    def block(self, seed: np.random.SeedSequence, rows: int) -> FloatArray:
        """float64 [rows, U]: how often each unit is drawn in each of the block's replicates."""
        units, whole = len(self.order), rows * self.draws
        raw = np.random.PCG64(seed).random_raw((whole + 1) // 2).astype("<u8", copy=False).view("<u4")[:whole]
        bits = raw.reshape(rows, self.draws)
        size, first = self.size.astype(np.uint64), self.first.astype(np.uint64)
        counts = np.empty((rows, units))
        step = max(1, COUNT_CELLS // units)
        for top in range(0, rows, step):
            at = bits[top : top + step].astype(np.uint64)
            at *= size  # 32 bits make one of n with a bias under n / 2^32 (Lemire 2019)
            at >>= np.uint64(32)
            at += first + units * np.arange(len(at), dtype=np.uint64)[:, None]
            found = np.bincount(at.view(np.int64).ravel(), minlength=len(at) * units)
            counts[top : top + step] = found.reshape(len(at), units)
        return counts


def resampled_sums(
    columns: FloatArray, replicates: int = REPLICATES, seed: int = SEED, design: SurveyDesign | None = None
) -> FloatArray:
    """float64 [replicates, c]: the sums of the columns [P, c] in every replicate; exact sums of rounded columns.

    A column whose largest value is m is rounded to a multiple of about P m / 2^52: of 100,000 persons' log-likelihoods,
    to 1e-8 nats. Persons are drawn, or the units of a design. RequestError where a value is not finite.
    """
    return resample(columns, replicates, seed, design)[1]


def resample(
    columns: FloatArray, replicates: int = REPLICATES, seed: int = SEED, design: SurveyDesign | None = None
) -> tuple[FloatArray, FloatArray]:
    """The sums of the columns [P, c] as observed, float64 [c], and in every replicate, float64 [replicates, c].

    As ``resampled_sums``: the first R replicates are the same however many follow.
    """
    persons = len(columns)
    units = persons if design is None else design.units
    draw = Draw.plan(units, None if design is None else design.pooled)
    most = draw.draws * float(draw.factor.max())
    if design is not None:
        _require_unit_of_each(design, persons)
        most = max(persons, most * int(np.bincount(design.unit).max()))
    scale = _scale(columns, most)
    whole = np.rint(columns * scale)
    observed = whole.sum(axis=0) / scale
    if design is not None:
        whole = np.column_stack([np.bincount(design.unit, column, units) for column in whole.T])
        if design.stratum is not None:
            whole = np.rint(whole[draw.order] * draw.factor[:, None])
    return observed, _products(draw, whole, replicates, seed) / scale


def _require_unit_of_each(design: SurveyDesign, persons: int) -> None:
    if len(design.unit) != persons:
        raise RequestError(f"the design has the sampling units of {len(design.unit)} persons, and there are {persons}")


def _scale(columns: FloatArray, most: float) -> FloatArray:
    """float64 [c], powers of two: a sum in which ``most`` times the largest value is reached stays below 2^53."""
    largest = np.abs(columns).max(axis=0, initial=0.0)
    if not np.isfinite(largest).all():
        person, column = np.argwhere(~np.isfinite(columns))[0]
        raise RequestError(
            f"column {column} is {columns[person, column]} at person {person}; what is summed over persons is finite"
        )
    exponent = np.frexp(largest * most)[1]
    return np.asarray(np.ldexp(1.0, np.minimum(52 - exponent, FINEST)))


def _products(draw: Draw, whole: FloatArray, replicates: int, seed: int) -> FloatArray:
    """float64 [replicates, c], whole numbers: counts of units times their values, block by block, on all cores."""
    units = len(draw.order)
    block = max(1, BLOCK_CELLS // units)
    columns = whole.shape[1]
    sums = np.empty((replicates, columns))
    alone = replicates <= block and draw.is_plain
    blocks = partial(_only_block, units, seed) if alone else partial(_block, draw, seed)

    def fill(start: int) -> None:
        rows = min(block, replicates - start)
        counts = blocks(start // block, rows)
        for top in range(0, rows, TILE):
            some = counts[top : top + TILE]
            for left in range(0, columns, TILE):
                part = _product(some, whole[:, left : left + TILE])
                sums[start + top : start + top + len(some), left : left + TILE] = part

    starts = range(0, replicates, block)
    if len(starts) == 1:
        fill(0)
    else:
        with ThreadPoolExecutor(
            min(THREADS, os.cpu_count() or 1)
        ) as pool:  # numpy lets go of the lock where the work is
            list(pool.map(fill, starts))
    return sums


def _block(draw: Draw, seed: int, number: int, rows: int) -> FloatArray:
    return draw.block(np.random.SeedSequence([seed, len(draw.order)], spawn_key=(number,)), rows)


@lru_cache(maxsize=1)
def _only_block(units: int, seed: int, number: int, rows: int) -> FloatArray:
    """The block of a draw without strata that has no other: kept, as the boards of a panel ask for it in turn."""
    counts = _block(Draw.plan(units, None), seed, number, rows)
    counts.flags.writeable = False
    return counts


def _product(counts: FloatArray, whole: FloatArray) -> FloatArray:
    """counts [r, U] @ whole [U, c] as the sum of many small products; of whole numbers it is the same."""
    rows, columns = len(counts), whole.shape[1]
    step = max(1, PRODUCT // (rows * columns))
    parts = len(whole) // step
    cut = parts * step
    left = counts[:, :cut].reshape(rows, parts, step).transpose(1, 0, 2)
    sums: FloatArray = np.matmul(left, whole[:cut].reshape(parts, step, columns)).sum(axis=0)
    sums += counts[:, cut:] @ whole[cut:]
    return sums
