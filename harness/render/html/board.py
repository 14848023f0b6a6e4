"""One board's part of the page: what was asked, which models are best, and the views."""

from __future__ import annotations

from collections.abc import Sequence

from harness.boards.board import Board, Row
from harness.render.boards.notes import CODE, notes
from harness.render.html.charts import cost, learning
from harness.render.html.forest import forest, perplexity_text
from harness.render.html.markup import Markup, element, join, name
from harness.render.html.ranking import ranking
from harness.render.html.reliability import reliability
from harness.render.html.slices import slices
from harness.system.words import counted

NAMED = 6  # models named in a sentence, before "and 12 more"


def section(board: Board, id: str) -> Markup:
    """The article of a board; its parts are headed, linked to and left out where there is nothing to show."""
    parts: list[tuple[str, str, Markup | None]] = [
        ("comparison", "Who is best", forest(board, id)),
        ("ranking", "Ranking", ranking(board, id)),
        ("slices", "For whom", slices(board, f"{id}/slices")),
        ("calibration", "Calibration", reliability(board, id)),
        ("learning", "From how many careers", learning(board, id)),
        ("cost", "At what cost", cost(board, id)),
        ("notes", "Notes", _notes(board)),
    ]
    shown = [(key, title, content) for key, title, content in parts if content is not None]
    links = [element("li", element("a", title, href=f"#{id}/{key}")) for key, title, _ in shown]
    return element(
        "article",
        element(
            "header",
            element("p", board.panel, class_="eyebrow"),
            element("h2", board.task, id=f"{id}/title", tabindex=-1),
            element("p", *finding(board.rows), class_="finding"),
            _facts(board),
        ),
        element("nav", element("ul", *links), aria_label=f"Parts of {board.panel}, {board.task}", class_="parts"),
        *(_part(f"{id}/{key}", title, content) for key, title, content in shown),
        _footer(board),
        id=id,
        aria_labelledby=f"{id}/title",
        class_="board",
    )


def _part(id: str, title: str, content: Markup) -> Markup:
    return element("section", element("h3", title, id=f"{id}-title"), content, id=id, aria_labelledby=f"{id}-title")


def finding(rows: Sequence[Row]) -> list[str]:
    """The board in two sentences: the best model, and the others that cannot be told from it."""
    models = [row for row in rows if row.rank is not None]
    said: list[str] = [] if models else ["Nothing here is a model that others are ranked against."]
    if models:
        best = models[0]
        said += [element("strong", name(best.label)), " comes first" if len(models) > 1 else " stands alone"]
        said += [" with perplexity ", _perplexity(best), f" ({_interval(best)}). "]
        said += _ties(best, [row for row in models[1:] if row.in_confidence_set], len(models) - 1)
    for row in rows:
        if row.knows_truth:
            said += [" The true probabilities reach ", _perplexity(row), "."]
    return said


def _ties(best: Row, tied: Sequence[Row], others: int) -> list[str]:
    """The other models in the confidence set of the best; nothing where no set was computed."""
    if not best.in_confidence_set or not others:
        return []
    if not tied:
        return ["It can be told from every other model at 95%."]
    if len(tied) == others:
        return ["No other model can be told from it at 95%."]
    named = [element("strong", name(row.label)) for row in tied[:NAMED]]
    more = len(tied) - len(named)
    if more:
        listed: Markup = join([join(named, ", "), f" and {more} more"])
    elif len(named) > 1:
        listed = join([join(named[:-1], ", "), " and ", named[-1]])
    else:
        listed = named[0]
    return ["At 95% it cannot be told from ", listed, "."]


def _perplexity(row: Row) -> Markup:
    return element("strong", perplexity_text(row.perplexity.value), class_="figure")


def _interval(row: Row) -> str:
    if not row.perplexity.has_error:
        return "no interval"
    return f"95% interval {perplexity_text(row.perplexity.low)} to {perplexity_text(row.perplexity.high)}"


def _facts(board: Board) -> Markup:
    models = [row for row in board.rows if row.rank is not None]
    facts = [
        counted(board.transitions, "transition held out", "transitions held out"),
        counted(board.persons, "person"),
        counted(board.states, "state"),
        counted(len(models), "model"),
    ]
    parted = [fact.split(" ", 1) for fact in facts]
    items = [element("div", element("dt", what), element("dd", figure)) for figure, what in parted]
    outcome = element("p", "Outcome: ", name(board.outcomes), ".", class_="note")
    weighted = element("p", "Weighted by ", name(board.weights), ".", class_="note") if board.weights else Markup()
    return Markup(element("dl", *items, class_="facts") + outcome + weighted)


def _notes(board: Board) -> Markup:
    return element("ul", *(element("li", coded(note)) for note in notes(board)), class_="notes")


def coded(note: str) -> Markup:
    """A note whose `names` are set as code."""
    parts = CODE.split(note)
    return join([element("code", part) if i % 2 else part for i, part in enumerate(parts)])


def _footer(board: Board) -> Markup:
    """The panel of a board, so that a reader can compute it again."""
    said = f"Panel {board.fingerprint[:12]}: {board.size}; task version {board.task_version}. "
    return element(
        "footer",
        said,
        element("code", "harness leaderboard --check"),
        " computes every figure again from the record files.",
        class_="note",
    )
