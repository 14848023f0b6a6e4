"""The numbers that a plot draws, as a table that opens under it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.render.html.markup import Markup, element


def numbers(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """The plotted numbers. The first column names the row."""
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    table = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("details", element("summary", "The numbers"), scroller(table, caption), class_="numbers")


def scroller(table: Markup, label: str, class_: str = "scroll") -> Markup:
    """A frame that scrolls where the table is wider or longer than the screen, by keys as well."""
    return element("div", table, class_=class_, tabindex=0, role="group", aria_label=label)
