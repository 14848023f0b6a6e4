"""Views of a board beside its ranking: slices, calibration, learning curves and cost.

Everything here is computed from record files. A tuple with one entry a row is in the order of the board's rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.boards.means import cost_seconds, mean_cost, mean_figures, processor_cost
from harness.boards.rows import with_newer
from harness.records.kinds import is_ranked, is_submitted, label_over_seeds
from harness.records.paired import perplexity_of
from harness.records.record import Record
from harness.stats.calibration import reliability
from harness.stats.figures import calibration_table
from harness.stats.inference import Estimate
from harness.stats.jackknife import jackknifed
from harness.types import FloatArray, IntArray

Model = Sequence[Record]  # the records of its seeds, one or more
Counts = tuple[FloatArray, IntArray | FloatArray, IntArray | FloatArray]  # probabilities, with and without the event

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
    """A run on some of the training persons; of several seeds, the first one's record."""

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
    ``reliability`` are of; None where a record has none. seconds: fit and score of each row
    (``harness.boards.means.cost_seconds``); None of what was not run here (an ensemble of finished runs, probabilities
    from elsewhere, the truth). by_clock: rows of them whose seconds are those of a clock; None where all are, which no
    record with processor seconds stands beside. frontier: rows that no row both cheaper and better stands before,
    cheapest first, as positions.
    """

    slices: tuple[Slice, ...] = ()
    reference: int | None = None
    event: str = ""
    reliability: tuple[Reliability | None, ...] = ()
    curves: tuple[Curve, ...] = ()
    seconds: tuple[float | None, ...] = ()
    by_clock: tuple[int, ...] | None = None
    frontier: tuple[int, ...] = ()


def views_of(rows: Sequence[Model], smaller: Sequence[Model]) -> Views:
    """The views of a board whose rows are these models, best first; of slices and calibration, of the best 25.

    smaller: those of the same board's runs on some of the training persons.
    """
    event = "the likeliest state" if rows and rows[0][0].evidence.cells is None else "the event"
    return Views(
        slices=slices_of(rows[:DETAILED]),
        reference=reference_of(rows[:DETAILED]),
        event=event,
        reliability=tuple(map(reliability_of, rows[:DETAILED])),
        curves=curves_of(rows, smaller),
        seconds=tuple(map(_seconds, rows)),
        by_clock=_by_clock(rows),
        frontier=frontier_of(rows),
    )


def slices_of(rows: Sequence[Model]) -> tuple[Slice, ...]:
    """Perplexity in every slice, and how far behind the row of ``reference_of``, by delete-a-group jackknife.

    The levels are those of that row.
    """
    reference = reference_of(rows)
    if reference is None:
        return ()
    return tuple(
        Slice(dimension, tuple(_level(rows, reference, dimension, name) for name in levels))
        for dimension, levels in (rows[reference][0].slices or {}).items()
    )


def reference_of(rows: Sequence[Model]) -> int | None:
    """The best model's position among rows, these best first, that have slices; of the best of all where none competes.

    None where no row has slices.
    """
    have = [i for i, seeds in enumerate(rows) if all(record.slices is not None for record in seeds)]
    return next((i for i in have if is_ranked(rows[i][0])), next(iter(have), None))


def _level(rows: Sequence[Model], reference: int, dimension: str, name: str) -> Level:
    """One level; all rows are of the same transitions, so they have its counts in common."""
    parts = [[(record.slices or {}).get(dimension, {}).get(name) for record in seeds] for seeds in rows]
    known = parts[reference][0]
    assert known is not None  # the levels are those of the reference
    have = [i for i, own in enumerate(parts) if all(part is not None and part.counted == known.counted for part in own)]
    perplexity: list[Estimate | None] = [None] * len(rows)
    behind: list[Estimate | None] = [None] * len(rows)
    if known.persons >= FEW and np.count_nonzero(known.counted) > 1:
        fits = [(at, part.log_likelihood) for at, i in enumerate(have) for part in parts[i] if part is not None]
        of, sums = [at for at, _ in fits], np.array([sums for _, sums in fits])
        counted = np.array(known.counted, dtype=np.float64)
        levels, gaps = jackknifed(sums, counted, have.index(reference), model=of)
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


def reliability_of(seeds: Model) -> Reliability | None:
    """The reliability curve of a model's event, over the transitions of all its seeds; None without its probabilities.

    Slope, intercept and error are means over seeds.
    """
    tables = [table for table in (calibration_table(one.arrays(*CALIBRATION)) for one in seeds) if table is not None]
    if len(tables) < len(seeds):
        return None
    bins = tuple(Bin(*map(float, values)) for values in zip(*reliability(*_pooled(tables)), strict=True))
    told = mean_figures([with_newer(one) for one in seeds])
    return Reliability(bins, told["calibration_slope"], told["calibration_intercept"], told["calibration_error"])


def _pooled(tables: Sequence[Counts]) -> Counts:
    """Tables of several seeds as one whose counts are means over them; of one seed, its own."""
    if len(tables) == 1:
        return tables[0]
    prob, at = np.unique(np.concatenate([table[0] for table in tables]), return_inverse=True)
    events, others = (
        np.bincount(at, np.concatenate([table[k] for table in tables]), len(prob)) / len(tables) for k in (1, 2)
    )
    return prob, events, others


def curves_of(rows: Sequence[Model], smaller: Sequence[Model]) -> tuple[Curve, ...]:
    """Learning curves of the models that were run on some of the training persons, by label."""
    found: dict[str, list[Model]] = defaultdict(list)
    for seeds in smaller:
        found[label_over_seeds(seeds, sizes=False)].append(seeds)
    for seeds in rows:
        if label_over_seeds(seeds) in found:
            found[label_over_seeds(seeds)].append(seeds)
    return tuple(
        Curve(name, tuple(sorted(filter(None, map(_point, models)), key=lambda at: (at.train_persons, at.record))))
        for name, models in sorted(found.items())
    )


def _point(seeds: Model) -> Point | None:
    first = seeds[0]
    persons = first.configuration.train_persons or first.facts.get("train_persons")
    return None if persons is None else Point(int(persons), first.id, perplexity_of(*seeds))


def _seconds(seeds: Model) -> float | None:
    """Seconds of fit and scores here, of a seed on average; None of a mix, a file, or the truth."""
    if not is_ranked(seeds[0]) or is_submitted(seeds[0]):
        return None
    return cost_seconds(mean_cost([one.measured for one in seeds]))


def _by_clock(rows: Sequence[Model]) -> tuple[int, ...] | None:
    """Positions of the rows that have seconds of a clock alone; None where all that have seconds do."""
    timed = [i for i, seeds in enumerate(rows) if _seconds(seeds) is not None]
    found = [i for i in timed if processor_cost(mean_cost([one.measured for one in rows[i]])) is None]
    return None if len(found) == len(timed) else tuple(found)


def frontier_of(rows: Sequence[Model]) -> tuple[int, ...]:
    """Positions of the rows, these best first, that none at once better and no dearer stands before; cheapest first."""
    found: list[int] = []
    least = np.inf
    for i, took in enumerate(map(_seconds, rows)):
        if took is not None and took < least:
            found.append(i)
            least = took
    return tuple(reversed(found))
