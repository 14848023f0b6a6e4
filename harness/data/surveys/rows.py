"""Person-years of a survey, and the panel that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.data.surveys.states import Space
from harness.errors import RequestError
from harness.panel.careers import SPLITS, Covariate, Panel, split_by_hash
from harness.types import FloatArray, IntArray, StrArray


@dataclass(frozen=True, kw_only=True)
class PersonYears:
    """Rows of a survey before they are a panel.

    ids: str [P]. person, year, state: int64 [N], places in ``ids``, calendar years, keys of ``states``.
    covariates: values of length N. notes: sentence -> count of what was merged, carried or dropped.
    """

    ids: StrArray
    person: IntArray
    year: IntArray
    state: IntArray
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    def take(self, rows: IntArray, notes: Mapping[str, int]) -> PersonYears:
        """These rows, with further notes."""
        return PersonYears(
            ids=self.ids,
            person=self.person[rows],
            year=self.year[rows],
            state=self.state[rows],
            covariates={name: one.take(rows) for name, one in self.covariates.items()},
            notes={**self.notes, **notes},
        )


def panel_of(rows: PersonYears, space: Space, name: str) -> Panel:
    """The panel of these rows; years without a state of the space are left out, and persons without any year.

    Raises RequestError where no row is left.
    """
    ids, times = np.unique(rows.ids, return_counts=True)
    if (times > 1).any():
        raise RequestError(f"{name}: {times.max()} rows are of person {ids[times.argmax()]}: each person has one")
    states = space.of(rows.state)
    kept = np.flatnonzero(states >= 0)
    kept = kept[np.lexsort((rows.year[kept], rows.person[kept]))]
    if not len(kept):
        raise RequestError(f"{name}: no person has a year with an occupation or a status")
    persons, person = np.unique(rows.person[kept], return_inverse=True)
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    kept_ids = rows.ids[persons]
    split = split_by_hash(kept_ids)
    if len(set(split.tolist())) < len(SPLITS):
        raise RequestError(f"{name}: {len(kept_ids)} persons are too few: train, valid or test would have none")
    covariates = {key: _placed(one.take(kept), person) for key, one in rows.covariates.items()}
    return Panel(
        name=name,
        persons=kept_ids,
        offsets=np.append(starts, len(kept)).astype(np.int64),
        year=rows.year[kept].astype(np.int32),
        state=states[kept].astype(np.int32),
        occupations=space.occupations,
        split=split,
        covariates={key: one for key, one in covariates.items() if _is_told(one)},
    ).in_order()


def numeric(values: FloatArray) -> Covariate:
    """A numeric covariate, float64 [N], NaN where it is missing."""
    return Covariate("numeric", np.asarray(values, dtype=np.float64))


def categorical(values: IntArray, levels: tuple[str, ...]) -> Covariate:
    """A categorical covariate, int32 [N], places in the levels; -1 where it is missing."""
    return Covariate("categorical", np.asarray(values, dtype=np.int32), levels)


def recoded(values: IntArray, levels: Mapping[int, str]) -> Covariate:
    """Codes of a survey (int64 [N]) as levels; a code that is not named is missing."""
    names = tuple(dict.fromkeys(levels.values()))
    found = np.full(len(values), -1, dtype=np.int32)
    for code, level in levels.items():
        found[values == code] = names.index(level)
    return categorical(found, names)


def nested_units(strata: IntArray, units: IntArray) -> Covariate:
    """Sampling units by stratum and unit, 'STRATUM-UNIT', since surveys number them anew in each stratum."""
    pairs, index = np.unique(np.stack([strata, units]), axis=1, return_inverse=True)
    known = (pairs >= 0).all(axis=0)
    levels = tuple(f"{a}-{b}" for a, b in pairs[:, known].T.tolist())
    place = np.where(known, np.cumsum(known) - 1, -1)
    return categorical(place[index.reshape(-1)], levels)


def _placed(covariate: Covariate, person: IntArray) -> Covariate:
    """Without levels that do not occur, and with what is fixed said to be so."""
    values = covariate.values
    if covariate.kind == "categorical":
        used = np.unique(values[values >= 0]).astype(np.int64)
        place = np.full(len(covariate.levels) + 1, -1, dtype=np.int32)
        place[used] = np.arange(len(used))
        covariate = categorical(place[values.astype(np.int64)], tuple(covariate.levels[i] for i in used))
        values = covariate.values
    same = np.diff(person) == 0
    equal = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    fixed = bool(equal[same].all())
    return Covariate(covariate.kind, values, covariate.levels, fixed)


def _is_told(covariate: Covariate) -> bool:
    return bool(covariate.levels) if covariate.kind == "categorical" else not np.isnan(covariate.values).all()
