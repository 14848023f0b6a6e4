"""The page of boards: names stay names, nothing is fetched, figures stand where they should, and it stays small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from math import inf, nan
from pathlib import Path

import pytest
from helpers.pages import HOSTILE, Page, board, estimate, hostile_board, row, truth, views
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.render import LARGEST_PAGE, html, of_boards
from harness.render.boards.table import BoardColumn, columns
from harness.render.html.board import coded, finding
from harness.render.html.markup import Markup, element, escaped, identifier, join
from harness.render.html.ranking import order


def seen(name: str) -> str:
    """A name as the page shows it: blanks run together, what must not be obeyed replaced."""
    return re.sub("[\x00\x1b\ud800\u202e\u2066]", "\ufffd", " ".join(name.split()))


def test_hostile_names_are_text() -> None:
    page = Page(html.render([hostile_board()]))
    assert Counter(page.tags)["script"] == 1
    assert {"img", "textarea", "b", "comment"} & set(page.tags) <= {"b"}  # <b> is the page's own
    assert not [key for _, key, _ in page.attributes if key.startswith("on") or key in ("style", "srcset", "action")]
    text = page.text()
    for name in HOSTILE:
        assert seen(name) in text or "`" in name
    links = [value for tag, key, value in page.attributes if key in ("href", "src") and tag != "link"]
    assert links
    assert all(link is not None and link.startswith("#") for link in links)


def page_of(name: str) -> Page:
    """The page of a board on which all that has a name has this one."""
    one = board(2)
    rows = tuple(replace(r, label=f"{name}{i}", figures={**r.figures, f"m{name}": 0.5}) for i, r in enumerate(one.rows))
    named = replace(one, panel=name, task=name, outcomes=name, rows=rows, views=views(rows, {name: (name, "b")}))
    return Page(html.render([named]))


@cache
def plain_page(length: int) -> Page:
    return page_of("p" * length)


@settings(max_examples=25)
@given(st.text(max_size=24).filter(lambda t: "`" not in t and not any(c.isspace() for c in t)))
def test_no_name_changes_what_the_page_is_made_of(name: str) -> None:
    """Whatever a name is, elements and attributes are those of a page whose names are plain and as long."""
    plain, odd = plain_page(len(name)), page_of(name)
    assert odd.tags == plain.tags
    assert [key for _, key, _ in odd.attributes] == [key for _, key, _ in plain.attributes]


@given(st.text())
def test_text_comes_back_from_html_as_it_went_in(text: str) -> None:
    inside = Page(f"<p>{escaped(text)}</p>").texts
    kept = "".join(data for _, data in inside)
    assert len(kept) == len(" ".join(text.split()))
    assert all(a in (b, "\ufffd") for a, b in zip(kept, " ".join(text.split()), strict=True))
    [value] = Page(element("p", title=text)).of("title")
    assert value == kept
    escaped(text).encode("utf-8")


def test_only_markup_is_markup() -> None:
    assert element("p", "<b>", Markup("<i>"), id="a&b") == '<p id="a&amp;b">&lt;b&gt;<i></p>'
    assert element("input", hidden=True, disabled=False, max=0, min=None) == '<input hidden max="0">'
    assert join(["<", Markup("<br>")], " & ") == "&lt; &amp; <br>"
    assert element("p", Markup("<i>") + "</i>") == "<p>&lt;i&gt;&lt;/i&gt;</p>"  # a sum of strings is text again


def test_ids_are_plain_unique_and_answer_every_reference() -> None:
    twice = [board(3), board(3), hostile_board(), board(2, task="switch"), board(2, panel="x" * 300)]
    page = Page(html.render(twice))
    ids = page.of("id")
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9._/~-]+", id) for id in ids)
    referred = [
        value for key in ("aria-labelledby", "aria-describedby", "aria-controls", "for") for value in page.of(key)
    ]
    linked = [value[1:] for tag, key, value in page.attributes if tag == "a" and key == "href" and value]
    assert linked
    assert set(referred) | set(linked) <= set(ids)
    assert {"market/next_occ", "market/next_occ~2", "market/switch"} <= set(ids)
    assert identifier("Österreich", "a/b <") == "-sterreich/a-b"


def test_nothing_is_fetched_and_nothing_else_runs() -> None:
    text = html.render([board()])
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for tag in ("script", "style"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert set(rules) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    assert rules["img-src"] == "data:"
    addresses = set(re.findall(r"https?://[^\s'\"]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a vocabulary, inside the icon
    assert "url(" not in text
    assert "@import" not in text
    assert text.index("Content-Security-Policy") < text.index("<style") < text.index("<script")


def test_the_same_boards_give_the_same_bytes() -> None:
    assert html.render([board(), hostile_board()]) == html.render([board(), hostile_board()])


def test_two_hundred_models_on_four_tasks_fit_in_two_megabytes() -> None:
    tasks = ("next_occ", "switch", "lf_exit", "next_occ_switchers")
    labels = [f"career-titles (rounds={i}, seed={i}, pretrained on market-resumes)" for i in range(199)]
    made = []
    for task in tasks:
        one = board(199, task, label=lambda i: labels[i])
        figures = {f"metric_{k}": 0.12345678 * k for k in range(6)}
        rows = tuple(replace(r, regret=estimate(0.1, 0.01), figures={**r.figures, **figures}) for r in one.rows)
        made.append(replace(one, rows=rows, views=views(rows)))
    text = html.render(made)
    assert len(text.encode()) < 2_000_000
    assert all(text.count(f'<th scope="row">{label}') >= 4 for label in labels)


def test_a_page_without_boards_views_or_a_best_model() -> None:
    assert "no record" in html.render([])
    one = board(3)
    bare = replace(one, views=type(one.views)())
    page = Page(html.render([bare]))
    assert {"market/next_occ/comparison", "market/next_occ/ranking", "market/next_occ/notes"} <= set(page.of("id"))
    for part in ("slices", "calibration", "learning", "cost"):
        assert f"market/next_occ/{part}" not in page.of("id")
    alone = replace(one, rows=(truth(row(0)),), views=type(one.views)())
    assert "The true probabilities reach" in Page(html.render([alone])).text()
    hopeless = replace(row(0), perplexity=estimate(inf, 0.0))
    text = html.render([replace(one, rows=(row(1), hopeless), views=views((row(1), hopeless)))])
    assert "nan" not in Page(text).of("cx")
    assert "off the scale" in text
    html.render([replace(one, rows=(hopeless,), views=views((hopeless,)))])


def said(*rows: object) -> str:
    return Page(element("p", *finding(rows))).text()  # type: ignore[arg-type]


def test_the_finding_says_which_models_are_tied() -> None:
    first, other, third = (row(i) for i in range(3))
    apart = [replace(r, in_confidence_set=False) for r in (other, third)]
    words = re.sub(r"\s+", " ", said(truth(first), first, *apart))
    assert words == (
        "model-0 comes first with perplexity 8.00 (95% interval 7.40 to 8.60). It can be told from every other model "
        "at 95%. The true probabilities reach 7.61 ."
    )
    assert "No other model can be told from it" in said(first, other, third)
    some = re.sub(r"\s+", " ", said(first, other, apart[1]))
    assert "At 95% it cannot be told from model-1 ." in some
    many = [row(i) for i in range(3)] + [replace(row(i), in_confidence_set=i < 10) for i in range(3, 14)]
    assert "model-6 and 3 more" in re.sub(r"\s+", " ", said(*many))
    assert "told" not in said(*[replace(r, in_confidence_set=False) for r in (first, other)])


def test_rows_are_sorted_on_exact_figures() -> None:
    rows = [row(i) for i in range(4)]
    keys: list[float | None] = [0.30001, None, 0.30002, 0.30001]
    by = dict(zip([r.record for r in rows], keys, strict=True))
    column = BoardColumn("x", lambda r: "0.3", key=lambda r: by[r.record])
    assert order(column, rows) == "0,,1,0"
    assert order(BoardColumn("x", lambda r: "0.3", key=lambda r: nan), rows) == ",,,"
    names = dict(zip(by, ["b", "A", "a", "C"], strict=True))
    assert order(BoardColumn("x", lambda r: "", key=lambda r: names[r.record]), rows) == "1,0,0,2"
    assert order(BoardColumn("x", lambda r: "0.3"), rows) is None
    made = board(4)
    page = Page(html.render([made]))
    expected = [text for column in columns(made) if (text := order(column, made.rows)) is not None]
    assert page.of("data-order") == expected
    [perplexity] = [column for column in columns(made) if column.heading == "perplexity"]
    assert order(perplexity, made.rows) == "0,1,2,3,4"


def test_every_cell_of_the_table_is_on_the_page() -> None:
    made = board(5)
    text = Page(html.render([made])).text()
    for column in columns(made):
        for r in made.rows:
            cell = column.cell(r)
            assert cell in text or "\u2212" + cell[1:] in text
    assert all(r.record in text for r in made.rows)


def test_notes_set_names_as_code() -> None:
    assert coded("as `marginal` <does> ` alone") == "as <code>marginal</code> &lt;does&gt; ` alone"


@pytest.mark.parametrize("models", [1, 2, 60])
def test_boards_of_any_length_are_drawn(models: int) -> None:
    text = html.render([board(models)])
    assert text.count('role="img"') >= 3
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    titles = re.findall(r"<svg[^>]*><title id=\"[^\"]*\">([^<]+)</title><desc id=\"[^\"]*\">([^<]+)</desc>", text)
    assert len(titles) == text.count("<svg")


def test_more_boards_than_a_page_holds_have_a_page_a_panel(tmp_path: Path) -> None:
    one = board()
    many = [replace(one, folder=f"panel-{i:02d}", panel=f"panel {i}", task=t) for i in range(25) for t in ("a", "b")]
    pages = of_boards(many, tmp_path)
    assert len(pages) == 26
    links = Counter(re.findall(r'href="(panel-\d\d/index\.html#[^"]+)"', pages[tmp_path / "index.html"]))
    assert len(links) == 50
    for link in links:
        path, _, anchor = link.partition("#")
        text = pages[tmp_path / path]
        assert f'id="{anchor}"' in text
        assert 'href="../index.html"' in text
        assert len(text.encode()) < LARGEST_PAGE
    assert list(of_boards(many[:4], tmp_path)) == [tmp_path / "index.html"]
