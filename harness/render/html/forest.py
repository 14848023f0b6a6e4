"""Perplexities with their intervals, and how far each model is behind the first, one line a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, log
from statistics import median

from harness.boards.board import Board, Row
from harness.render.boards.notes import resampled
from harness.render.boards.table import NONE
from harness.render.html.figures import numbers
from harness.render.html.markup import Markup, element, join
from harness.render.html.scales import Scale, around, labelled
from harness.render.html.svg import minus, percent, picture, signed
from harness.stats.inference import Estimate
from harness.system.words import counted

DRAWN = 24  # rows of a figure with a line each
PITCH = 26  # pixels from one line to the next; the style sheet's rows of labels have the same
AXIS = 22
KINDS = {
    "best": "in the 95% model confidence set. ",
    "truth": "knows the true probabilities. ",
    "aside": "an ensemble of finished runs, out of competition. ",
}
FAR = 4.0  # a model this many times as far behind the best as the median one would leave the others no room


def near(rows: Sequence[Row]) -> list[Row]:
    """Rows that a scale is made for: others are so far off that they would hide what is between these."""
    drawn = within([row.perplexity for row in rows])
    return [row for row, close in zip(rows, drawn, strict=True) if close]


def within(perplexities: Sequence[Estimate]) -> list[bool]:
    """True of perplexities that a scale has room for: up to ``FAR`` times as far from the lowest as the median one."""
    best = min(perplexities, key=lambda p: p.value)
    if best.has_error and not isfinite(best.high):
        return [False] * len(perplexities)
    behind = [log(p.value / best.value) for p in perplexities]
    interval = 2 * log(best.high / best.value) if best.has_error else 0.0
    limit = max(FAR * median(behind), interval, 0.01)
    return [far <= limit and (isfinite(p.high) or not p.has_error) for far, p in zip(behind, perplexities, strict=True)]


def perplexity_text(value: float) -> str:
    """As in the table: two decimals, and more where perplexity is near its floor of one."""
    if value >= 3:
        return f"{value:,.2f}"
    return f"{value:.4f}"


def ends(estimate: Estimate, text: Callable[[float], str]) -> list[str]:
    """The two ends of the interval; dashes where there is none to be had."""
    return [text(estimate.low), text(estimate.high)] if estimate.has_error else [NONE, NONE]


def marks(row: Row) -> str | None:
    """The class of a row wherever it is drawn: in the confidence set, knowing the truth, or else out of competition."""
    if row.in_confidence_set:
        return "best"
    if row.knows_truth:
        return "truth"
    return "aside" if row.rank is None else None


def best_of(rows: Sequence[Row]) -> Row:
    """The best model: the first that competes, or the first at all where none does."""
    return next((row for row in rows if row.rank is not None), rows[0])


def forest(board: Board, id: str) -> Markup | None:
    """The figure: two panels side by side, and what they show as a table. None where no interval is finite.

    Rows that nobody here checked are not drawn: a made-up one would leave no room to the others.
    """
    rows = board.checked[:DRAWN]
    if not rows:
        return None
    kept = near(rows)
    if not kept or not kept[0].perplexity.has_error:
        return None
    scale = around([v for r in kept for v in (r.perplexity.low, r.perplexity.high)], log=True)
    first, worst = rows[0], rows[-1]
    panel = ForestPanel(
        id=f"{id}/perplexity",
        heading=("Perplexity ", "lower is better"),
        title=f"Perplexity of {counted(len(rows), 'model')} with 95% intervals",
        description=f"{first.label} is lowest at {perplexity_text(first.perplexity.value)}, {worst.label} highest at "
        f"{perplexity_text(worst.perplexity.value)}. The figures stand in the table below.",
        estimate=lambda r: r.perplexity,
        text=lambda r: perplexity_text(r.perplexity.value),
    )
    panels = [panel.render(rows, scale, best_of(board.rows).perplexity.value)]
    gaps = [v for r in kept if r.behind is not None for v in (r.behind.low, r.behind.high)]
    if gaps:
        panels.append(_behind(board, rows, f"{id}/behind").render(rows, around([0.0, *gaps]), 0.0))
    return element(
        "figure",
        element("div", *panels, class_="forest"),
        element("figcaption", *_caption(board, len(rows), len(rows) - len(kept), bool(gaps))),
        _numbers(rows, bool(gaps)),
    )


def _behind(board: Board, rows: Sequence[Row], id: str) -> ForestPanel:
    best = best_of(board.rows)
    intervals = [row.behind for row in rows if row.behind is not None]
    told = sum(estimate.high < 0 or estimate.low > 0 for estimate in intervals)
    return ForestPanel(
        id=id,
        heading=("Against the best model ", "nats per transition, paired"),
        title=f"Log-likelihood per transition less that of {best.label}, with paired 95% intervals",
        description=f"In nats; below zero is worse. Of {len(intervals)} intervals {told} exclude zero. The figures "
        "stand in the table below.",
        estimate=lambda r: r.behind,
        text=lambda r: NONE if r.behind is None else signed(r.behind.value, 3),
    )


@dataclass(frozen=True, slots=True)
class ForestPanel:
    """One of the figure's two halves: its heading, its words, which estimate it draws and how that is written."""

    id: str
    heading: tuple[str, str]
    title: str
    description: str
    estimate: Callable[[Row], Estimate | None]
    text: Callable[[Row], str]

    def render(self, rows: Sequence[Row], scale: Scale, reference: float) -> Markup:
        """Names and figures at the left, intervals at the right, a dashed line at ``reference``."""
        lines = _lines(rows, self.estimate, scale, reference)
        return element(
            "div",
            element("h4", self.heading[0], element("small", self.heading[1])),
            _labels(rows, self.text),
            picture(self.id, self.title, self.description, lines, height=str(PITCH * len(rows) + AXIS)),
            class_="panel",
        )


def _labels(rows: Sequence[Row], figure: Callable[[Row], str]) -> Markup:
    """Names and figures at the left of a panel; the picture's words say the same to whoever hears the page."""
    items = [
        element(
            "li",
            element("span", row.label, title=row.label if len(row.label) > 24 else None),
            element("b", figure(row)),
            class_=marks(row),
        )
        for row in rows
    ]
    return element("ul", *items, aria_hidden="true")


def _lines(rows: Sequence[Row], of: Callable[[Row], Estimate | None], scale: Scale, reference: float) -> Markup:
    """One interval a row, at shares of the width, so that the picture widens without its text growing."""
    floor = PITCH * len(rows)
    parts = []
    for tick, text in labelled(scale, 5):
        x = percent(scale.at(tick))
        parts.append(element("line", class_="g", x1=x, x2=x, y1=0, y2=floor))
        parts.append(element("text", minus(text), class_="a", x=x, y=floor + 16, text_anchor="middle"))
    x = percent(scale.at(reference))
    parts.append(element("line", class_="r", x1=x, x2=x, y1=0, y2=floor))
    for i, row in enumerate(rows):
        parts.append(_line(row, of(row), scale, PITCH * i + PITCH // 2))
    return join(parts)


def _line(row: Row, estimate: Estimate | None, scale: Scale, y: int) -> Markup:
    if estimate is None:
        return Markup()
    at = scale.at(estimate.value)
    if at > 1:
        return element("text", "off the scale →", class_="o", x="100%", y=y + 4, text_anchor="end")
    if at < 0:
        return element("text", "← off the scale", class_="o", x="0", y=y + 4)
    low, high = percent(max(scale.at(estimate.low), 0)), percent(min(scale.at(estimate.high), 1))
    return element(
        "g",
        element("line", class_="i", x1=low, x2=high, y1=y, y2=y),
        element("circle", cx=percent(at), cy=y, r=5),
        class_=marks(row),
    )


def _caption(board: Board, drawn: int, off: int, paired: bool) -> list[str]:
    parts: list[str] = []
    for kind, meaning in KINDS.items():
        if any(marks(row) == kind for row in board.checked[:drawn]):
            parts += [element("span", class_=f"key {kind}"), meaning]
    parts.append(f"Lines are 95% intervals, {resampled(board).replace('`', '')}. ")
    if paired:
        parts.append(
            "All models face the same persons, so intervals at the left may overlap where the paired difference at the "
            "right is clear. "
        )
    if off:
        parts.append(f"{counted(off, 'model is', 'models are')} too far behind for the scale. ")
    if drawn < len(board.checked):
        parts.append(f"The best {drawn} of {len(board.checked)} models; the table has all.")
    return parts


def _numbers(rows: Sequence[Row], paired: bool) -> Markup:
    headings = ["model", "perplexity", "low", "high"]
    if paired:
        headings += ["against the best, nats", "low", "high", "p", "p, adjusted"]
    lines = []
    for row in rows:
        p = row.perplexity
        cells = [row.label, perplexity_text(p.value), *ends(p, perplexity_text)]
        if paired and row.behind is not None:
            b = row.behind
            of_four = partial(signed, digits=4)
            cells += [of_four(b.value), *ends(b, of_four), _p(b.p), _p(b.p_adjusted)]
        elif paired:
            cells += [NONE] * 5
        lines.append(cells)
    return numbers("Perplexity and paired differences, with 95% intervals", headings, lines)


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"
