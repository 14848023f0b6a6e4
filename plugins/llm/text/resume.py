"""Careers as resume text, in the manner of LABOR-LLM (Athey et al. 2024): one line a record.

    gender: female; ethnicity: hispanic; birth year: 1983
    1999 less than high school: Cashiers
    2000: Cashiers
    2001 high school diploma: Registered Nurses

A line has three pieces: its head, which says what is known before the state (the year, and the education level where a
career begins or the level changes); the title, with the blank before it; and the delimiter. Pieces are tokenised one
by one, so that no merge crosses from the history into the title or from the title into the next line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.panel import Covariate, Occupations, Panel
from harness.types import IntArray

DELIMITER = "\n"
END = "end of resume\n"
EDUCATION = "education"


@dataclass(frozen=True)
class TextOptions:
    """The parts of a career that are written.

    titles: each state's title, or its code in the place of it. demographics: the covariates that never change, but for
    the birth year. birth_year: that. history: how many records before the target the model sees; None for all.
    """

    titles: Literal["words", "codes"] = "words"
    demographics: bool = True
    birth_year: bool = True
    history: int | None = None


EVERYTHING = TextOptions()


@dataclass(frozen=True)
class Texts:
    """Distinct strings, and which of them each person or record has: ``strings[index[i]]``."""

    strings: tuple[str, ...]
    index: IntArray


@dataclass(frozen=True)
class ResumeText:
    """The pieces of a panel's resumes; P persons, N records, K states.

    headers: of each person [P]. heads: of each record [N], education only where its level changes. full_heads: of each
    record [N], as a resume that begins there writes it, with the level last known. titles: of each state [K], without
    the delimiter.
    """

    headers: Texts
    heads: Texts
    full_heads: Texts
    titles: tuple[str, ...]


def resume_text(panel: Panel, options: TextOptions = EVERYTHING) -> ResumeText:
    """The text of every career of the panel."""
    education = panel.covariates.get(EDUCATION)
    levels = Texts(("",), np.zeros(panel.n_records, dtype=np.int64))
    if education is not None and not education.fixed:
        levels = written(education)
        levels = Texts(levels.strings, _last_known(panel, levels.index))
    return ResumeText(
        headers=_headers(panel, options),
        heads=_heads(panel.year, Texts(levels.strings, _changes(panel, levels.index))),
        full_heads=_heads(panel.year, levels),
        titles=titles(panel.occupations, options),
    )


def written_resume(panel: Panel, person: int, options: TextOptions = EVERYTHING) -> str:
    """One person's whole career as the model reads it, or its end where the history is short."""
    text = resume_text(panel, options)
    first, stop = int(panel.offsets[person]), int(panel.offsets[person + 1])
    if options.history is not None:
        first = max(first, stop - 1 - options.history)
    lines = [text.headers.strings[text.headers.index[person]]]
    for record in range(first, stop):
        heads = text.full_heads if record == first else text.heads
        lines.append(heads.strings[heads.index[record]] + text.titles[panel.state[record]] + DELIMITER)
    return "".join([*lines, END])


def titles(occupations: Occupations, options: TextOptions = EVERYTHING) -> tuple[str, ...]:
    """Each state's title (or code) as a line has it: a blank before it, and no line break or double blank inside."""
    names = occupations.titles if options.titles == "words" else occupations.codes
    return tuple(" " + " ".join(name.split()) for name in names)


def written(covariate: Covariate) -> Texts:
    """A covariate's values as words; the empty string, which is always string 0, where a value is missing."""
    if covariate.kind == "categorical":
        return Texts(
            ("", *(" ".join(level.split()) for level in covariate.levels)), covariate.values.astype(np.int64) + 1
        )
    values, index = np.unique(covariate.values.astype(np.float64), return_inverse=True)  # NaN is one value, and last
    known = int(np.isfinite(values).sum())
    return Texts(("", *(f"{value:g}" for value in values[:known])), np.where(index < known, index + 1, 0))


def _last_known(panel: Panel, level: IntArray) -> IntArray:
    """int64 [N]: the level that each record's person was last known to have, 0 before the first one known."""
    own = (level > 0) | np.isin(np.arange(panel.n_records), panel.entries)  # the look back stops at the first record
    return level[np.maximum.accumulate(np.where(own, np.arange(panel.n_records), 0))]


def _changes(panel: Panel, level: IntArray) -> IntArray:
    """int64 [N]: the level where it is not that of the record before; 0, which writes nothing, elsewhere."""
    before = np.concatenate([[0], level[:-1]])
    before[panel.entries] = 0
    return np.where(level == before, 0, level)


def _heads(year: IntArray, levels: Texts) -> Texts:
    """'1999 high school diploma:' of each record."""
    width = len(levels.strings)
    keys, index = np.unique(year.astype(np.int64) * width + levels.index, return_inverse=True)
    strings = []
    for key in keys.tolist():
        of_year, level = divmod(key, width)
        strings.append(f"{of_year} {levels.strings[level]}:" if level else f"{of_year}:")
    return Texts(tuple(strings), index.astype(np.int64))


def _headers(panel: Panel, options: TextOptions) -> Texts:
    """'gender: female; birth year: 1983' of each person: the covariates that never change, missing ones left out."""
    parts: list[tuple[str, Texts]] = []
    for name, covariate in sorted(panel.covariates.items(), key=lambda item: (item[0] == "birth_year", item[0])):
        if covariate.fixed and (options.birth_year if name == "birth_year" else options.demographics):
            values = written(covariate)
            parts.append((name.replace("_", " "), Texts(values.strings, values.index[panel.entries])))
    if not parts:
        return Texts(("",), np.zeros(panel.n_persons, dtype=np.int64))
    rows, index = np.unique(np.stack([values.index for _, values in parts], axis=1), axis=0, return_inverse=True)
    strings = []
    for row in rows.tolist():
        fields = [f"{name}: {values.strings[i]}" for (name, values), i in zip(parts, row, strict=True) if i]
        strings.append("; ".join(fields) + DELIMITER if fields else "")
    return Texts(tuple(strings), index.astype(np.int64).reshape(-1))
