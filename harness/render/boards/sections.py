"""Views of a board beside its ranking, as tables of text: once, for every form that prints tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.boards.board import Board, Row
from harness.boards.views import DETAILED, FEW
from harness.render.boards.table import NONE, label_cell, number, perplexity_cell, with_error
from harness.stats.inference import Estimate

SHOWN = 5  # models beside one another in a table


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title and notes. text: how many columns, from the left, are text and not numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    text: int = 1


def sections(board: Board) -> list[Section]:
    """Slices, calibration, learning curves and the cost frontier; those that the board's records can fill."""
    made = [_slices(board), _calibration(board), learning_curves(board), _frontier(board)]
    return [section for section in made if section is not None]


def leading(board: Board, most: int = SHOWN) -> list[int]:
    """Positions of the best models that compete; of the best rows, where none does."""
    ranked = [i for i, row in enumerate(board.rows) if row.rank is not None]
    return (ranked or list(range(len(board.rows))))[:most]


def _slices(board: Board) -> Section | None:
    first, rows = board.views.reference, board.rows
    if first is None or not board.views.slices:
        return None
    known = [level for part in board.views.slices for level in part.levels if level.perplexity[first] is not None]
    detailed = [i for i in leading(board, len(rows)) if i < DETAILED]
    beside = [i for i in detailed if not known or any(level.perplexity[i] is not None for level in known)]
    others = [i for i in beside if i != first][: SHOWN - 1]
    older = [label_cell(rows[i]) for i in detailed[:SHOWN] if i not in beside]
    lines = []
    for part in board.views.slices:
        for level in part.levels:
            cells = [_level(level.perplexity[first]), *(with_error(level.behind[i], 4) for i in others)]
            lines.append((part.dimension, level.name, f"{level.persons:,}", f"{level.transitions:,}", *cells))
    headings = ["by", "level", "persons", "transitions", f"{label_cell(rows[first])}: perplexity"]
    headings += [f"{label_cell(rows[i])}: behind it" for i in others]
    return Section(
        "For whom",
        tuple(headings),
        tuple(lines),
        (
            f"behind it: log-likelihood per transition there less that of {label_cell(rows[first])}, in nats, ± its "
            "standard error, paired: random groups of persons are left out in turn (Kott 2001). Under "
            f"{FEW} persons have none.",
            *([f"Older than slices: {', '.join(older)}."] if older else []),
            "origin: the state before. Moves are seen where a training career has the same one.",
        ),
        text=2,
    )


def _level(estimate: Estimate | None) -> str:
    if estimate is None:
        return NONE
    return with_error(estimate, 2 if estimate.value >= 3 else 4)


def _calibration(board: Board) -> Section | None:
    curves = board.views.reliability
    shown = [i for i in leading(board) if i < len(curves) and curves[i] is not None]
    if not shown:
        return None
    most = max(len(_bins(board, i)) for i in shown)
    lines = [(str(at + 1), *(cell for i in shown for cell in _bin(board, i, at))) for at in range(most)]
    lines.append(("slope", *(cell for i in shown for cell in (number(_of(board, i, "slope"), 3), ""))))
    lines.append(("intercept", *(cell for i in shown for cell in (number(_of(board, i, "intercept"), 3), ""))))
    lines.append(("error", *(cell for i in shown for cell in (number(_of(board, i, "error"), 4), ""))))
    names = [label_cell(board.rows[i]) for i in shown]
    headings = ("bin", *(cell for name in names for cell in (f"{name}: told", "happened")))
    note = (
        f"Of {board.views.event}: bins of equal mass, the mean probability that was told in each and the share that "
        "happened; slope and intercept of a logit regression on log-odds; error: their mean distance (expected "
        "calibration error)."
    )
    return Section("Calibration", headings, tuple(lines), (note,))


def _bins(board: Board, i: int) -> Sequence[tuple[float, float]]:
    curve = board.views.reliability[i]
    return () if curve is None else [(at.predicted, at.observed) for at in curve.bins]


def _bin(board: Board, i: int, at: int) -> tuple[str, str]:
    bins = _bins(board, i)
    if at >= len(bins):
        return NONE, NONE
    return number(bins[at][0], 4), number(bins[at][1], 4)


def _of(board: Board, i: int, what: str) -> float | None:
    value: float | None = getattr(board.views.reliability[i], what)
    return value


def learning_curves(board: Board) -> Section | None:
    """Perplexity by the number of training persons; None where all records are of one number."""
    curves = board.views.curves
    if not curves:
        return None
    sizes = sorted({point.train_persons for curve in curves for point in curve.points})
    lines = []
    for curve in curves:
        at = {point.train_persons: point.perplexity for point in curve.points}
        lines.append((curve.label, *(_level(at.get(size)) for size in sizes)))
    return Section(
        "Learning curves",
        ("model", *(f"{size:,}" for size in sizes)),
        tuple(lines),
        ("Perplexity on the same held-out transitions, by training persons; the smaller are part of the larger.",),
    )


def _frontier(board: Board) -> Section | None:
    lines = [_cost(board.rows[i], board.views.seconds[i]) for i in board.views.frontier]
    if not lines:
        return None
    seconds = seconds_heading(board)
    note = (
        f"Models that none at once better and {'quicker' if seconds == 'seconds' else 'cheaper'} stands before: "
        f"{seconds} to fit and score, on the machine that did."
    )
    notes = (note, *filter(None, [clock_note(board)]))
    return Section("Cost", ("model", "perplexity", seconds, "peak, MB", "parameters trained"), tuple(lines), notes)


def seconds_heading(board: Board) -> str:
    """The name of the seconds that the board compares: 'processor seconds' where a record tells them."""
    return "seconds" if board.views.by_clock is None else "processor seconds"


def clock_note(board: Board) -> str:
    """A sentence on the rows of a board of processor seconds that have those of a clock alone; '' where none has."""
    labels = [label_cell(board.rows[i]) for i in board.views.by_clock or ()]
    if not labels:
        return ""
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return f"By the clock, since their records are older or a GPU did the work: {', '.join(labels[:SHOWN])}{more}."


def _cost(row: Row, seconds: float | None) -> tuple[str, ...]:
    trained = NONE if row.parameters_trained is None else f"{row.parameters_trained:,}"
    return label_cell(row), perplexity_cell(row), number(seconds, 1), number(row.measured.peak_memory_mb, 0), trained
