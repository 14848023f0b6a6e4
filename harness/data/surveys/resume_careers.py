"""Spells of resumes as one state a person-year, in the corpus's own occupations or in those of a code list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.codelists import code_lists, path_of
from harness.data.occupations import read_occupations
from harness.data.surveys.bundle import opened
from harness.data.surveys.importing import Imported
from harness.data.surveys.matching import Match, match_titles, read_matches, write_matches
from harness.data.surveys.resumes import Spells, read_resumes
from harness.data.surveys.rows import PersonYears, categorical, panel_of
from harness.data.surveys.states import Space
from harness.data.write import write_panel
from harness.errors import RequestError
from harness.panel.occupations import Occupations, Status
from harness.types import IntArray, StrArray


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Titles to be matched to a code list. matches: a table to take as it is; least: a score, 0 to 100."""

    code_list: str
    least: float
    matches: Path | None
    written: Path


def import_resumes(corpus: str, source: Path, out: Path, matching: Matching | None) -> Imported:
    """Write the careers of a corpus as a panel folder; its matches, if any, beside it."""
    with opened(source) as bundle:
        spells = read_resumes(bundle, corpus)
    notes = dict(spells.left_out)
    if matching is None:
        state, occupations = _own(spells)
    elif (spells.code != "").any() and matching.code_list == "isco08":
        state, occupations = _unit_groups(spells)
    else:
        state, occupations = _matched(spells, matching, notes)
    rows = _years(spells, state)
    used = np.unique(rows.state)
    space = Space(_subset(occupations, used.tolist()), {int(k): place for place, k in enumerate(used)}, {})
    notes["spells whose occupation has no code in the list"] = int((state < 0).sum())
    notes["spells that share a year with a longer one"] = int(rows.notes["shared"])
    panel = panel_of(rows, space, out.name)
    files = write_panel(panel, out)
    return Imported(panel, tuple(files), {k: v for k, v in notes.items() if v}, {})


def _table_of(code_list: str) -> Occupations:
    path = path_of(code_list) if code_list in code_lists() else Path(code_list)
    if not path.is_file():
        raise RequestError(f"--match {code_list}: no such file, and no code list of the name: 'harness data lists'")
    findings = Findings()
    table, _ = read_occupations(path, findings)
    findings.raise_errors()
    if table is None:
        raise AssertionError(f"{path}: no table, and no fault told")
    return table


def _own(spells: Spells) -> tuple[IntArray, Occupations]:
    """States by ESCO code, or by title where the corpus has no codes; major and minor groups are ISCO's."""
    coded = bool((spells.code != "").any())
    names = spells.code if coded else np.char.lower(spells.title)
    codes, first, state = np.unique(names, return_index=True, return_inverse=True)
    isco = dict(zip(*_isco(), strict=True))
    titles, groups, minors = [], [], []
    for code, place in zip(codes.tolist(), first.tolist(), strict=True):
        unit = str(code)[:4] if coded and str(code)[:4] in isco else ""
        told = str(spells.title[place])
        titles.append(told or f"{isco.get(unit, 'ESCO occupation')} ({code})")
        groups.append(unit[:1] or str(code))
        minors.append(unit[:3] or str(code))
    occupations = Occupations(
        codes=tuple(str(code) for code in codes),
        titles=tuple(titles),
        groups=tuple(groups),
        statuses=(Status.EMPLOYED,) * len(codes),
        minors=tuple(minors),
    )
    return state.astype(np.int64), occupations


def _isco() -> tuple[tuple[str, ...], tuple[str, ...]]:
    table = _table_of("isco08")
    return table.codes, table.titles


def _unit_groups(spells: Spells) -> tuple[IntArray, Occupations]:
    """ISCO-08 unit groups, the first four digits of an ESCO code."""
    units = np.array([code[:4] for code in spells.code.tolist()], dtype=np.str_)
    return _placed(units, _table_of("isco08"))


def _matched(spells: Spells, matching: Matching, notes: dict[str, int]) -> tuple[IntArray, Occupations]:
    table = _table_of(matching.code_list)
    given = read_matches(matching.matches, table) if matching.matches else {}
    titles = Counter(spells.title.tolist())
    rest = {title: times for title, times in titles.items() if title not in given}
    found = match_titles(rest, table, matching.least)
    found += [
        Match(title, titles[title], one.code, one.matched_title, score=one.score, how=one.how)
        for title, one in given.items()
        if title in titles
    ]
    write_matches(matching.written, found)
    for how, count in Counter(one.how for one in found).items():
        notes[f"titles matched: {how}"] = count
    codes = {one.title: one.code for one in found}
    return _placed(np.array([codes[title] for title in spells.title.tolist()], dtype=np.str_), table)


def _placed(codes: StrArray, table: Occupations) -> tuple[IntArray, Occupations]:
    """int64 [N]: places of the codes among those of the table that occur; -1 of one that it does not have."""
    used = set(codes.tolist())
    occupations = _subset(table, [k for k, code in enumerate(table.codes) if code in used])
    place = {code: k for k, code in enumerate(occupations.codes)}
    return np.array([place.get(code, -1) for code in codes.tolist()], dtype=np.int64), occupations


def _subset(table: Occupations, states: list[int]) -> Occupations:
    """These states of a table, in the order given."""
    return Occupations(
        codes=tuple(table.codes[k] for k in states),
        titles=tuple(table.titles[k] for k in states),
        groups=tuple(table.groups[k] for k in states),
        statuses=tuple(table.statuses[k] for k in states),
        minors=tuple(table.minors[k] for k in states) if table.minors else (),
    )


def _years(spells: Spells, state: IntArray) -> PersonYears:
    """The state of a year is that of the spell with most of its months; of equal ones, of the later spell."""
    first, last = spells.start // 12, (spells.end - 1) // 12
    times = (last - first + 1).astype(np.int64)
    spell = np.repeat(np.arange(len(first)), times)
    year = first[spell] + np.arange(len(spell)) - np.repeat(np.cumsum(times) - times, times)
    months = np.minimum(spells.end[spell], (year + 1) * 12) - np.maximum(spells.start[spell], year * 12)
    ids, person = np.unique(spells.person, return_inverse=True)
    who = person[spell]
    order = np.lexsort((spells.start[spell], months, year, who))
    order = order[state[spell][order] >= 0]
    last_of = np.append((np.diff(who[order]) != 0) | (np.diff(year[order]) != 0), True) if len(order) else order
    kept = order[np.flatnonzero(last_of)]
    levels = tuple(sorted(set(spells.level.tolist()) - {""}))
    place = {level: k for k, level in enumerate(levels)}
    level = np.array([place.get(one, -1) for one in spells.level.tolist()], dtype=np.int64)
    return PersonYears(
        ids=ids,
        person=who[kept],
        year=year[kept],
        state=state[spell[kept]],
        covariates={"education": categorical(level[spell[kept]], levels)},
        notes={"shared": len(order) - len(kept)},
    )
