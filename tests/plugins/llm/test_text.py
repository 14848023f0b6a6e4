"""llm-lora: careers as resume text, pieces as tokens, windows that fit the context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import open_panel
from harness.errors import RequestError
from harness.panel.careers import Covariate, Panel
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.base.symbols import disguised
from harness.plugins.llm.text import pieces
from harness.plugins.llm.text.pieces import PieceEncoder, encode_titles
from harness.plugins.llm.text.resume import resume_text
from harness.plugins.llm.text.tokens import Resumes, new_tokens


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from harness import open_panel

    return train_tokenizer(open_panel("market", {"persons": "50"}), 400, 1024)


def with_education(panel: Panel) -> Panel:
    """The four persons. a: unknown, none, none; b: none, diploma, diploma; c: diploma, unknown; d: all unknown."""
    values = np.array([-1, 0, 0, 0, 1, 1, 1, -1, -1, -1, -1, -1, -1])
    education = Covariate("categorical", values, ("none", "high school diploma"))
    hours = Covariate("numeric", np.where(panel.person == 3, np.nan, 1.5), fixed=True)
    return replace(panel, covariates={**panel.covariates, "education": education, "usual_hours": hours})


def resume(panel: Panel, person: int) -> str:
    text = resume_text(panel)
    lines = text.headers.strings[text.headers.index[person]]
    for record in range(panel.offsets[person], panel.offsets[person + 1]):
        heads = text.full_heads if record == panel.offsets[person] else text.heads
        lines += heads.strings[heads.index[record]] + text.titles[panel.state[record]] + "\n"
    return str(lines)


def test_a_resume_says_what_is_known_and_education_where_it_changes(four_persons: Panel) -> None:
    panel = with_education(four_persons)
    assert resume(panel, 0) == (
        "gender: female; usual hours: 1.5; birth year: 1980\n"
        "2000: Registered nurses\n2001 none: Registered nurses\n2002: Office clerks\n"
    )
    assert resume(panel, 1) == (
        "gender: male; usual hours: 1.5; birth year: 1979\n"
        "2000 none: Office clerks\n2001 high school diploma: Out of the labor force\n2002: Office clerks\n"
    )
    assert resume(panel, 2).endswith("2000 high school diploma: Unemployed\n2001: Office clerks\n")
    assert resume(panel, 3) == (
        "gender: male; birth year: 1981\n2000: Registered nurses\n2001: Registered nurses\n"
        "2002: Out of the labor force\n2004: Out of the labor force\n2005: Office clerks\n"
    )


def test_a_resume_that_begins_later_restates_the_education(four_persons: Panel) -> None:
    text = resume_text(with_education(four_persons))
    for record in (5, 7):  # known in that year, and known from the year before
        assert text.full_heads.strings[text.full_heads.index[record]].endswith(" high school diploma:")


def test_a_panel_without_covariates_has_years_and_titles_alone(four_persons: Panel) -> None:
    assert resume(replace(four_persons, covariates={}), 2) == "2000: Unemployed\n2001: Office clerks\n"


def test_education_that_never_changes_stands_in_the_header(four_persons: Panel) -> None:
    schooling = Covariate("numeric", np.repeat([12.0, 16.0, 9.0, 12.0], [3, 3, 2, 5]), fixed=True)
    assert resume(replace(four_persons, covariates={"education": schooling}), 2).startswith("education: 9\n2000: ")


def test_windows_hold_the_resume_and_point_at_the_line_heads(four_persons: Panel, tokenizer: Any) -> None:
    panel = with_education(four_persons)
    resumes = Resumes(panel, PieceEncoder(tokenizer), 1024)
    windows = resumes.windows(np.arange(panel.n_records), end=True)
    assert len(windows.tokens) == panel.n_persons
    for person in range(panel.n_persons):
        assert tokenizer.decode(windows.tokens[person]) == "<s>" + resume(panel, person) + "end of resume\n"
    for target, window, at in zip(windows.target, windows.window, windows.at, strict=True):
        sequence = windows.tokens[window]
        assert tokenizer.decode(sequence[: at + 1]).endswith(":")
        event = resumes.events[panel.state[target]]
        np.testing.assert_array_equal(sequence[at + 1 : at + 1 + len(event)], event)


@pytest.mark.slow
@settings(max_examples=60)
@given(context=st.integers(30, 110), changes=st.lists(st.integers(-1, 1), min_size=13, max_size=13), data=st.data())
def test_the_oldest_records_go_first_and_no_more_than_must(
    context: int, changes: list[int], data: st.DataObject, tokenizer: Any
) -> None:
    panel = one_long_career(changes)
    events = encode_titles(tokenizer, panel.occupations)
    resumes = Resumes(panel, PieceEncoder(tokenizer), context)
    targets = np.array(sorted(data.draw(st.sets(st.integers(0, 12), min_size=1))))
    longest = max(len(events[k]) for k in range(panel.n_states))

    def needed(first: int, target: int) -> int:
        """Tokens up to the target's line head in a window that begins at ``first``, and room for the longest title."""
        whole = Resumes(panel.select(np.array([0])), PieceEncoder(tokenizer), 10**6)
        part = whole._lay_out(  # the layout itself is checked above
            np.array([target]), np.array([0]), (np.array([first]), np.array([target])), np.array([False])
        )
        return int(part.at[0]) + 1 + longest

    if any(needed(target, target) > context for target in targets):
        with pytest.raises(RequestError, match=f"context of {context}"):
            resumes.windows(targets)
        return
    windows = resumes.windows(targets)
    assert windows.tokens.lengths.max() <= context
    for target, window, first in zip(targets, windows.window, resumes.first_records(targets), strict=True):
        assert first == min(f for f in range(target + 1) if needed(f, target) <= context)
        if first:
            text = tokenizer.decode(windows.tokens[window])
            assert text.count("\n") == target - first + 1
            assert f"{panel.year[first]}" in text
            assert f"{panel.year[first - 1]}" not in text


def one_long_career(education: list[int]) -> Panel:
    from harness.panel.occupations import Occupations, Status

    titles = ("Retail cashiers", "Hotel cleaners", "Software developers and administrators of networks")
    occupations = Occupations(("1", "2", "3"), titles, ("a", "a", "b"), (Status.EMPLOYED,) * 3)
    return Panel(
        name="long",
        persons=np.array(["p"]),
        offsets=np.array([0, 13]),
        year=np.arange(2000, 2013),
        state=np.arange(13) % 3,
        occupations=occupations,
        split=np.zeros(1, np.int8),
        covariates={"education": Covariate("categorical", np.array(education), ("none", "high school diploma"))},
    )


def test_dropped_records_are_counted(tokenizer: Any) -> None:
    panel = one_long_career([0] * 13)
    assert Resumes(panel, PieceEncoder(tokenizer), 1024).records_dropped() == 0
    short = Resumes(panel, PieceEncoder(tokenizer), 60)
    assert short.records_dropped() == short.first_records(np.array([12]))[0] > 0


@pytest.mark.parametrize("other", ["Office  clerks", " Office clerks ", "Office\nclerks"])
def test_titles_that_become_the_same_tokens_are_refused(four_persons: Panel, tokenizer: Any, other: str) -> None:
    occupations = replace(four_persons.occupations, titles=("Registered nurses", "Office clerks", other, "Out"))
    with pytest.raises(RequestError, match=r"cannot tell the states '43-9061' and 'UNEMP' apart.*Office clerks"):
        encode_titles(tokenizer, occupations)


def test_a_title_may_begin_another(four_persons: Panel, tokenizer: Any) -> None:
    titles = ("Registered nurses", "Registered nurses and clerks", "Registered", "Out")
    events = encode_titles(tokenizer, replace(four_persons.occupations, titles=titles))
    assert [tokenizer.decode(events[k]) for k in range(4)] == [f" {title}\n" for title in titles]


def test_words_are_those_of_the_text(four_persons: Panel) -> None:
    found = new_tokens([with_education(four_persons)], whole_titles=False)
    assert {"2001", "2000:", " none:", " high", " nurses", " Registered", "gender:", " male;", " 1980"} <= set(found)
    assert "" not in found
    assert " " not in found


def test_a_career_in_disguise_keeps_its_shape_and_not_its_titles() -> None:
    pool = open_panel("market-resumes", {"persons": "60"})
    shown, hidden = disguised(pool, 0.5, 400, seed=3)
    assert sorted([*shown.persons.tolist(), *hidden.persons.tolist()]) == sorted(pool.persons.tolist())
    assert 15 < hidden.n_persons < 45
    employed = np.array([status == "employed" for status in pool.occupations.statuses])
    meanings = set()
    for i, person in enumerate(hidden.persons.tolist()):
        first, stop = hidden.offsets[i : i + 2]
        at = int(np.flatnonzero(pool.persons == person)[0])
        true = pool.state[pool.offsets[at] : pool.offsets[at + 1]]
        told = hidden.state[first:stop]
        assert len(set(zip(true.tolist(), told.tolist(), strict=True))) == len(set(true.tolist()))  # one to one
        for k, symbol in zip(true.tolist(), told.tolist(), strict=True):
            title = hidden.occupations.titles[symbol]
            if employed[k]:
                assert title.startswith("<")
                meanings.add((k, title))
            else:
                assert title == pool.occupations.titles[k]
    several = len({k for k, _ in meanings})
    assert len(meanings) > several  # another person's symbols say other things
    with pytest.raises(RequestError, match="too few"):
        disguised(pool, 0.5, 100, seed=3)


def test_pieces_are_tokenised_once_and_no_memory_grows_for_ever(
    tokenizer: Any, four_persons: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is asked about a panel in chunks; what it was asked before costs no call of the tokenizer."""
    encoder, plain = PieceEncoder(tokenizer), pieces.encode
    asked: list[str] = []

    def noted(given: Any, strings: Sequence[str]) -> list[list[int]]:
        asked.extend(strings)
        return plain(given, strings)

    monkeypatch.setattr(pieces, "encode", noted)
    first = Resumes(four_persons, encoder, 512).windows(four_persons.transitions)
    assert len(asked) == len(set(asked)) > 0
    asked.clear()
    again = Resumes(four_persons.select(np.arange(4)), encoder, 512).windows(four_persons.transitions)
    assert asked == []
    np.testing.assert_array_equal(first.tokens.ids, again.tokens.ids)
    monkeypatch.setattr(pieces, "MOST_PIECES", 3)
    words = [f"word {i}" for i in range(9)]
    for string in words:
        assert encoder.encode([string, "same"]) == plain(tokenizer, [string, "same"])
    assert len(encoder._pieces) <= 3
