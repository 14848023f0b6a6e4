"""Tables of slices: perplexity by level, tinted where a model is told from the board's first."""

from __future__ import annotations

from harness.boards.board import Board
from harness.boards.views import FEW, Level, Slice
from harness.render.boards.table import NONE, label_cell
from harness.render.html.figures import scroller
from harness.render.html.markup import Markup, element, identifier, name, unique
from harness.stats.inference import Estimate
from harness.system.words import counted

STEPS = (0.01, 0.03, 0.1, 0.3)  # nats per transition from which a tint is one step deeper


def slices(board: Board, id: str) -> Markup | None:
    """A table a slice, each of which opens; the first is open. None where no record has slices."""
    if not board.views.slices:
        return None
    ids = unique(f"{id}/{identifier(part.dimension)}" for part in board.views.slices)
    parts = [_table(board, part, ids[i], i == 0) for i, part in enumerate(board.views.slices)]
    return element("div", _legend(board), *parts)


def _legend(board: Board) -> Markup:
    """A legend of the tints; they are signs as well, so that no reader needs colour."""
    at = board.views.reference
    worse = [element("span", f"{100 * step:g}%", class_=f"w{k}") for k, step in enumerate(STEPS, start=1)]
    better = [element("span", f"{100 * step:g}%", class_=f"u{k}") for k, step in enumerate(STEPS, start=1)]
    return element(
        "p",
        "Perplexity of each model on a part of the transitions. Tinted where the paired 95% interval against ",
        "the board’s best model" if at is None else name(board.rows[at].label),
        " excludes zero there. Worse than it by more than ",
        element("span", *worse, class_="legend"),
        " or better by more than ",
        element("span", *better, class_="legend"),
        f". A dash: fewer than {FEW} persons, or a record that is older than slices.",
        class_="note",
    )


def _table(board: Board, part: Slice, id: str, is_open: bool) -> Markup:
    rows = board.rows[: min((len(level.perplexity) for level in part.levels), default=0)]
    caption = f"Perplexity by {part.dimension}"
    if len(rows) < len(board.rows):
        caption += f", the best {len(rows)} of {len(board.rows)} models"
    heads = [element("th", "model", scope="col"), *map(_head, part.levels)]
    body = [
        element(
            "tr",
            element("th", label_cell(row), scope="row", class_="best" if row.in_confidence_set else None),
            *_cells(part, i),
        )
        for i, row in enumerate(rows)
    ]
    table = element(
        "table",
        element("caption", caption, class_="hidden"),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
        class_="heat",
    )
    few = len(part.levels)
    summary = element("summary", element("b", part.dimension), element("small", f" {counted(few, 'part')}"))
    return element("details", summary, scroller(table, caption), id=id, open=is_open, class_="slice")


def _head(level: Level) -> Markup:
    count = f"{counted(level.transitions, 'transition')} of {counted(level.persons, 'person')}"
    return element("th", level.name, element("small", count), scope="col")


def _cells(part: Slice, i: int) -> list[Markup]:
    """The cells of model ``i``, one a level."""
    made = []
    for level in part.levels:
        perplexity, behind = level.perplexity[i], level.behind[i]
        text = NONE if perplexity is None else _short(perplexity.value)
        made.append(element("td", text, class_=tint(behind)))
    return made


def _short(value: float) -> str:
    """Three significant digits, at most: differences are told by tints, not by decimals."""
    return f"{value:.3f}" if value < 3 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def tint(behind: Estimate | None) -> str | None:
    """w1 to w4: worse than the first by so many steps; u1 to u4: better; None: cannot be told from it."""
    if behind is None or not (behind.high < 0 or behind.low > 0):
        return None
    steps = sum(abs(behind.value) >= step for step in STEPS)
    return f"{'u' if behind.value > 0 else 'w'}{steps}" if steps else None
