"""Careers as resume text, in the manner of LABOR-LLM (Athey et al. 2024): one line a record.

    gender: female; ethnicity: hispanic; birth year: 1983
    1999 less than high school: Cashiers
    2000: Cashiers
    2001 high school diploma: Registered Nurses

A line has three pieces: its head, which says what is known before the state (the year, and the education level where a
career begins or the level changes); the title, with the blank before it; and the delimiter. Pieces are tokenised one
by one, so that no merge crosses from the history into the title or from the title into the next line. What stands
around the titles is a template's (``template``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.panel import Covariate, Occupations, Panel, time
from harness.plugins.llm.text.facts import NO_FACTS, CareerFacts, facts
from harness.plugins.llm.text.template import ResumeTemplate
from harness.plugins.llm.text.texts import Texts
from harness.types import BoolArray, IntArray

EDUCATION = "education"
PLAIN = ResumeTemplate.of("harness")


@dataclass(frozen=True)
class TextOptions:
    """The parts of a career that are written.

    titles: each state's title, or its code in the place of it. demographics: the covariates that never change, but for
    the birth year. birth_year: that. history: how many records before the target the model sees; None for all.
    career_facts: which facts of the career up to the origin stand in the head of a line, those of records that the
    model does not see included. template: what stands around the titles.
    """

    titles: Literal["words", "codes"] = "words"
    demographics: bool = True
    birth_year: bool = True
    history: int | None = None
    career_facts: CareerFacts = NO_FACTS
    template: ResumeTemplate = PLAIN


EVERYTHING = TextOptions()


@dataclass(frozen=True)
class ResumeText:
    """The pieces of a panel's resumes; P persons, N records, K states.

    headers: of each person [P]. heads: of each record [N], as a line in the middle has it. full_heads: of each record
    [N], as a resume that begins there writes it: the level of education counts as new, and nothing is said of records
    before. titles: of each state [K], without the delimiter. delimiter: what ends a title. end: what stands behind a
    whole career.
    """

    headers: Texts
    heads: Texts
    full_heads: Texts
    titles: tuple[str, ...]
    delimiter: str
    end: str


def resume_text(panel: Panel, options: TextOptions = EVERYTHING) -> ResumeText:
    """The text of every career of the panel."""
    education, template = panel.covariates.get(EDUCATION), options.template
    levels = Texts.empty(panel.n_records)
    if education is not None and not education.fixed:
        levels = written(education)
        levels = Texts(levels.strings, _last_known(panel, levels.index))
    known, whole = facts(panel, options.career_facts), Texts.empty(panel.n_records)
    return ResumeText(
        headers=_headers(panel, options),
        heads=_heads(template, panel, _Known(levels, _changes(panel, levels.index), known)),
        full_heads=_heads(template, panel, _Known(levels, levels.index > 0, whole)),
        titles=titles(panel.occupations, options),
        delimiter=template.delimiter,
        end=template.end,
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
        lines.append(heads.strings[heads.index[record]] + text.titles[panel.state[record]] + text.delimiter)
    return "".join([*lines, text.end])


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


def _changes(panel: Panel, level: IntArray) -> BoolArray:
    """bool [N]: whether the level is known, and not that of the record before."""
    before = np.concatenate([[0], level[:-1]])
    before[panel.entries] = 0
    return np.asarray(level != before)


@dataclass(frozen=True)
class _Known:
    """Words of each record's [N] line head besides the year; changes: bool [N], whether the level is new."""

    levels: Texts
    changes: BoolArray
    facts: Texts


def _heads(template: ResumeTemplate, panel: Panel, known: _Known) -> Texts:
    """'1999 high school diploma:' of each record; of a panel in months '1999-07 high school diploma:'."""
    levels, facts = known.levels, known.facts
    sizes = (len(levels.strings), 2, len(facts.strings))
    key = panel.year.astype(np.int64)
    for size, part in zip(sizes, (levels.index, known.changes, facts.index), strict=True):
        key = key * size + part.astype(np.int64)
    keys, index = np.unique(key, return_inverse=True)
    strings = []
    for one in keys.tolist():
        rest, fact = divmod(one, sizes[2])
        rest, changes = divmod(rest, 2)
        of_year, level = divmod(rest, sizes[0])
        words = {"education": levels.strings[level], "education_changes": bool(changes), "facts": facts.strings[fact]}
        when = of_year if panel.unit == "year" else time.name(of_year, panel.unit)
        strings.append(template.head({"year": when, **words}))
    return Texts.distinct(strings, index)


def _headers(panel: Panel, options: TextOptions) -> Texts:
    """'gender: female; birth year: 1983' of each person: the covariates that never change, and others at the start."""
    template = options.template
    parts: list[tuple[bool, str, Texts]] = []  # (whether it never changes, name, of each person)
    for name, covariate in sorted(panel.covariates.items(), key=lambda item: (item[0] == "birth_year", item[0])):
        if covariate.fixed or template.reads_start:
            shown = options.birth_year if name == "birth_year" else options.demographics
            values = written(covariate) if shown else Texts.empty(panel.n_records)
            parts.append((covariate.fixed, name, Texts(values.strings, values.index[panel.entries])))
    if not parts:
        return Texts((template.header({}, {}),), np.zeros(panel.n_persons, dtype=np.int64))
    rows, index = np.unique(np.stack([values.index for *_, values in parts], axis=1), axis=0, return_inverse=True)
    strings = []
    for row in rows.tolist():
        said: dict[bool, dict[str, str]] = {True: {}, False: {}}
        for (fixed, name, values), i in zip(parts, row, strict=True):
            said[fixed][name] = values.strings[i]
        strings.append(template.header(person=said[True], start=said[False]))
    return Texts.distinct(strings, index)
