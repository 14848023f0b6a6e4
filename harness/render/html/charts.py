"""Learning curves, and perplexity against what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from harness.boards.board import Board, Row
from harness.boards.views import Curve
from harness.render.boards.sections import clock_note, seconds_heading
from harness.render.boards.table import NONE
from harness.render.html.figures import numbers
from harness.render.html.forest import ends, marks, near, perplexity_text, within
from harness.render.html.markup import Markup, element, join, name
from harness.render.html.scales import Scale, around
from harness.render.html.svg import Frame, apart, px, shortened
from harness.system.words import counted

CURVES = 8  # as many as eyes and the palette can tell from one another
LEAST_SECONDS = 0.01  # what is measured: a logarithmic axis has no place for zero
DODGE = 2.5  # pixels from one curve to the next
LETTERS = 24  # of a name beside a point
WIDTH, HEIGHT = 430.0, 310.0


def cost(board: Board, id: str) -> Markup | None:
    """Perplexity against seconds of fitting and scoring, and the models that no cheaper one is better than.

    None where no row has a cost.
    """
    seconds = board.views.seconds
    timed = [i for i, value in enumerate(seconds) if value is not None]
    if not timed:
        return None
    kept = near([board.rows[i] for i in timed])
    spent = {i: max(value, LEAST_SECONDS) for i, value in enumerate(seconds) if value is not None}
    drawn = [i for i in timed if board.rows[i] in kept]
    if not drawn:
        return None
    frame = Frame(
        around([spent[i] for i in drawn], log=True, margin=0.06),
        _with_room_below(around([board.rows[i].perplexity.value for i in drawn], log=True, margin=0.07)),
        WIDTH,
        HEIGHT,
    )
    frontier = [i for i in board.views.frontier if i in drawn]
    names = ", ".join(board.rows[i].label for i in board.views.frontier)
    picture = frame.picture(
        f"{id}/cost/plot",
        f"Perplexity of {counted(len(drawn), 'model')} against their {seconds_heading(board)} of fitting and scoring",
        f"On the frontier, cheapest first: {names}. The figures stand in the table below.",
        frame.axes(f"{seconds_heading(board)} to fit and score", "perplexity"),
        _staircase(frame, [(spent[i], board.rows[i].perplexity.value) for i in frontier]),
        *(_point(frame, board.rows[i], spent[i], i in board.views.frontier) for i in drawn),
        *_names(frame, [(board.rows[i], spent[i]) for i in frontier]),
    )
    return element(
        "figure",
        picture,
        element("figcaption", *_cost_caption(board, len(timed) - len(drawn))),
        _cost_numbers(board, timed),
        class_="chart",
    )


def _with_room_below(scale: Scale) -> Scale:
    """An eighth longer at the low end, where the names of the best models stand."""
    return Scale(scale.low / (scale.high / scale.low) ** 0.125, scale.high, log=True)


def _staircase(frame: Frame, points: Sequence[tuple[float, float]]) -> Markup:
    """The lowest perplexity that so many seconds buy: level from one point of the frontier to the next."""
    if len(points) < 2:
        return Markup()
    path = f"M{px(frame.px(points[0][0]))} {px(frame.py(points[0][1]))}"
    for x, y in points[1:]:
        path += f"H{px(frame.px(x))}V{px(frame.py(y))}"
    return element("path", class_="f", d=path)


def _point(frame: Frame, row: Row, seconds: float, on_frontier: bool) -> Markup:
    classes = " ".join(filter(None, [marks(row), "on" if on_frontier else None]))
    return element(
        "circle", class_=classes or None, cx=px(frame.px(seconds)), cy=px(frame.py(row.perplexity.value)), r=5
    )


def _names(frame: Frame, points: Sequence[tuple[Row, float]]) -> list[Markup]:
    """Below and to the left of the frontier no model can be: that is where its names have room."""
    heights = apart([frame.py(row.perplexity.value) + 16 for row, _ in points], 12, 0, frame.height - frame.bottom - 4)
    made = []
    for (row, seconds), y in zip(points, heights, strict=True):
        x, text = frame.px(seconds), shortened(row.label, LETTERS)
        start = x - 6.2 * len(text) - 7 < frame.left
        at = max(x - 5, frame.left + 4) if start else x - 7
        made.append(element("text", text, class_="n", x=px(at), y=px(y), text_anchor=None if start else "end"))
    return made


def _cost_caption(board: Board, off: int) -> list[str]:
    parts: list[str] = ["The line is the frontier: "]
    names = [name(board.rows[i].label) for i in board.views.frontier[:CURVES]]
    parts.append(join(names, " → "))
    if len(board.views.frontier) > CURVES:
        parts.append(" → …")
    parts.append(". No other model is both cheaper and better. Seconds are those of the machine that each ran on. ")
    if told := clock_note(board):
        parts.append(f"{told} ")
    if off:
        parts.append(f"{counted(off, 'model is', 'models are')} too far behind for the scale. ")
    return parts


def _cost_numbers(board: Board, timed: Sequence[int]) -> Markup:
    lines = []
    for i in timed:
        row, seconds = board.rows[i], board.views.seconds[i]
        place = "yes" if i in board.views.frontier else NONE
        lines.append([row.label, f"{seconds:,.2f}", perplexity_text(row.perplexity.value), place])
    measure = "s" if board.views.by_clock is None else "processor s"
    headings = ["model", f"fit and score, {measure}", "perplexity", "on the frontier"]
    return numbers("Seconds and perplexity", headings, lines)


def learning(board: Board, id: str) -> Markup | None:
    """Perplexity against how many training persons a model was fitted on; None where no model has two sizes."""
    curves = [
        curve
        for curve in board.views.curves
        if len(curve.points) > 1 and all(isfinite(point.perplexity.high) for point in curve.points)
    ]
    if not curves:
        return None
    close = within([curve.points[-1].perplexity for curve in curves])
    kept = [curve for curve, is_close in zip(curves, close, strict=True) if is_close]
    drawn = sorted(kept, key=lambda c: (c.points[-1].perplexity.value, c.label))[:CURVES]
    points = [point for curve in drawn for point in curve.points]
    scale = around([float(point.train_persons) for point in points], log=True)
    frame = Frame(scale, _heights(drawn), WIDTH, HEIGHT, right=130)
    heights = [frame.py(curve.points[-1].perplexity.value) + 4 for curve in drawn]
    places = apart(heights, 13, 16, HEIGHT - 44)
    most = max(point.train_persons for point in points)
    picture = frame.picture(
        f"{id}/learning/plot",
        f"Perplexity of {counted(len(drawn), 'model')} against the number of training persons",
        f"With {counted(most, 'person')} {drawn[0].label} is lowest. The figures stand in the table below.",
        frame.axes("training persons", "perplexity", most=5),
        *(
            _curve(frame, curve, i=i, label=places[i], aside=DODGE * (i - (len(drawn) - 1) / 2))
            for i, curve in enumerate(drawn)
        ),
    )
    caption = (
        "The same held-out persons throughout; fewer training persons are a part of more. Lines are 95% "
        "intervals; curves stand a little aside of one another so that these can be seen."
    )
    if len(drawn) < len(curves):
        caption += f" The best {len(drawn)} of {len(curves)} models are drawn; the others are many, or too far behind."
    lines = [
        [curve.label, f"{p.train_persons:,}", perplexity_text(e.value), *ends(e, perplexity_text)]
        for curve in curves
        for p in curve.points
        for e in [p.perplexity]
    ]
    headings = ["model", "training persons", "perplexity", "low", "high"]
    table = numbers("Perplexity by training persons, with 95% intervals", headings, lines)
    return element("figure", picture, element("figcaption", caption), table, class_="chart wide")


def _heights(drawn: Sequence[Curve]) -> Scale:
    """Room for every curve's figures, and for the intervals as far as they do not flatten the curves."""
    values = [p.perplexity.value for curve in drawn for p in curve.points]
    return around(values, log=True, margin=0.12)


def _curve(frame: Frame, curve: Curve, i: int, label: float, aside: float) -> Markup:
    """Curve i, its name at the height ``label``; moved aside so that intervals do not lie on one another."""
    points = [(float(p.train_persons), p.perplexity.value) for p in curve.points]
    top, floor = frame.top, frame.height - frame.bottom
    parts = [frame.line(points, "l")]
    for p in curve.points:
        x = px(frame.px(p.train_persons))
        y1, y2 = max(frame.py(p.perplexity.high), top), min(frame.py(p.perplexity.low), floor)
        parts.append(element("line", class_="i", x1=x, x2=x, y1=px(y1), y2=px(y2)))
        parts.append(element("circle", cx=x, cy=px(frame.py(p.perplexity.value)), r=4))
    end = frame.px(points[-1][0])
    parts.append(
        element("text", shortened(curve.label, 19), class_="n", x=px(end + 8 + DODGE * CURVES / 2 - aside), y=px(label))
    )
    return element("g", *parts, class_=f"c{i}", transform=f"translate({px(aside)} 0)")
