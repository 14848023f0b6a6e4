"""Views of a board beside its ranking: slices, calibration, learning curves and cost.

Everything here is computed from record files. A tuple with one entry a row is in the order of the board's rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.boards.rows import with_newer
from harness.records.kinds import is_ranked, is_submitted, label
from harness.records.paired import perplexity_of
from harness.records.record import Record
from harness.stats.calibration import reliability
from harness.stats.figures import calibration_table
from harness.stats.inference import Estimate
from harness.stats.jackknife import jackknifed

DETAILED = 25  # rows, the best, whose slices and calibration a board shows
CALIBRATION = ("cells", "event_counts", "other_counts", "likeliest_cells", "likeliest_right", "likeliest_wrong")
FEW = 20  # persons below which a level has no figures: an interval from so few says nothing


@dataclass(frozen=True, slots=True)
class Level:
    """Some of a board's transitions: those of women, of the nineties, from farm work.

    persons, transitions: how many, as they are counted. perplexity: of each row there; behind: its log-likelihood per
    transition there less that of ``Views.reference``, in nats, paired. None where a record is older than slices, or
    where too few persons are there for an interval; of the reference itself.
    """

    name: str
    persons: int
    transitions: int
    perplexity: tuple[Estimate | None, ...]
    behind: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A board's transitions, split by one thing that was known: 'gender', 'age', 'origin status', 'transition'."""

    dimension: str
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Transitions with neighbouring probabilities: what they count for, these on average, the share that happened."""

    counted: float
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """One row's calibration: bins of equal mass, rising; slope and intercept (Cox); expected calibration error."""

    bins: tuple[Bin, ...]
    slope: float | None
    intercept: float | None
    error: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A run on some of the training persons."""

    train_persons: int
    record: str
    perplexity: Estimate


@dataclass(frozen=True, slots=True)
class Curve:
    """One model, fitted on fewer and more of the same training persons, held out ones unchanged; rising in persons."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Views:
    """All that a board shows beside its rows.

    slices, reliability: of the first 25 rows at most. reference: the row, as a position, that slices compare with: the
    best model among those whose records have slices; None where no record has. event: what the probabilities of
    ``reliability`` are of; None where a record has none. seconds: fit and score of each row; None of what was not run
    here (an ensemble of finished runs, probabilities from elsewhere, the truth). frontier: rows that no row both
    cheaper and better stands before, cheapest first, as positions.
    """

    slices: tuple[Slice, ...] = ()
    reference: int | None = None
    event: str = ""
    reliability: tuple[Reliability | None, ...] = ()
    curves: tuple[Curve, ...] = ()
    seconds: tuple[float | None, ...] = ()
    frontier: tuple[int, ...] = ()


def views_of(rows: Sequence[Record], smaller: Sequence[Record]) -> Views:
    """The views of a board whose rows are these records, best first; of slices and calibration, of the best 25.

    smaller: records of the same board's runs on some of the training persons.
    """
    event = "the likeliest state" if rows and rows[0].evidence.cells is None else "the event"
    seconds = tuple(_seconds(record) for record in rows)
    return Views(
        slices=slices_of(rows[:DETAILED]),
        reference=reference_of(rows[:DETAILED]),
        event=event,
        reliability=tuple(reliability_of(record) for record in rows[:DETAILED]),
        curves=curves_of(rows, smaller),
        seconds=seconds,
        frontier=frontier_of(rows),
    )


def slices_of(rows: Sequence[Record]) -> tuple[Slice, ...]:
    """Perplexity in every slice, and how far behind the row of ``reference_of``, by delete-a-group jackknife.

    The levels are those of that row.
    """
    reference = reference_of(rows)
    if reference is None:
        return ()
    return tuple(
        Slice(dimension, tuple(_level(rows, reference, dimension, name) for name in levels))
        for dimension, levels in (rows[reference].slices or {}).items()
    )


def reference_of(rows: Sequence[Record]) -> int | None:
    """The best model's position among rows, these best first, that have slices; of the best of all where none competes.

    None where no row has slices.
    """
    have = [i for i, record in enumerate(rows) if record.slices is not None]
    return next((i for i in have if is_ranked(rows[i])), next(iter(have), None))


def _level(rows: Sequence[Record], reference: int, dimension: str, name: str) -> Level:
    """One level; all rows are of the same transitions, so they have its counts in common."""
    parts = [None if record.slices is None else record.slices.get(dimension, {}).get(name) for record in rows]
    known = parts[reference]
    assert known is not None  # the levels are those of the reference
    have = [i for i, part in enumerate(parts) if part is not None and part.counted == known.counted]
    perplexity: list[Estimate | None] = [None] * len(rows)
    behind: list[Estimate | None] = [None] * len(rows)
    if known.persons >= FEW and np.count_nonzero(known.counted) > 1:
        sums = np.array([part.log_likelihood for i, part in enumerate(parts) if part is not None and i in have])
        levels, gaps = jackknifed(sums, np.array(known.counted, dtype=np.float64), have.index(reference))
        for at, i in enumerate(have):
            perplexity[i] = levels[at]
            behind[i] = None if i == reference else gaps[at]
    return Level(
        name=name,
        persons=known.persons,
        transitions=known.transitions,
        perplexity=tuple(perplexity),
        behind=tuple(behind),
    )


def reliability_of(record: Record) -> Reliability | None:
    """The reliability curve of a record's event; None where its evidence has no probabilities of one."""
    table = calibration_table(record.arrays(*CALIBRATION))
    if table is None:
        return None
    bins = tuple(Bin(*map(float, values)) for values in zip(*reliability(*table), strict=True))
    told = with_newer(record)
    return Reliability(bins, told["calibration_slope"], told["calibration_intercept"], told["calibration_error"])


def curves_of(rows: Sequence[Record], smaller: Sequence[Record]) -> tuple[Curve, ...]:
    """Learning curves of the models that were run on some of the training persons, by label."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in smaller:
        found[label(record, sizes=False)].append(record)
    for record in rows:
        if label(record) in found:
            found[label(record)].append(record)
    return tuple(
        Curve(name, tuple(sorted(filter(None, map(_point, records)), key=lambda at: (at.train_persons, at.record))))
        for name, records in sorted(found.items())
    )


def _point(record: Record) -> Point | None:
    persons = record.configuration.train_persons or record.facts.get("train_persons")
    return None if persons is None else Point(int(persons), record.id, perplexity_of(record))


def _seconds(record: Record) -> float | None:
    """Seconds of fit and scores here; None of a record made from finished runs, elsewhere, or from the truth."""
    if not is_ranked(record) or is_submitted(record):
        return None
    return record.measured.fit_seconds + record.measured.score_seconds


def frontier_of(rows: Sequence[Record]) -> tuple[int, ...]:
    """Positions of the rows, these best first, that none at once better and no dearer stands before; cheapest first."""
    found: list[int] = []
    least = np.inf
    for i, took in enumerate(map(_seconds, rows)):
        if took is not None and took < least:
            found.append(i)
            least = took
    return tuple(reversed(found))
