"""Calibration: the probability that a model gave beside the share that happened, a small picture a model."""

from __future__ import annotations

from harness.boards.board import Board, Row
from harness.boards.views import Bin, Reliability
from harness.render.boards.table import NONE, label_cell
from harness.render.html.figures import numbers
from harness.render.html.markup import Markup, element
from harness.render.html.scales import Scale
from harness.render.html.svg import Frame, px, signed

DRAWN = 12
SIZE = 168.0


def reliability(board: Board, id: str) -> Markup | None:
    """Small multiples of the best models that have probabilities of an event; None where none has."""
    pairs = zip(board.rows, board.views.reliability, strict=False)
    known = [(i, row, curve) for i, (row, curve) in enumerate(pairs) if curve is not None and curve.bins]
    if not known:
        return None
    drawn = known[:DRAWN]
    most = max(max(b.predicted, b.observed) for _, _, curve in drawn for b in curve.bins)
    scale = Scale(0.0, min(1.0, most * 1.04) if most > 0 else 1.0)
    pictures = [element("li", _picture(scale, f"{id}/reliability-{i}", row, curve)) for i, row, curve in drawn]
    caption = (
        f"Across: the probability given to {board.views.event}; upwards: the share of times that it happened, in bins "
        "of equally many transitions. On the dashed line the two agree; below it probabilities are too high, above it "
        "too low. Slope and intercept are those of a logit of what happened on the log-odds of what was said; error is "
        "the expected calibration error."
    )
    if len(drawn) < len(known):
        caption += f" The best {len(drawn)} of {len(known)} models are drawn; the ranking has every model's figures."
    lines = [
        [label_cell(row), f"{k}", f"{b.counted:,.0f}", f"{b.predicted:.4f}", f"{b.observed:.4f}"]
        for _, row, curve in drawn
        for k, b in enumerate(curve.bins, start=1)
    ]
    headings = ["model", "bin", "transitions", "predicted", "observed"]
    table = numbers("Predicted and observed, by bin", headings, lines)
    return element("figure", element("ul", *pictures, class_="multiples"), element("figcaption", caption), table)


def _picture(scale: Scale, id: str, row: Row, curve: Reliability) -> Markup:
    frame = Frame(scale, scale, SIZE, SIZE, left=30, right=8, top=8, bottom=22)
    points = [(b.predicted, b.observed) for b in curve.bins]
    figures = _figures(curve)
    picture = frame.picture(
        id,
        f"Reliability of {label_cell(row)}",
        f"{', '.join(f'{term} {value}' for term, value in figures)}. {_worst(curve.bins)}",
        frame.axes("", "", most=4),
        frame.line([(scale.low, scale.low), (scale.high, scale.high)], "r"),
        frame.line(points, "l"),
        *(element("circle", cx=px(frame.px(x)), cy=px(frame.py(y)), r=3) for x, y in points),
    )
    terms = [element("div", element("dt", term), element("dd", value)) for term, value in figures]
    return Markup(element("h4", label_cell(row)) + picture + element("dl", *terms))


def _worst(bins: tuple[Bin, ...]) -> str:
    worst = max(bins, key=lambda b: abs(b.observed - b.predicted))
    return f"Where it is furthest off it says {worst.predicted:.3f} and {worst.observed:.3f} happened."


def _figures(curve: Reliability) -> list[tuple[str, str]]:
    return [
        ("slope", NONE if curve.slope is None else f"{curve.slope:.2f}"),
        ("intercept", NONE if curve.intercept is None else signed(curve.intercept, 2)),
        ("error", NONE if curve.error is None else f"{curve.error:.4f}"),
    ]
