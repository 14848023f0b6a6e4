"""Parts of plots: a frame with two axes, a picture with its words, and labels that do not lie on one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.render.html.markup import Markup, element, join
from harness.render.html.scales import Scale, labelled

MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot of ``width`` x ``height`` units (pixels on a narrow screen) with room for axes at left and below."""

    x: Scale
    y: Scale
    width: float
    height: float
    left: float = 44
    right: float = 12
    top: float = 12
    bottom: float = 40

    def px(self, value: float) -> float:
        return self.left + self.x.at(value) * (self.width - self.left - self.right)

    def py(self, value: float) -> float:
        """Downwards, as SVG counts, so that larger figures stand higher."""
        return self.height - self.bottom - self.y.at(value) * (self.height - self.top - self.bottom)

    def axes(self, x_title: str, y_title: str, most: int = 6) -> Markup:
        """Grid lines, the figures beside them and what these are."""
        floor, end = self.height - self.bottom, self.width - self.right
        parts = []
        for tick, text in labelled(self.y, most):
            y = self.py(tick)
            parts.append(element("line", class_="g", x1=px(self.left), x2=px(end), y1=px(y), y2=px(y)))
            parts.append(element("text", text, class_="a", x=px(self.left - 6), y=px(y + 3.5), text_anchor="end"))
        for tick, text in labelled(self.x, most):
            x = self.px(tick)
            parts.append(element("line", class_="g", x1=px(x), x2=px(x), y1=px(self.top), y2=px(floor)))
            parts.append(element("text", text, class_="a", x=px(x), y=px(floor + 15), text_anchor="middle"))
        middle, centre = (self.left + end) / 2, (self.top + floor) / 2
        if x_title:
            parts.append(
                element("text", x_title, class_="t", x=px(middle), y=px(self.height - 5), text_anchor="middle")
            )
        if y_title:
            turn = f"translate(11 {px(centre)}) rotate(-90)"
            parts.append(element("text", y_title, class_="t", transform=turn, text_anchor="middle"))
        return join(parts)

    def line(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        """A line through points, in figures."""
        path = "L".join(f"{px(self.px(x))} {px(self.py(y))}" for x, y in points)
        return element("path", class_=class_, d=f"M{path}")

    def picture(self, id: str, title: str, description: str, *content: str) -> Markup:
        return picture(id, title, description, join(content), viewBox=f"0 0 {self.width:g} {self.height:g}")


def px(value: float) -> str:
    """A coordinate to a tenth of a pixel, as short as can be."""
    return f"{round(value, 1):g}"


def percent(share: float) -> str:
    """A coordinate as a share of the width, to a thousandth."""
    return f"{round(100 * share, 1):g}%"


def minus(text: str) -> str:
    """A figure whose sign, if it begins with one, is a minus and no hyphen."""
    return MINUS + text[1:] if text[:1] == "-" and text[1:2].isdigit() else text


def signed(value: float, digits: int) -> str:
    """A difference with its sign, a true minus, and no sign where it rounds to zero."""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return ("+" if value > 0 else MINUS) + text


def picture(id: str, title: str, description: str, content: Markup, **attributes: str) -> Markup:
    """An image to whoever cannot see it: ``title`` its name, ``description`` what it shows."""
    words = join(
        [element("title", title, id=f"{id}-title"), element("desc", description, id=f"{id}-desc")],
    )
    named = {"aria_labelledby": f"{id}-title", "aria_describedby": f"{id}-desc"}
    return element("svg", words, content, role="img", **named, **attributes)


def shortened(text: str, most: int) -> str:
    """At most so many characters: SVG breaks no lines."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least ``gap`` apart, near those wanted and in their order; where there is room, from low to high."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    placed = list(wanted)
    floor = low
    for i in order:
        placed[i] = floor = max(wanted[i], floor)
        floor += gap
    ceiling = high
    for i in reversed(order):
        placed[i] = ceiling = min(placed[i], ceiling)
        ceiling -= gap
    return placed
