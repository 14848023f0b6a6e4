"""What a board shows beside its ranking: for whom, how well calibrated, from how many careers, at what cost.

Everything here is computed from record files. A tuple with one entry a row is in the order of the board's rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.inference import Estimate


@dataclass(frozen=True, slots=True)
class Level:
    """Some of a board's transitions: those of women, of the nineties, from farm work.

    persons, transitions: how many, as they are counted. perplexity: of each row there; behind: its log-likelihood per
    transition there less that of the board's first row, in nats, paired. None where a record is older than slices, or
    where too few persons are there for an interval.
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

    event: what the probabilities of ``reliability`` are of. reliability: one entry a row, None where the record has no
    probabilities of an event. seconds: fit and score of each row; None of what was not run here (an ensemble of
    finished runs, probabilities from elsewhere, the truth). frontier: rows that no row both cheaper and better stands
    before, cheapest first, as positions.
    """

    slices: tuple[Slice, ...] = ()
    event: str = ""
    reliability: tuple[Reliability | None, ...] = ()
    curves: tuple[Curve, ...] = ()
    seconds: tuple[float | None, ...] = ()
    frontier: tuple[int, ...] = ()
