"""Slices: for whom a model is right. Transitions by what was known of them, in a form that any record can carry.

A slice is kept not by person but by random groups of persons: sums that say how much a figure, or a difference between
two models, varies from one group to the next (Kott 2001, "The delete-a-group jackknife", Journal of Official Statistics
17). Their number is the same for a thousand persons and for a million. They tell less of a person than sums by person
would, and are no anonymisation: a record of confidential careers is to be shared as a table with small cells would be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.panel import time
from harness.panel.careers import Panel
from harness.records.evidence import Part, Slices
from harness.stats.figures import DECIMALS, Scores, counting
from harness.stats.labels import numbered_as_met
from harness.types import IntArray

GROUPS = 40
SLICE_DECIMALS = 3  # of sums over groups, in nats
LEVELS = 20  # a covariate with more is no slice
UNKNOWN = "not known"
FIRST = "first record"
AGES = (18, 21, 25, 30, 35, 45, 55)  # where bands begin: life from school to late careers
AGE_NAMES = ("up to 17", "18 to 20", "21 to 24", "25 to 29", "30 to 34", "35 to 44", "45 to 54", "55 and over")
MOVES = ("stay", "move seen in training", "move not seen in training")


@dataclass(frozen=True, slots=True)
class Levels:
    """One way to split n transitions. names: of the levels, in order. of: int16 [n], a position in ``names``."""

    names: tuple[str, ...]
    of: IntArray

    @classmethod
    def present(cls, names: Sequence[str], of: IntArray, missing: str = UNKNOWN) -> Levels:
        """Of those that occur alone; ``missing`` is what a position of -1 is called. Levels of one name are one."""
        every = [*names, missing]
        found = np.unique(np.where(of < 0, len(names), of))
        kept = tuple(dict.fromkeys(every[i] for i in found))
        place = np.zeros(len(every), dtype=np.int16)
        place[found] = [kept.index(every[i]) for i in found]
        return cls(kept, place[np.where(of < 0, len(names), of)])


@dataclass(frozen=True, slots=True)
class Slicing:
    """Levels of n transitions at risk in every dimension, and the random group of each of P persons."""

    levels: Mapping[str, Levels]
    group: IntArray

    @classmethod
    def of(cls, panel: Panel, test: Panel, transitions: IntArray) -> Slicing:
        """Of the transitions (int64 [n]) of a split, whose persons are the P.

        panel: the whole panel, whose training careers say which moves had been seen. Covariates with at most 20 levels
        and age are those of the later record, as models see them. 'origin status' and 'origin group' are of the state
        before. 'transition' tells who stayed, and of moves, whether a training career made the same one.
        """
        made = {
            name: Levels.present(covariate.levels, covariate.values[transitions].astype(np.int64))
            for name, covariate in sorted(test.covariates.items())
            if covariate.kind == "categorical" and len(covariate.levels) <= LEVELS
        }
        age = test.age()[transitions]
        if not np.isnan(age).all():
            band = np.where(np.isnan(age), -1, np.searchsorted(AGES, np.nan_to_num(age), side="right"))
            made["age"] = Levels.present(AGE_NAMES, band)
        origin, known = test.origin(transitions), test.occupations
        if test.unit in time.PER_YEAR:
            year = test.year[transitions].astype(np.int64) // time.PER_YEAR[test.unit]
            first = int(year.min()) // 10 if len(year) else 0
            decades = [f"{first + i}0s" for i in range(int(year.max()) // 10 - first + 1 if len(year) else 0)]
            made["decade"] = Levels.present(decades, year // 10 - first)
        status, statuses = numbered_as_met(str(of) for of in known.statuses)
        made["origin status"] = Levels.present(statuses, np.where(origin < 0, -1, status[origin]), FIRST)
        group, names = known.group_index()
        made["origin group"] = Levels.present(names, np.where(origin < 0, -1, group[origin]), FIRST)
        made["transition"] = Levels.present(MOVES, _moves(panel, test, transitions), FIRST)
        return cls(made, groups(test))

    def parts(self, scores: Scores) -> Slices:
        """Sums of these scores by slice, as a record keeps them; transitions that count for nothing are left out."""
        kept = counting(scores)
        counts = np.ones(int(kept.sum())) if scores.weight is None else scores.weight[kept]
        person, log_likelihood = scores.person[kept], scores.log_prob[kept] * counts
        group = self.group[person]
        made: Slices = {}
        for dimension, levels in self.levels.items():
            cell = levels.of[kept].astype(np.int64) * GROUPS + group
            size = len(levels.names), GROUPS
            counted = np.bincount(cell, counts, size[0] * GROUPS).reshape(size)
            sums = np.bincount(cell, log_likelihood, size[0] * GROUPS).reshape(size)
            transitions = np.bincount(levels.of[kept], minlength=size[0])
            persons = np.bincount(
                np.unique(levels.of[kept].astype(np.int64) * scores.persons + person) // scores.persons
            )
            made[dimension] = {
                name: Part(
                    persons=int(persons[i]),
                    transitions=int(transitions[i]),
                    counted=_plain(counted[i], whole=scores.weight is None),
                    log_likelihood=(np.round(sums[i], SLICE_DECIMALS) + 0.0).tolist(),
                )
                for i, name in enumerate(levels.names)
                if transitions[i]
            }
        return made


def _plain(values: np.ndarray, whole: bool) -> list[int] | list[float]:
    counted: list[int] | list[float] = (
        np.rint(values).astype(np.int64).tolist() if whole else np.round(values, DECIMALS).tolist()
    )
    return counted


def groups(panel: Panel) -> IntArray:
    """int64 [P]: the random group of each person, of as many persons as any other; persons of a sampling unit share it.

    From a hash of the person's id, or of the unit's number, so that every run of a panel has the same.
    """
    if panel.units is None:
        units, of = panel.persons, np.arange(panel.n_persons)
    else:
        units, of = np.unique(panel.units, return_inverse=True)
    order = np.argsort([hashlib.sha256(f"group:{unit}".encode()).hexdigest() for unit in units.tolist()])
    place = np.empty(len(units), dtype=np.int64)
    place[order] = np.arange(len(units))
    return place[of] % GROUPS


def _moves(panel: Panel, test: Panel, transitions: IntArray) -> IntArray:
    """int64 [n]: a position in ``MOVES``; -1 of a first record."""
    train = panel.part("train")
    later = train.transitions
    known = np.unique(train.state[later - 1].astype(np.int64) * panel.n_states + train.state[later])
    origin, target = test.origin(transitions), test.state[transitions].astype(np.int64)
    seen = np.isin(origin * panel.n_states + target, known)
    return np.where(origin < 0, -1, np.where(origin == target, 0, np.where(seen, 1, 2)))
