"""Figures of a board for a paper, drawn by matplotlib: saved as pdf, svg or pgf with the figure's own ``savefig``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.boards.board import Board
from harness.errors import RequestError, did_you_mean, require_installed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.28  # inches of a line of a forest
WIDE = 6.5  # inches: the text of a page


def plot(board: Board, kind: str) -> Figure:
    """RequestError for an unknown kind, one that the board has nothing of, and without matplotlib."""
    if kind not in KINDS:
        raise RequestError(f"no figure is called '{kind}'; {did_you_mean(kind, KINDS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        require_installed("a figure", ("matplotlib",))
        raise
    figure = Figure(layout="constrained")
    KINDS[kind](board, figure)
    return figure


def _forest(board: Board, figure: Any) -> None:
    """Perplexities with 95% intervals, and paired differences from the best model."""
    rows = [row for row in board.rows if row.perplexity.has_error and not row.unchecked]
    if not rows:
        raise RequestError(f"'{board.task}' on '{board.panel}' has no model with an interval to draw")
    figure.set_size_inches(WIDE, 1.0 + ROW * len(rows))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for y, row in enumerate(rows):
        color = "C0" if row.in_confidence_set else "0.35"
        for axes, estimate in ((left, row.perplexity), (right, row.behind)):
            if estimate is not None:
                axes.plot([estimate.low, estimate.high], [y, y], color=color, lw=1.2)
                axes.plot([estimate.value], [y], "o", color=color, ms=3.5)
    left.set_yticks(range(len(rows)), [row.label for row in rows])
    left.invert_yaxis()
    left.set_xlabel("perplexity, 95% interval")
    left.set_xscale("log")
    left.xaxis.set_minor_formatter("{x:g}")
    right.axvline(0.0, color="0.7", lw=0.8)
    right.set_xlabel("log-likelihood less the best's, nats")
    left.set_title(f"{board.panel}: {board.task}", loc="left", fontsize="medium")


def _reliability(board: Board, figure: Any) -> None:
    """The share that happened by the probability that was told, for the five best models."""
    drawn = [(row, of) for row, of in zip(board.rows, board.views.reliability, strict=False) if of is not None][:5]
    if not drawn:
        raise RequestError(f"'{board.task}' on '{board.panel}' has no calibration to draw: its records are older")
    figure.set_size_inches(WIDE * 0.6, WIDE * 0.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", lw=0.8)
    for row, of in drawn:
        axes.plot([b.predicted for b in of.bins], [b.observed for b in of.bins], "o-", ms=3, lw=1, label=row.label)
    axes.set_xlabel(f"probability of {board.views.event or 'the event'}")
    axes.set_ylabel("share that happened")
    axes.legend(frameon=False, fontsize="small")


def _curves(board: Board, figure: Any) -> None:
    """Perplexity by the number of training persons."""
    if not board.views.curves:
        raise RequestError(f"'{board.task}' on '{board.panel}' has no learning curve: harness run --train-persons N")
    figure.set_size_inches(WIDE * 0.8, WIDE * 0.5)
    axes = figure.subplots()
    for curve in board.views.curves:
        x, y = [p.train_persons for p in curve.points], [p.perplexity.value for p in curve.points]
        spread = [[p.perplexity.value - p.perplexity.low for p in curve.points]]
        spread += [[p.perplexity.high - p.perplexity.value for p in curve.points]]
        axes.errorbar(x, y, yerr=spread, marker="o", ms=3, lw=1, capsize=2, label=curve.label)
    axes.set_xscale("log")
    axes.set_xlabel("training persons")
    axes.set_ylabel("perplexity, 95% interval")
    axes.legend(frameon=False, fontsize="small")


def _cost(board: Board, figure: Any) -> None:
    """Perplexity by the seconds of fit and scoring; the line joins models that none is both quicker and better than."""
    pairs = zip(board.rows, board.views.seconds, strict=False)
    known = [(row, seconds) for row, seconds in pairs if seconds is not None and seconds > 0]
    if not known:
        raise RequestError(f"'{board.task}' on '{board.panel}' has no model that was run here")
    figure.set_size_inches(WIDE * 0.8, WIDE * 0.5)
    axes = figure.subplots()
    for row, seconds in known:
        axes.plot([seconds], [row.perplexity.value], "o", color="0.35", ms=4)
        axes.annotate(row.label, (seconds, row.perplexity.value), xytext=(4, 3), textcoords="offset points", fontsize=7)
    front = [(board.views.seconds[i], board.rows[i].perplexity.value) for i in board.views.frontier]
    axes.plot([x for x, _ in front], [y for _, y in front], color="C0", lw=1)
    axes.set_xscale("log")
    axes.set_xlabel("seconds, fit and score")
    axes.set_ylabel("perplexity")


KINDS: dict[str, Callable[[Board, Any], None]] = {
    "forest": _forest,
    "reliability": _reliability,
    "curves": _curves,
    "cost": _cost,
}
