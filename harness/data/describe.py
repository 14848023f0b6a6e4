"""The contents of a panel, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.panel.careers import SPLITS, Panel
from harness.panel.occupations import Status
from harness.panel.time import name as time_name
from harness.panel.time import unit_of
from harness.types import BoolArray, FloatArray, IntArray, StrArray


@dataclass(frozen=True, slots=True)
class Spread:
    """A count per career, over careers."""

    mean: float
    median: float
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class SplitSize:
    """The size of one split."""

    persons: int
    records: int
    transitions: int


@dataclass(frozen=True, slots=True)
class CovariateSummary:
    """levels: how many, for a categorical one. missing: share of records without a value."""

    kind: str
    fixed: bool
    levels: int | None
    missing: float


@dataclass(frozen=True, repr=False)
class Description:
    """Figures of one panel. Shares are between 0 and 1, and None where there is nothing to take a share of.

    by_status: share of records. stay_rate: share of transitions that keep the state; by status of the origin besides.
    exit_rate: of the transitions from employment, the share that ends out of the labor force (or, in a survey that does
    not tell the two apart, out of it or unemployed). gaps: transitions that span more than a year. unused_states:
    codes that occur in no record. unseen_states: codes that occur in the test split and not in train;
    unseen_transitions: share of test transitions that end in one.
    """

    name: str
    fingerprint: str
    source: Mapping[str, Any]
    persons: int
    records: int
    transitions: int
    first_year: int
    last_year: int
    states: int
    records_per_career: Spread
    states_per_career: Spread
    single_record_careers: int
    by_status: Mapping[str, float]
    stay_rate: float | None
    stay_rate_by_status: Mapping[str, float]
    exit_rate: float | None
    gaps: int
    gap_share: float | None
    unused_states: tuple[str, ...]
    unseen_states: tuple[str, ...]
    unseen_transitions: float | None
    splits: Mapping[str, SplitSize]
    covariates: Mapping[str, CovariateSummary]
    left_out: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The same as plain dictionaries, lists, numbers and text."""
        return asdict(self)

    def figures(self) -> list[list[str]]:
        """Name and value of each figure of the whole panel, as the command line and a prompt show them."""
        records, states, unit = self.records_per_career, self.states_per_career, unit_of(self.source)
        return [
            ["persons", f"{self.persons:,}"],
            ["records", f"{self.records:,}"],
            ["transitions", f"{self.transitions:,}"],
            [f"{unit}s", f"{time_name(self.first_year, unit)} to {time_name(self.last_year, unit)}"],
            ["records per career: mean, median, most", f"{records.mean:.1f}, {records.median:g}, {records.most}"],
            ["careers of a single record", f"{self.single_record_careers:,}"],
            ["states", f"{self.states:,}"],
            ["states that never occur", f"{len(self.unused_states):,}"],
            ["states per career: mean, median, most", f"{states.mean:.1f}, {states.median:g}, {states.most}"],
            ["stay rate", percent(self.stay_rate)],
            ["exit rate, employed to out of the labor force", percent(self.exit_rate)],
            [f"gaps, steps longer than one {unit}", f"{self.gaps:,} ({percent(self.gap_share, 2)})"],
            ["states in test unseen in train", f"{len(self.unseen_states):,}"],
            ["test transitions into those", percent(self.unseen_transitions, 2)],
            ["fingerprint", self.fingerprint[:12]],
        ]

    def __repr__(self) -> str:
        figures = self.figures()
        width = max(len(name) for name, _ in figures)
        return "\n".join([self.name, *(f"{name:<{width}}  {value}" for name, value in figures)])


def percent(share: float | None, digits: int = 1) -> str:
    """A share as text, 'none' where there is none."""
    return "none" if share is None else f"{share:.{digits}%}"


def describe(panel: Panel) -> Description:
    """Count what is in a panel."""
    different = _distinct_states(panel)
    later = panel.transitions
    origin, state = panel.state[later - 1], panel.state[later]
    stays = origin == state
    status = np.array([s.value for s in panel.occupations.statuses])
    employed = panel.occupations.has_status(Status.EMPLOYED)
    gaps = panel.year[later] - panel.year[later - 1] > 1
    lengths = np.diff(panel.offsets)
    unseen = _unseen(panel)
    test = np.repeat(panel.split == SPLITS.index("test"), np.maximum(lengths - 1, 0))
    codes = np.array(panel.occupations.codes)
    of_state, from_state, stay_in = (
        np.bincount(states, minlength=panel.n_states) for states in (panel.state, origin, origin[stays])
    )
    return Description(
        name=panel.name,
        fingerprint=panel.fingerprint(),
        source=panel.source,
        persons=panel.n_persons,
        records=panel.n_records,
        transitions=len(later),
        first_year=int(panel.year.min()),
        last_year=int(panel.year.max()),
        states=panel.n_states,
        records_per_career=_spread(lengths),
        states_per_career=_spread(different),
        single_record_careers=int((lengths == 1).sum()),
        by_status={s: int(of_state[status == s].sum()) / panel.n_records for s in dict.fromkeys(status.tolist())},
        stay_rate=_share(stays),
        stay_rate_by_status={
            str(s): int(stay_in[status == s].sum()) / int(from_state[status == s].sum())
            for s in np.unique(status[from_state > 0])
        },
        exit_rate=_share(panel.occupations.out_of_labor_force[state][employed[origin]]),
        gaps=int(gaps.sum()),
        gap_share=_share(gaps),
        unused_states=_named(codes, of_state == 0),
        unseen_states=_named(codes, unseen),
        unseen_transitions=_share(unseen[state][test]),
        splits=_split_sizes(panel),
        covariates=_covariates(panel),
        left_out=panel.left_out,
    )


def _share(chosen: BoolArray) -> float | None:
    return float(chosen.mean()) if len(chosen) else None


def _named(codes: StrArray, chosen: BoolArray) -> tuple[str, ...]:
    return tuple(codes[chosen].tolist())


def _spread(counts: IntArray) -> Spread:
    return Spread(float(counts.mean()), float(np.median(counts)), int(counts.min()), int(counts.max()))


def _distinct_states(panel: Panel) -> IntArray:
    """int64 [P]: how many different states each career has."""
    pairs = panel.person * panel.n_states
    pairs += panel.state
    pairs.sort()  # not ``unique``, which looks each up in a table: a second for a million
    new = np.append(True, pairs[1:] != pairs[:-1])
    return np.add.reduceat(new, panel.offsets[:-1], dtype=np.int64)


def _unseen(panel: Panel) -> BoolArray:
    """bool [K]: states of the test split that the train split does not have."""
    k = panel.n_states
    cell = np.repeat(panel.split.astype(np.int32) * k, np.diff(panel.offsets))
    cell += panel.state
    seen = np.bincount(cell, minlength=len(SPLITS) * k).reshape(len(SPLITS), k) > 0
    return np.asarray(seen[SPLITS.index("test")] & ~seen[SPLITS.index("train")], dtype=bool)


def _split_sizes(panel: Panel) -> dict[str, SplitSize]:
    lengths = np.diff(panel.offsets)
    sizes: dict[str, SplitSize] = {}
    for i, name in enumerate(SPLITS):
        records = lengths[panel.split == i]
        sizes[name] = SplitSize(len(records), int(records.sum()), int((records - 1).sum()))
    return sizes


def _covariates(panel: Panel) -> dict[str, CovariateSummary]:
    summaries = {}
    for name, covariate in panel.covariates.items():
        values: IntArray | FloatArray = covariate.values
        missing = values < 0 if covariate.kind == "categorical" else np.isnan(values)
        levels = len(covariate.levels) if covariate.kind == "categorical" else None
        summaries[name] = CovariateSummary(covariate.kind, covariate.fixed, levels, float(missing.mean()))
    return summaries
