"""Figures for a paper, drawn by matplotlib: of a board, of runs compared, of a forecast; as pdf, svg, pgf or png."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.boards.board import Board
from harness.boards.compare import Compared
from harness.errors import RequestError, did_you_mean, require_installed
from harness.render.boards.sections import seconds_heading
from harness.stats.inference import Estimate
from harness.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.28  # inches of a line of a forest
WIDE = 6.5  # inches: the text of a page
MOST = 5  # models whose calibration one figure can tell apart
QUICKEST = 0.01  # seconds that a record can tell from none, which has no place on a logarithmic axis
FORECAST = "forecast"
LOOK: dict[Any, Any] = {
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "harness",
}  # names are no formulas
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}  # so that the same figure is the same file
TEX = ("xelatex", "lualatex", "pdflatex")


def plot(board: Board, kind: str) -> Figure:
    """RequestError for an unknown kind, one that the board has nothing of, and without matplotlib."""
    if kind not in KINDS:
        raise RequestError(f"no figure is called '{kind}'; {did_you_mean(kind, [*KINDS, FORECAST])}")
    return _drawn(lambda figure: KINDS[kind](board, figure))


def plot_compared(compared: Sequence[Compared]) -> Figure:
    """Differences of runs from the first, as ``harness.boards.compare.compare`` gives them; errors as ``plot`` has."""
    lines = [(row.name, row.difference, bool(row.in_confidence_set)) for row in compared[1:]]
    return _drawn(lambda figure: _differences_of(lines, compared[0].name, figure))


def plot_forecast(report: Mapping[str, Any]) -> Figure:
    """Shares of the statuses by year, forecast and actual; report: as ``harness.forecasts.files.plain`` makes it."""
    from harness.render.forecast_plot import draw

    return _drawn(lambda figure: draw(report, figure))


def save(figure: Figure, file: Path) -> None:
    """Write a figure whole or not at all, as its name ends. RequestError for another ending; for pgf without TeX."""
    import matplotlib

    ending = require_ending(file)
    look = dict(LOOK)
    if ending == "pgf":
        found = [name for name in TEX if shutil.which(name)]
        if not found:
            raise RequestError(
                f"{file}: a pgf figure is measured by xelatex, lualatex or pdflatex, and none is here; write a pdf"
            )
        look["pgf.texsystem"] = found[0]
    drawn = io.BytesIO()
    with matplotlib.rc_context(look):
        figure.savefig(drawn, format=ending, dpi=200, metadata=UNDATED.get(ending))
    write_atomically(file, drawn.getvalue())


def require_ending(file: Path) -> str:
    """The form of a file, by how its name ends. RequestError where that is none of pdf, svg, pgf and png."""
    ending = file.suffix.removeprefix(".")
    if ending not in ("pdf", "svg", "pgf", "png"):
        raise RequestError(f"{file}: a figure's name ends in .pdf, .svg, .pgf or .png")
    return ending


def _drawn(draw: Callable[[Any], None]) -> Figure:
    try:
        import matplotlib

        from harness.render.figure import PaperFigure
    except ImportError:
        require_installed("a figure", ("matplotlib",))
        raise
    with matplotlib.rc_context(LOOK):
        figure = PaperFigure(layout="constrained")
        draw(figure)
    return figure


def _bar(axes: Any, y: int, estimate: Estimate, color: str) -> None:
    axes.plot([estimate.low, estimate.high], [y, y], color=color, lw=1.2)
    axes.plot([estimate.value], [y], "o", color=color, ms=3.5)


def _color(best: bool) -> str:
    return "C0" if best else "0.35"


def _names(axes: Any, names: Sequence[str]) -> None:
    """A line each, from the top."""
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set_ylim(len(names) - 0.4, -0.6)


def _plain(axis: Any, limits: tuple[float, float]) -> None:
    """Numbers on a logarithmic axis, not too many: its powers of ten alone where it spans four or more."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    low, high = min(limits), max(limits)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        ticks = [step * 10.0**power for power in decades for step in steps if low <= step * 10.0**power <= high]
        if len(ticks) > 3:
            break
    else:
        ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:.3g}")


def _forest(board: Board, figure: Any) -> None:
    """Perplexities with 95% intervals, and paired differences from the best model."""
    rows = [row for row in board.rows if row.perplexity.has_error and not row.unchecked]
    if not rows:
        raise RequestError(f"'{board.task}' on '{board.panel}' has no model with an interval to draw")
    figure.set_size_inches(WIDE, 1.0 + ROW * len(rows))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for y, row in enumerate(rows):
        for axes, estimate in ((left, row.perplexity), (right, row.behind)):
            if estimate is not None:
                _bar(axes, y, estimate, _color(row.in_confidence_set))
    _names(left, [row.label for row in rows])
    left.set_xlabel("perplexity, 95% interval", fontsize="small")
    left.set_xscale("log")
    _plain(left.xaxis, left.get_xlim())
    right.axvline(0.0, color="0.7", lw=0.8)
    right.set_xlabel("ln L less the best's, nats", fontsize="small")
    left.set_title(f"{board.panel}: {board.task}", loc="left", fontsize="medium")


def _differences(board: Board, figure: Any) -> None:
    """Paired differences from the best model, in nats per transition."""
    best = next((row for row in board.rows if row.rank == 1), None)
    lines = [(row.label, row.behind, row.in_confidence_set) for row in board.rows if not row.unchecked]
    _differences_of([line for line in lines if line[1] is not None], best.label if best else "the best", figure)


def _differences_of(lines: Sequence[tuple[str, Estimate | None, bool]], first: str, figure: Any) -> None:
    told = [(name, gap, best) for name, gap, best in lines if gap is not None and gap.has_error]
    if not told:
        raise RequestError("a figure of differences needs two models or more, with an interval each")
    figure.set_size_inches(WIDE * 0.8, 1.0 + ROW * len(told))
    axes = figure.subplots()
    for y, (_, gap, best) in enumerate(told):
        _bar(axes, y, gap, _color(best))
    _names(axes, [name for name, _, _ in told])
    axes.axvline(0.0, color="0.7", lw=0.8)
    axes.set_title(f"log-likelihood per transition less that of {first}", fontsize="small", loc="left")
    axes.set_xlabel("nats, 95% interval", fontsize="small")


def _reliability(board: Board, figure: Any) -> None:
    """The share that happened by the probability that was told, for the five best models."""
    pairs = zip(board.rows, board.views.reliability, strict=False)
    drawn = [(row, of) for row, of in pairs if of is not None][:MOST]
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


def _learning(board: Board, figure: Any) -> None:
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
    _plain(axes.xaxis, axes.get_xlim())
    axes.set_xlabel("training persons")
    axes.set_ylabel("perplexity, 95% interval")
    axes.legend(frameon=False, fontsize="small")


def _frontier(board: Board, figure: Any) -> None:
    """Perplexity by the seconds of fit and scoring; the line joins models that none is both quicker and better than."""
    pairs = zip(board.rows, board.views.seconds, strict=False)
    known = [(row, max(seconds, QUICKEST)) for row, seconds in pairs if seconds is not None]
    if not known:
        raise RequestError(f"'{board.task}' on '{board.panel}' has no model that was run here")
    figure.set_size_inches(WIDE * 0.8, WIDE * 0.5)
    axes = figure.subplots()
    for row, seconds in known:
        axes.plot([seconds], [row.perplexity.value], "o", color="0.35", ms=4)
        axes.annotate(row.label, (seconds, row.perplexity.value), xytext=(4, 3), textcoords="offset points", fontsize=7)
    front = [
        (max(board.views.seconds[i] or 0.0, QUICKEST), board.rows[i].perplexity.value) for i in board.views.frontier
    ]
    axes.plot([x for x, _ in front], [y for _, y in front], color="C0", lw=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(x=0.15, y=0.15)
    _plain(axes.xaxis, axes.get_xlim())
    _plain(axes.yaxis, axes.get_ylim())
    axes.set_xlabel(f"{seconds_heading(board)}, fit and score")
    axes.set_ylabel("perplexity")


KINDS: dict[str, Callable[[Board, Any], None]] = {
    "forest": _forest,
    "differences": _differences,
    "reliability": _reliability,
    "learning": _learning,
    "frontier": _frontier,
}
