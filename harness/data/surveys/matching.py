"""Free titles matched to the titles of a code list: each match with its score, in a table that one can edit."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, Fault, require_installed
from harness.panel.occupations import Occupations

COLUMNS = ("title", "times", "code", "matched_title", "score", "how")
EXACT, FUZZY, NONE, GIVEN = "exact", "fuzzy", "none", "given"


@dataclass(frozen=True, slots=True)
class Match:
    """A free title, how often it occurs, and the code it stands for ('' for none). score: 0 to 100."""

    title: str
    times: int
    code: str
    matched_title: str
    score: float
    how: str


def match_titles(titles: Mapping[str, int], table: Occupations, least: float) -> list[Match]:
    """The nearest title of the table for each free title, title -> times, the most frequent first.

    Titles that are equal but for case, punctuation and a plural s match exactly. Of the others the nearest by
    rapidfuzz's token sort ratio is taken where its score is at least ``least``, else none; its score stands there in
    either case. RequestError where rapidfuzz is not installed.
    """
    try:
        from rapidfuzz import fuzz, process
    except ImportError:
        require_installed("matching titles", ("rapidfuzz",))
        raise
    plain = [_plain(title) for title in table.titles]
    exact = {title: k for k, title in reversed(list(enumerate(plain)))}
    found = []
    for title, times in sorted(titles.items(), key=lambda one: (-one[1], one[0])):
        k = exact.get(_plain(title))
        if k is not None:
            found.append(Match(title, times, table.codes[k], table.titles[k], score=100.0, how=EXACT))
            continue
        nearest = process.extractOne(_plain(title), plain, scorer=fuzz.token_sort_ratio)
        score, k = (round(float(nearest[1]), 1), nearest[2]) if nearest else (0.0, 0)
        near = score >= least
        code = table.codes[k] if near else ""
        found.append(Match(title, times, code, table.titles[k], score=score, how=FUZZY if near else NONE))
    return found


def _plain(title: str) -> str:
    words = re.findall(r"[^\W_]+", title.casefold())
    return " ".join(re.sub(r"(?<=\w{3})(?<!s)s$", "", word) for word in words)


def write_matches(path: Path, matches: Sequence[Match]) -> None:
    """The matches as csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((m.title, m.times, m.code, m.matched_title, f"{m.score:g}", m.how) for m in matches)


def read_matches(path: Path, table: Occupations) -> dict[str, Match]:
    """Matches by title, as they were written and edited. DataError for a code that the table does not have."""
    names = dict(zip(table.codes, table.titles, strict=True))
    found: dict[str, Match] = {}
    faults = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"title", "code"} <= set(reader.fieldnames or ()):
                raise DataError([Fault(path.name, "needs the columns title and code", line=1)])
            for row in reader:
                code = (row["code"] or "").strip()
                if code and code not in names:
                    message = "is no code of the list that titles are matched to"
                    faults.append(Fault(path.name, message, line=reader.line_num, column="code", value=code))
                found[row["title"]] = Match(row["title"], 0, code, names.get(code, ""), score=100.0, how=GIVEN)
    except OSError as error:
        raise DataError([Fault(str(path), f"cannot be read: {error.strerror}")]) from error
    if faults:
        raise DataError(faults)
    return found
