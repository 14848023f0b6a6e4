"""All boards as one page that needs nothing else: no network, no script to be read, no font to be fetched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from itertools import groupby

from harness.boards.board import Board
from harness.render.boards.table import NONE
from harness.render.html.board import section
from harness.render.html.figures import scroller
from harness.render.html.forest import best_of, perplexity_text
from harness.render.html.markup import Markup, element, identifier, join, unique

TITLE = "Harness leaderboards"
HEAD_OF_PAGE = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"'
LEDE = "Models of a worker’s next occupation, side by side on one split with one likelihood."
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg stroke='%230b6e6e' "
    "stroke-width='2' stroke-linecap='round'%3E%3Cpath d='M2 4h8M4 8h9M7 12h7'/%3E%3C/g%3E%3Cg fill='%230b6e6e'%3E"
    "%3Ccircle cx='5' cy='4' r='2.4'/%3E%3Ccircle cx='8' cy='8' r='2.4'/%3E%3Ccircle cx='11' cy='12' r='2.4'/%3E%3C/g"
    "%3E%3C/svg%3E"
)


def render(boards: Sequence[Board], above: str | None = None) -> str:
    """The page, in their order; the same boards give the same bytes. above: where the page that lists all panels is."""
    named = _named(boards)
    return _page(
        _navigation([(f"#{id}", board) for id, board in named], above),
        *([_overview([(f"#{id}", board) for id, board in named])] if len(named) > 1 else []),
        *(section(board, id) for id, board in named),
        *([] if named else [element("p", "No board: no record has been made.")]),
    )


def overview(boards: Sequence[Board], page: str) -> str:
    """A page that lists the boards and holds none: each panel's are on its own, ``<folder>/<page>``."""
    linked = []
    for folder, group in groupby(boards, key=lambda board: board.folder):
        linked += [(f"{folder}/{page}#{id}", board) for id, board in _named(list(group))]
    return _page(_navigation(linked, None), _overview(linked))


def _named(boards: Sequence[Board]) -> list[tuple[str, Board]]:
    return list(zip(unique(identifier(board.folder, board.task) for board in boards), boards, strict=True))


def _page(navigation: Markup, *content: Markup) -> str:
    style, script = _asset("style.css"), _asset("page.js")
    body = element(
        "body",
        element("a", "Skip to the board", href="#main", class_="skip"),
        _header(),
        element("div", navigation, element("main", *content, id="main", tabindex=-1), class_="page"),
        element("p", role="status", id="said", class_="hidden"),
        element("script", script),
    )
    head = element("head", *_head(style, script))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _asset(file: str) -> Markup:
    """A text of this package, as it is written: it is ours, and holds nothing that ends its element."""
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    assert "</" not in text
    return Markup(text)


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _head(style: str, script: str) -> list[Markup]:
    """The policy stands first: nothing is fetched, sent or run but the two texts whose hashes it names."""
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    # The policy's quotes stand as they are: all of it is ours.
    return [
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", TITLE),
        Markup(f'<link rel="icon" href="{ICON}">'),
        element("style", style),
    ]


def _header() -> Markup:
    return element(
        "header",
        element("div", element("h1", TITLE), element("p", LEDE)),
        element("button", "Theme: automatic", type="button", id="theme", hidden=True),
        class_="top",
    )


def _navigation(linked: Sequence[tuple[str, Board]], above: str | None) -> Markup:
    """Panels, and the tasks of each, by where they are."""
    groups = [] if above is None else [element("a", "All panels", href=above)]
    if len(linked) > 1:
        groups.append(element("a", "All boards", href="#overview"))
    for _, group in groupby(linked, key=lambda pair: pair[1].folder):
        members = list(group)
        items = [element("li", element("a", board.task, href=href)) for href, board in members]
        groups.append(join([element("h2", _panel(members[0][1])), element("ul", *items)]))
    summary = element("summary", "Boards")
    return element("nav", element("details", summary, *groups, open=True), aria_label="Boards", class_="boards")


def _panel(board: Board) -> str:
    """The panel's name, told apart from another of the same name."""
    alone = board.fingerprint[:8] not in board.folder
    return board.panel if alone else f"{board.panel} {board.fingerprint[:8]}"


def _overview(linked: Sequence[tuple[str, Board]]) -> Markup:
    """Every board in a line: how large it is, which model is best and how many are tied with it."""
    headings = ["panel", "task", "transitions", "persons", "models", "best model", "perplexity", "confidence set"]
    numbers = {"transitions", "persons", "models", "perplexity", "confidence set"}
    head = [element("th", heading, scope="col", class_="n" if heading in numbers else None) for heading in headings]
    rows = [element("tr", *_line(href, board)) for href, board in linked]
    caption = "Every board: size, best model, and how many models cannot be told from it"
    table = element(
        "table",
        element("caption", caption, class_="hidden"),
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="ranking overview",
    )
    title = element("h2", "All boards", id="overview/title", tabindex=-1)
    return element(
        "article",
        title,
        scroller(table, caption),
        _guide(),
        id="overview",
        aria_labelledby="overview/title",
        class_="board",
    )


def _line(href: str, board: Board) -> list[Markup]:
    best, tied = best_of(board.rows), sum(row.in_confidence_set for row in board.rows)
    models = sum(row.rank is not None for row in board.rows)
    sizes = [element("td", f"{n:,}") for n in (board.transitions, board.persons, models)]
    return [
        element("td", _panel(board), class_="x"),
        element("th", element("a", board.task, href=href), scope="row"),
        *sizes,
        element("td", best.label if models else NONE, class_="x"),
        element("td", perplexity_text(best.perplexity.value) if models else NONE),
        element("td", str(tied) if tied else NONE),
    ]


def _guide() -> Markup:
    """The words of the page, for who meets them the first time."""
    words = {
        "Perplexity": "exp(-log-likelihood / transitions) on persons whom no model was fitted on. Lower is better: 8 "
        "is the uncertainty of eight equally likely outcomes, 1 is certainty.",
        "95% interval": "from resampling persons with all of their transitions, or the units in which a survey drew "
        "them; the same draws for every model.",
        "Tied for best": "in the 95% model confidence set: the data do not tell the model from the best one.",
        "Against the best": "log-likelihood per transition less that of the best model, in nats, paired on persons; "
        "0.1 nats are about 10% of perplexity.",
    }
    terms = [element("div", element("dt", word), element("dd", meaning)) for word, meaning in words.items()]
    return element(
        "section",
        element("h3", "How to read a board", id="guide"),
        element("dl", *terms, class_="guide"),
        aria_labelledby="guide",
    )
