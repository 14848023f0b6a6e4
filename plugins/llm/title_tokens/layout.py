"""Careers as positions of a sequence, each the sum of a few pieces: a title, a year, a level of a covariate.

    [start] [ethnicity: hispanic] [gender: female] [birth year: 1983]
    [1998 + less than high school] [Not working] [1999] [Not working] [2000] [Maids and Housekeeping Cleaners] ...

A record takes two positions here. With three a line break follows the title; with one the title stands in the same
position as the next record's year. What stands at a record's year predicts its title.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import RequestError
from harness.panel import Covariate, Panel, time
from harness.plugins.llm.text.pieces import ranges
from harness.plugins.llm.text.resume import TextOptions, titles, written
from harness.types import IntArray

WIDTH = 3  # pieces at a position, at most
ABSENT = 0  # the piece that adds nothing
BREAK = "\n"
EDUCATION = "education"


@dataclass(frozen=True)
class Sequences:
    """W sequences: ``pieces[offsets[i]:offsets[i + 1]]``, int64 [positions, WIDTH], the numbers of the pieces.

    first: int64 [W], the record that each begins with. target: int64 [n], records to be predicted. window, at: int64
    [n], the sequence and the place in it that do.
    """

    pieces: IntArray
    offsets: IntArray
    first: IntArray
    target: IntArray
    window: IntArray
    at: IntArray


class PieceCareers:
    """The careers of a panel in pieces.

    strings: every piece as text; number 0 is the absent one, and those of the titles follow. positions: of a record, 1
    to 3. context: most positions of a sequence. A career with more is read in overlapping parts: the targets of each
    half of a part see it and the half before.
    """

    def __init__(self, panel: Panel, positions: int, context: int, options: TextOptions) -> None:
        self.panel, self.positions = panel, positions
        self.n_states = panel.n_states
        fields = _fields(panel, options)
        levels, level = _education(panel)
        years, year = np.unique(panel.year, return_inverse=True)
        strings = ["", *titles(panel.occupations, options), BREAK]
        self._break = len(strings) - 1
        self._year = len(strings) + year.reshape(-1)
        strings += [time.name(value, panel.unit) for value in years.tolist()]
        self._level = np.where(level >= 0, len(strings) + level, ABSENT)
        strings += levels
        header = np.full((panel.n_persons, 1), len(strings), dtype=np.int64)
        strings.append("")  # where a sequence starts: the token that begins a text
        for texts, index in fields:
            header = np.column_stack([header, len(strings) + index])
            strings += texts
        self.header, self.strings = header, tuple(strings)
        self.room = (context - header.shape[1]) // positions
        if self.room < 2:
            raise RequestError(
                f"a header of {header.shape[1]} tokens and two records of {positions} need more tokens than the "
                f"model's context of {context}: choose a base, or max_context, with more"
            )

    def with_states(self, state: IntArray) -> PieceCareers:
        """The same persons with other states, int [N]."""
        other = copy(self)
        other.panel = replace(self.panel, state=state)
        return other

    def first_records(self, targets: IntArray) -> IntArray:
        """int64 [n]: the oldest record that each target sees."""
        entry = self.panel.offsets[:-1][self.panel.person[targets]].astype(np.int64)
        length = (self.panel.offsets[1:] - self.panel.offsets[:-1])[self.panel.person[targets]]
        half = self.room // 2
        part = np.maximum((targets - entry) // half - 1, 0)
        return np.where(length <= self.room, entry, entry + half * part)

    def dropped(self, targets: IntArray) -> IntArray:
        """int64 [n]: how many records of each target's history it does not see."""
        return self.first_records(targets) - self.panel.entries[self.panel.person[targets]]

    def sequences(self, targets: IntArray) -> Sequences:
        """The sequences that predict these records (int64 [n]); targets that see from the same record share one."""
        first = self.first_records(targets)
        begins, window = np.unique(first, return_inverse=True)
        window = window.reshape(-1)
        last = np.zeros(len(begins), dtype=np.int64)
        np.maximum.at(last, window, targets)
        width, each = self.header.shape[1], self.positions
        lines = last - begins + 1
        count = width + each * lines
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        pieces = np.full((int(offsets[-1]), WIDTH), ABSENT, dtype=np.int64)
        person = self.panel.person[begins]
        pieces[(offsets[:-1, None] + np.arange(width)).reshape(-1), 0] = self.header[person].reshape(-1)
        records = ranges(begins, lines)
        head = offsets[:-1] + width  # of the first line of each sequence
        line = np.repeat(head - each * (np.cumsum(lines) - lines), lines) + each * np.arange(len(records))
        self._write(pieces, records, line, np.isin(records, begins))
        at = width + each * (targets - first)
        return Sequences(pieces=pieces, offsets=offsets, first=begins, target=targets, window=window, at=at)

    def _write(self, pieces: IntArray, records: IntArray, line: IntArray, begins: np.ndarray) -> None:
        """The pieces of these records, whose lines begin at ``line``. begins: bool, the first of a sequence."""
        pieces[line, 0] = self._year[records]
        known = self._level[records]
        before = np.concatenate([[ABSENT], known[:-1]])
        pieces[line, 1] = np.where(begins | (known != before), known, ABSENT)
        title = 1 + self.panel.state[records].astype(np.int64)
        if self.positions == 1:
            pieces[line, 2] = np.where(begins, self._break, np.concatenate([[ABSENT], title[:-1]]))
            return
        pieces[line + 1, 0] = title
        if self.positions == 3:
            pieces[line + 2, 0] = self._break


def _fields(panel: Panel, options: TextOptions) -> list[tuple[list[str], IntArray]]:
    """The header: of each covariate that never changes its texts, and which of them each person has, int64 [P]."""
    found = []
    for name, covariate in sorted(panel.covariates.items(), key=lambda item: (item[0] == "birth_year", item[0])):
        if covariate.fixed and (options.birth_year if name == "birth_year" else options.demographics):
            words, index = _words(covariate)
            texts = [f" {name.replace('_', ' ')}: {word or 'unknown'}" for word in words]
            found.append((texts, index[panel.entries]))
    return found


def _education(panel: Panel) -> tuple[list[str], IntArray]:
    """The texts of the levels, and which of them each record's person was last known to have, int64 [N]; -1: none."""
    covariate = panel.covariates.get(EDUCATION)
    if covariate is None or covariate.fixed:
        return [], np.full(panel.n_records, -1, dtype=np.int64)
    words, index = _words(covariate)
    own = (index > 0) | np.isin(np.arange(panel.n_records), panel.entries)
    last = np.maximum.accumulate(np.where(own, np.arange(panel.n_records), 0))
    return [f" {word}" for word in words[1:]], index[last] - 1


def _words(covariate: Covariate) -> tuple[list[str], IntArray]:
    texts = written(covariate)
    return list(texts.strings), np.asarray(texts.index, dtype=np.int64)
