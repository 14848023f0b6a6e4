"""Code lists of occupations that come with the package: titles, groups and statuses. README.md has their sources."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import RequestError, did_you_mean

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list that ``--occupations NAME`` stands for: its name, a line on it, its size, source and licence."""

    name: str
    summary: str
    codes: int
    source: str
    license: str


@cache
def code_lists() -> dict[str, CodeList]:
    """Every list, by its name."""
    with (FOLDER / "lists.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (row["name"], row["summary"], row["codes"], row["source"], row["license"]) for row in csv.DictReader(file)
        ]
    return {row[0]: CodeList(row[0], row[1], int(row[2]), source=row[3], license=row[4]) for row in rows}


def path_of(name: str) -> Path:
    """The table of a list, as ``--occupations`` reads it. RequestError where there is none of the name."""
    if name not in code_lists():
        raise RequestError(f"'{name}' is no code list that comes with the package; {did_you_mean(name, code_lists())}")
    return FOLDER / f"{name}.csv.gz"


@cache
def titles_of(name: str) -> dict[str, str]:
    """Titles by code, of occupations alone; empty where the package has no list of the name."""
    if name not in code_lists():
        return {}
    return {row["code"]: row["title"] for row in _rows(path_of(name)) if row["status"] == "employed"}


@cache
def pairs_of(name: str) -> tuple[tuple[int, int], ...]:
    """The pairs of codes of a crosswalk that comes with the package."""
    return tuple((int(row["from"]), int(row["to"])) for row in _rows(FOLDER / f"{name}.csv.gz"))


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
