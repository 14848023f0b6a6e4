"""Perplexities with their intervals, and how far each model is behind the first, one line a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from statistics import median

from harness.inference import Estimate
from harness.leaderboard import Board, Row
from harness.render.html.figures import numbers
from harness.render.html.markup import Markup, element, join
from harness.render.html.scales import Scale, around, labelled
from harness.render.html.svg import minus, percent, picture, signed
from harness.render.table import NONE

DRAWN = 24  # rows of a figure with a line each
PITCH = 26  # pixels from one line to the next; the style sheet's rows of labels have the same
AXIS = 22
FAR = 4.0  # a model this many times as far behind the best as the median one would leave the others no room
Coordinate = Callable[[Row], Estimate | None]


def near(rows: Sequence[Row]) -> list[Row]:
    """Rows that a scale is made for: others are so far off that they would hide what is between these."""
    best = rows[0].perplexity
    behind = [log(row.perplexity.value / best.value) for row in rows]
    limit = max(FAR * median(behind), 2 * log(best.high / best.value), 0.01)
    return [row for row, far in zip(rows, behind, strict=True) if far <= limit]


def perplexity_text(value: float) -> str:
    """As in the table: two decimals, and more where perplexity is near its floor of one."""
    if value >= 3:
        return f"{value:,.2f}"
    return f"{value:.4f}"


def marks(row: Row) -> str:
    """The classes of a row wherever it is drawn: in the confidence set, knowing the truth."""
    return " ".join(name for name, holds in (("best", row.in_confidence_set), ("truth", row.knows_truth)) if holds)


def forest(board: Board, id: str) -> Markup:
    """The figure: two panels side by side, and what they show as a table."""
    rows = board.rows[:DRAWN]
    kept = near(rows)
    perplexity = around([v for r in kept for v in (r.perplexity.low, r.perplexity.high)], log=True)
    first = rows[0]
    title = f"Perplexity of {len(rows)} models with 95% intervals"
    worst = rows[-1]
    description = (
        f"{first.label} is lowest at {perplexity_text(first.perplexity.value)}, {worst.label} highest at "
        f"{perplexity_text(worst.perplexity.value)}. The figures stand in the table below."
    )
    left = _lines(rows, lambda r: r.perplexity, perplexity, first.perplexity.value)
    panels = [
        element(
            "div",
            element("h4", "Perplexity ", element("small", "lower is better")),
            _labels(rows, lambda r: perplexity_text(r.perplexity.value)),
            picture(f"{id}/perplexity", title, description, left, height=str(PITCH * len(rows) + AXIS)),
            class_="panel",
        )
    ]
    gaps = [v for r in kept if r.behind is not None for v in (r.behind.low, r.behind.high)]
    if gaps:
        panels.append(_behind(rows, around([0.0, *gaps]), id))
    return element(
        "figure",
        element("div", *panels, class_="forest"),
        element("figcaption", *_caption(board, len(rows), len(rows) - len(kept), bool(gaps))),
        _numbers(rows, bool(gaps)),
    )


def _behind(rows: Sequence[Row], scale: Scale, id: str) -> Markup:
    first = rows[0]
    title = f"Log-likelihood per transition less that of {first.label}, with paired 95% intervals"
    told = sum(r.behind is not None and not r.behind.low <= 0 <= r.behind.high for r in rows)
    description = (
        f"In nats; below zero is worse. The interval of {told} of {len(rows) - 1} models excludes zero. The figures "
        "stand in the table below."
    )

    def text(row: Row) -> str:
        return NONE if row.behind is None else signed(row.behind.value, 3)

    content = _lines(rows, lambda r: r.behind, scale, 0.0)
    return element(
        "div",
        element("h4", "Behind the first ", element("small", "nats per transition, paired")),
        _labels(rows, text),
        picture(f"{id}/behind", title, description, content, height=str(PITCH * len(rows) + AXIS)),
        class_="panel",
    )


def _labels(rows: Sequence[Row], figure: Callable[[Row], str]) -> Markup:
    """Names and figures at the left of a panel; the picture's words say the same to whoever hears the page."""
    items = [
        element(
            "li",
            element("span", row.label, title=row.label if len(row.label) > 24 else None),
            element("b", figure(row)),
            class_=marks(row) or None,
        )
        for row in rows
    ]
    return element("ul", *items, aria_hidden="true")


def _lines(rows: Sequence[Row], of: Coordinate, scale: Scale, reference: float) -> Markup:
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
        class_=marks(row) or None,
    )


def _caption(board: Board, drawn: int, off: int, paired: bool) -> list[str]:
    parts: list[str] = []
    if any(row.in_confidence_set for row in board.rows):
        parts.append(element("span", class_="key best"))
        parts.append("in the 95% model confidence set. ")
    if any(row.knows_truth for row in board.rows[:drawn]):
        parts.append(element("span", class_="key truth"))
        parts.append("knows the true probabilities. ")
    parts.append("Lines are 95% intervals, persons resampled. ")
    if paired:
        parts.append(
            "All models face the same persons, so intervals at the left may overlap where the paired difference at the "
            "right is clear. "
        )
    if off:
        parts.append(f"{off} {'model is' if off == 1 else 'models are'} too far behind for the scale. ")
    if drawn < len(board.rows):
        parts.append(f"The best {drawn} of {len(board.rows)} models; the table has all.")
    return parts


def _numbers(rows: Sequence[Row], paired: bool) -> Markup:
    headings = ["model", "perplexity", "low", "high"]
    if paired:
        headings += ["behind the first, nats", "low", "high", "p", "p, adjusted"]
    lines = []
    for row in rows:
        p = row.perplexity
        cells = [row.label, *map(perplexity_text, (p.value, p.low, p.high))]
        if paired and row.behind is not None:
            b = row.behind
            cells += [signed(b.value, 4), signed(b.low, 4), signed(b.high, 4), _p(b.p), _p(b.p_adjusted)]
        elif paired:
            cells += [NONE] * 5
        lines.append(cells)
    return numbers("Perplexity and paired differences, with 95% intervals", headings, lines)


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"
