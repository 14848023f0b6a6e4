"""Runs of one task on one panel side by side: how far apart, for whom, and how sure that is.

Everything here is computed from record files. Which transitions make the difference is another question
(``harness.boards.transitions``), which needs what each run said of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.boards.views import FEW
from harness.errors import RequestError, did_you_mean
from harness.records.evidence import Part
from harness.records.kinds import is_ranked, label
from harness.records.paired import Paired
from harness.records.record import Record
from harness.stats.confidence_set import confidence_set, ranks
from harness.stats.inference import Estimate, holm
from harness.stats.jackknife import jackknifed


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the runs.

    perplexity: with its standard error. difference: log-likelihood per transition less that of the first run, in nats,
    paired; p_adjusted for all runs at once; None of the first. rank: by its figure among the runs of models that
    compete (not the truth, nor an ensemble of finished runs); tied: the first and last rank that it cannot be told
    from; in_confidence_set: whether it is among those that cannot be told from the best of these at 95%, with its
    p-value there. None where fewer than three runs are compared, or fewer than two of them compete.
    """

    run: str
    name: str
    perplexity: Estimate
    difference: Estimate | None
    rank: int | None = None
    tied: tuple[int, int] | None = None
    in_confidence_set: bool | None = None
    confidence_p: float | None = None


@dataclass(frozen=True, slots=True)
class SliceDifference:
    """The difference between two runs on some of their transitions.

    persons, transitions: how many. share: of all that counts, 0 to 1. difference: log-likelihood per transition there
    of the other run less that of the first, in nats, paired, by delete-a-group jackknife; p_adjusted after Holm for all
    the levels that were looked at. None where too few persons are there for an interval. of_total: what the level adds
    to the difference over all transitions, in nats per transition: those of one dimension's levels sum to it.
    """

    dimension: str
    level: str
    persons: int
    transitions: int
    share: float
    difference: Estimate | None
    of_total: float


def require_comparable(records: Sequence[Record]) -> None:
    """RequestError where there are fewer than two runs, one is there twice, or two are not of one board."""
    if len(records) < 2:
        raise RequestError("compare needs two records or more")
    twice = [run for run, times in Counter(record.id for record in records).items() if times > 1]
    if twice:
        raise RequestError(f"{twice[0]} is named twice: a run is compared with others")
    first = records[0]
    asked = first.configuration
    for other in records[1:]:
        theirs = other.configuration
        alike = (asked.panel.fingerprint, asked.task, asked.task_version) == (
            theirs.panel.fingerprint,
            theirs.task,
            theirs.task_version,
        )
        if not alike or not other.evidence.same_transitions(first.evidence):
            raise RequestError(
                f"{other.id} ({_board(other)}) and {first.id} ({_board(first)}) are not of one task on one panel; "
                "their figures do not compare"
            )


def _board(record: Record) -> str:
    asked = record.configuration
    return f"{asked.task} version {asked.task_version} on {asked.panel.name} {asked.panel.fingerprint[:12]}"


def names_of(records: Sequence[Record]) -> list[str]:
    """A name for each: its label, with the beginning of its id where another one has the same."""
    labels = [label(record) for record in records]
    times = Counter(labels)
    return [
        name if times[name] == 1 else f"{name} {record.id[:8]}" for name, record in zip(labels, records, strict=True)
    ]


def compare(records: Sequence[Record]) -> tuple[Compared, ...]:
    """The runs in the order given, all on one set of draws. RequestError as ``require_comparable``."""
    require_comparable(records)
    drawn = Paired.of(records).drawn
    rows = [
        Compared(record.id, name, perplexity, None if i == 0 else difference)
        for i, (record, name, perplexity, difference) in enumerate(
            zip(records, names_of(records), drawn.perplexities(), drawn.differences(0), strict=True)
        )
    ]
    competing = [i for i, record in enumerate(records) if is_ranked(record)]
    if len(records) < 3 or len(competing) < 2:
        return tuple(rows)
    among = drawn.only(competing)
    best = confidence_set(among)
    order = np.argsort(-among.mean, kind="stable")
    for at, tied in enumerate(ranks(among, best)):
        rows[competing[at]] = replace(
            rows[competing[at]],
            rank=1 + int(np.flatnonzero(order == at)[0]),
            tied=tied,
            in_confidence_set=bool(best.members[at]),
            confidence_p=float(best.p[at]),
        )
    return tuple(rows)


def without_slices(records: Sequence[Record]) -> list[Record]:
    """Those that are older than slices, or were made of runs that are."""
    return [record for record in records if record.slices is None]


def slice_differences(first: Record, other: Record, dimension: str | None = None) -> tuple[SliceDifference, ...]:
    """The differences between two runs on every level of every dimension that both records have, in the record's order.

    dimension: of this one alone, and p adjusted for its levels alone. RequestError for one that they do not have.
    """
    mine, theirs = first.slices or {}, other.slices or {}
    both = [name for name in mine if name in theirs]
    if dimension is not None and dimension not in both:
        raise RequestError(f"no dimension of these records is called '{dimension}'; {did_you_mean(dimension, both)}")
    total = float(np.sum(first.evidence.counted))
    made = [
        _level((name, level), part, theirs[name][level], total)
        for name in both
        if dimension in (None, name)
        for level, part in mine[name].items()
        if level in theirs[name] and theirs[name][level].counted == part.counted
    ]
    return tuple(_adjusted(made))


def _level(which: tuple[str, str], first: Part, other: Part, total: float) -> SliceDifference:
    sums = np.array([first.log_likelihood, other.log_likelihood], dtype=np.float64)
    counted = np.array(first.counted, dtype=np.float64)
    known = first.persons >= FEW and np.count_nonzero(counted) > 1
    return SliceDifference(
        *which,
        persons=first.persons,
        transitions=first.transitions,
        share=float(counted.sum()) / total,
        difference=jackknifed(sums, counted)[1][1] if known else None,
        of_total=float(sums[1].sum() - sums[0].sum()) / total,
    )


def _adjusted(levels: Sequence[SliceDifference]) -> list[SliceDifference]:
    known = [level.difference.p for level in levels if level.difference is not None and level.difference.p is not None]
    adjusted = iter(holm(np.array(known, dtype=np.float64)).tolist())
    return [
        level
        if level.difference is None
        else replace(level, difference=replace(level.difference, p_adjusted=next(adjusted)))
        for level in levels
    ]
