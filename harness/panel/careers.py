"""Careers as flat columns: who, when, in which state, with which covariates.

A panel stores every person's records one after another. ``offsets[p]:offsets[p + 1]`` are the records of person ``p``
in time order, so nothing below ever loops over persons in Python.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np

from harness.panel import time
from harness.panel.occupations import Occupations
from harness.stats.labels import distinct_numbers
from harness.types import BoolArray, FloatArray, IntArray, StrArray

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
T = TypeVar("T")
DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Covariate:
    """One column known about each record, in the record's own year.

    ``values`` has length N: integer positions in ``levels`` with -1 for missing (categorical), or floats with NaN for
    missing (numeric). ``fixed`` says that it is constant within every person.
    """

    kind: Literal["categorical", "numeric"]
    values: IntArray | FloatArray
    levels: tuple[str, ...] = ()
    fixed: bool = False

    def take(self, records: IntArray) -> Covariate:
        return replace(self, values=self.values[records])


@dataclass(frozen=True)
class Panel:
    """Many careers over one set of occupations: P persons, N records, K states.

    name: what boards call it. persons: str [P]. offsets: int64 [P + 1]. year, state: int32 [N], years strictly
    increasing within a person, or whatever ``unit`` counts (``panel.time``). split: int8 [P], a position in ``SPLITS``.
    source: how the panel came to be, JSON-able; a simulated panel names its generator there, and one of another unit of
    time that (``time_unit``). left_out: reason -> count of what a reader did not take over.
    weight: float64 [N], what each record counts for, in estimation and in scoring; one everywhere where None.
    units, strata: int64 [P], the primary sampling unit and the stratum that each person was drawn in, numbered from 0,
    each unit within one stratum; None where persons, or persons of one stratum, were drawn each alone.
    """

    name: str
    persons: StrArray
    offsets: IntArray
    year: IntArray
    state: IntArray
    occupations: Occupations
    split: IntArray
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    weight: FloatArray | None = None
    units: IntArray | None = None
    strata: IntArray | None = None

    def __post_init__(self) -> None:
        n = len(self.state)
        if len(self.offsets) != len(self.persons) + 1 or len(self.split) != len(self.persons):
            raise ValueError("offsets must have one entry more than persons, split exactly as many")
        if len(self.year) != n or any(len(c.values) != n for c in self.covariates.values()):
            raise ValueError("year, state and every covariate must have one entry per record")
        if self.offsets[0] != 0 or self.offsets[-1] != n or (np.diff(self.offsets) < 1).any():
            raise ValueError("offsets must rise from 0 to the number of records: no person is without a record")
        if n and not (self.state.min() >= 0 and self.state.max() < len(self.occupations)):
            raise ValueError("a state lies outside the occupations")
        if self.weight is not None and len(self.weight) != n:
            raise ValueError("weight must have one entry per record")
        if any(of is not None and len(of) != self.n_persons for of in (self.units, self.strata)):
            raise ValueError("units and strata must have one entry per person")
        if ((self.year[1:] <= self.year[:-1]) & ~self._is_entry[1:]).any():
            raise ValueError("years must strictly increase within a person")

    @property
    def n_persons(self) -> int:
        return len(self.persons)

    @property
    def n_records(self) -> int:
        return len(self.state)

    @property
    def n_states(self) -> int:
        return len(self.occupations)

    @property
    def unit(self) -> str:
        """Unit of ``year``: year, quarter, month, wave or age."""
        return time.unit_of(self.source)

    @cached_property
    def person(self) -> IntArray:
        """int64 [N]: the person of each record."""
        return np.repeat(np.arange(self.n_persons, dtype=np.int64), np.diff(self.offsets))

    @cached_property
    def transitions(self) -> IntArray:
        """int64 [T]: every transition, named by its target record; the origin is the record before it."""
        return np.flatnonzero(~self._is_entry).astype(np.int64)

    @property
    def entries(self) -> IntArray:
        """int64 [P]: every person's first record."""
        return self.offsets[:-1].astype(np.int64)

    @cached_property
    def _is_entry(self) -> BoolArray:
        first = np.zeros(self.n_records, dtype=bool)
        first[self.offsets[:-1]] = True
        return first

    def origin(self, transitions: IntArray) -> IntArray:
        """int64 [n]: the state before each target record; -1 where the target is a career's first record."""
        before = self.state[np.maximum(transitions - 1, 0)].astype(np.int64)
        return np.where(self._is_entry[transitions], -1, before)

    def weights(self, records: IntArray) -> FloatArray:
        """float64 [n]: what these records count for; of a transition, what its target record does."""
        return np.ones(len(records)) if self.weight is None else self.weight[records]

    def counting(self, records: IntArray) -> IntArray:
        """int64: those of these records whose weight is above zero."""
        return records[self.weights(records) > 0]

    def age(self) -> FloatArray:
        """float64 [N]: years of age, NaN where neither ``birth_year`` nor the panel's unit tells it."""
        birth = self.covariates.get("birth_year")
        if self.unit == "age":
            return self.year.astype(np.float64)
        if self.unit not in time.PER_YEAR or birth is None or birth.kind != "numeric":
            return np.full(self.n_records, np.nan)
        year = self.year // time.PER_YEAR[self.unit]
        return np.asarray(year - birth.values.astype(np.float64), dtype=np.float64)

    def select(self, persons: IntArray) -> Panel:
        """The panel of these persons (int [p], positions), in the order given."""
        return self._of(persons, np.diff(self.offsets)[persons])

    def _of(self, persons: IntArray, lengths: IntArray) -> Panel:
        """The first records, as many as ``lengths`` (int [p]) says, of each of these persons (int [p])."""
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        records = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][persons] - offsets[:-1], lengths)
        return replace(
            self,
            persons=self.persons[persons],
            offsets=offsets,
            year=self.year[records],
            state=self.state[records],
            split=self.split[persons],
            covariates={name: c.take(records) for name, c in self.covariates.items()},
            weight=None if self.weight is None else self.weight[records],
            units=None if self.units is None else self.units[persons],
            strata=None if self.strata is None else self.strata[persons],
        )

    def in_order(self) -> Panel:
        """The panel with its persons in the order of their ids (``id_order``), in which every reader leaves them.

        Draws, batches and sums go by a person's place, so the same careers make the same numbers in one order only.
        """
        order = id_order(self.persons)
        return self if (np.diff(order) == 1).all() else self.select(order)

    def records_of(self, persons: IntArray) -> IntArray:
        """int64 [r]: every record of these persons (int [p], positions), person by person in the order given."""
        lengths = np.diff(self.offsets)[persons]
        begin = np.cumsum(lengths) - lengths
        records: IntArray = np.arange(int(lengths.sum())) + np.repeat(self.offsets[:-1][persons] - begin, lengths)
        return records

    def select_transitions(self, transitions: IntArray) -> tuple[Panel, IntArray]:
        """The panel of the persons that these target records (int64 [n]) are of, and the records' positions in it."""
        persons = distinct_numbers(self.person[transitions])
        return self.select(persons), np.searchsorted(self.records_of(persons), transitions)

    def histories(self, transitions: IntArray) -> tuple[Panel, IntArray]:
        """One career for each of these target records (int64 [n]), ending with it, in the order given.

        And the targets' positions there, int64 [n]. A person with several targets has a career for each.
        """
        persons = self.person[transitions]
        careers = self._of(persons, transitions - self.offsets[persons] + 1)
        return careers, careers.offsets[1:] - 1

    def name_of(self, record: int) -> str:
        """A record in words, for messages: "person P, year Y"."""
        when = time.name(int(self.year[record]), self.unit)
        return f"person {self.persons[self.person[record]]}, {when if self.unit != 'year' else f'year {when}'}"

    def part(self, split: Split) -> Panel:
        """The persons of one split."""
        return self.select(np.flatnonzero(self.split == SPLITS.index(split)))

    def chunks(self, records: int) -> Iterator[tuple[Panel, int]]:
        """Consecutive whole persons, about ``records`` records at a time, with the position of their first record."""
        for start, stop in self.spans(records):
            yield self.select(np.arange(start, stop)), int(self.offsets[start])

    def spans(self, records: int) -> Iterator[tuple[int, int]]:
        """The first person of each chunk, and the one after its last."""
        start = 0
        while start < self.n_persons:
            limit = self.offsets[start] + records
            stop = max(start + 1, int(np.searchsorted(self.offsets, limit, side="right")) - 1)
            yield start, stop
            start = stop

    def once(self, name: str, found: Callable[[Panel], T]) -> T:
        """The findings of a function in this panel, looked for once: a large panel takes minutes."""
        key = f"once {name}"
        if key not in vars(self):
            vars(self)[key] = found(self)  # as ``cached_property`` keeps it: a changed copy starts without
        kept: T = vars(self)[key]
        return kept

    def fingerprint(self) -> str:
        """64 hexadecimal digits of SHA-256 over everything a model or a task can see, and over the split."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        shape = [list(self.occupations.codes), list(self.occupations.titles), list(self.occupations.groups)]
        kinds = {n: [c.kind, list(c.levels)] for n, c in sorted(self.covariates.items())}
        head = [shape, list(self.occupations.statuses), kinds, self.persons.tolist()]
        if self.occupations.minors:
            head.append(list(self.occupations.minors))
        if self.unit != "year":
            head.append(["unit", self.unit])
        digest.update(json.dumps(head, ensure_ascii=True).encode())
        columns: list[tuple[IntArray | FloatArray, str]] = [
            (self.offsets, "<i8"),
            (self.year, "<i4"),
            (self.state, "<i4"),
            (self.split, "<i1"),
        ]
        if self.weight is not None:
            columns.append((self.weight, "<f8"))
        columns += [(of, "<i8") for of in (self.units, self.strata) if of is not None]
        for _, covariate in sorted(self.covariates.items()):
            if covariate.kind == "categorical":
                columns.append((covariate.values, "<i4"))
            else:  # one bit pattern for every missing value
                columns.append((np.where(np.isnan(covariate.values), np.nan, covariate.values), "<f8"))
        for values, dtype in columns:
            digest.update(np.ascontiguousarray(values, dtype=dtype).data)
        return digest.hexdigest()


def id_order(ids: StrArray) -> IntArray:
    """int64 [P]: the places of these ids in rising order, numbers in them by their size: 'p2' stands before 'p10'."""
    if len(ids) and np.char.isdecimal(ids).all() and ids.dtype.itemsize <= 4 * 18:  # as most surveys have them
        return np.lexsort((ids, ids.astype(np.int64)))

    def key(place: int) -> tuple[list[Any], str]:
        parts: list[Any] = DIGITS.split(str(ids[place]))
        numbers = [digits.lstrip("0") for digits in parts[1::2]]
        parts[1::2] = [(len(digits), digits) for digits in numbers]
        return parts, str(ids[place])

    if all(one <= other for one, other in pairwise(map(key, range(len(ids))))):  # as most stand: no key is kept
        return np.arange(len(ids))
    return np.array(sorted(range(len(ids)), key=key), dtype=np.int64)


def hash_draws(persons: StrArray, purpose: str) -> FloatArray:
    """float64 [P]: a number from 0 up to 1 for each person, from a hash of the purpose and the person's id alone."""
    sha256 = hashlib.sha256
    digests = b"".join([sha256(f"{purpose}:{person}".encode()).digest() for person in persons.tolist()])
    return np.frombuffer(digests, dtype=">u8")[::4].astype(np.float64) / 2.0**64  # the first eight of 32 bytes


def split_by_hash(persons: StrArray, shares: tuple[float, float, float] = (0.7, 0.1, 0.2)) -> IntArray:
    """int8 [P]: each person's split, from a hash of the person id alone: adding people moves nobody.

    shares: of train, valid and test, summing to one.
    """
    bounds = np.cumsum(shares)[:2]
    return np.searchsorted(bounds, hash_draws(persons, "split"), side="right").astype(np.int8)
