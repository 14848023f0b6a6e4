"""The rows of a file put where they belong, each checked on its way: known, new, and a number that can be one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from harness.data.checks.careers import lost_zeros, unknown_codes
from harness.data.tables.columns import TextColumn
from harness.data.tables.mapping import NUMBER_ID
from harness.errors import RequestError
from harness.panel.careers import SPLITS
from harness.submission.layout import FileLayout
from harness.submission.places import Places, Wanted, where
from harness.submission.rows import RowBatch
from harness.system.words import counted
from harness.types import BoolArray, FloatArray, IntArray

YEAR = re.compile(r"[+-]?\d{1,9}(\.0*)?")
ROUNDING = 1e-9  # how far above one a probability may be that was computed in float64
TEMPLATE = "'harness score --template FILE' lists them"


class Reading:
    """The probabilities read so far.

    values: float64 [n, m], of the n transitions wanted, NaN where nothing was said yet. stamp: int64 [n m], in a wide
    file [n]: the row of the file that said it, -1 for none.
    """

    def __init__(self, layout: FileLayout, places: Places, wanted: Wanted) -> None:
        self.layout, self.places, self.wanted, self.panel = layout, places, wanted, places.panel
        n = len(wanted.records)
        self.place = np.full(self.panel.n_records, -1, dtype=np.int64)
        self.place[wanted.records] = np.arange(n)
        self.values = np.full((n, wanted.m), np.nan)
        self.stamp = np.full(n * (1 if layout.form == "wide" else wanted.m), -1, dtype=np.int64)
        self.unused: dict[str, int] = {}
        self.partly_valid = False
        self._is_first: IntArray = np.bincount(self.panel.entries, minlength=self.panel.n_records)
        self._codes = {code: k for k, code in enumerate(self.panel.occupations.codes)}

    def take(self, batch: RowBatch) -> int:
        """Check a batch and keep what is wanted of it; how many numbers that were."""
        record = self._records(batch)
        slot = np.where(record >= 0, self.place[record], -1)
        kept = np.flatnonzero(slot >= 0)
        self._count_unused(record[slot < 0])
        slot, values = slot[kept], batch.values[kept]
        if batch.state is not None and self.layout.form == "long":
            slot = slot * self.wanted.m + self._states(batch, batch.state, kept)
        self._require_new(batch, slot, kept)
        self._require_numbers(batch, kept, values)
        if self.layout.form == "wide":
            self.values[slot] = values
        else:
            self.values.reshape(-1)[slot] = values[:, 0]
        return values.size

    def _fault(self, batch: RowBatch, row: int, column: str | None, value: str | None, message: str) -> RequestError:
        return RequestError(self.layout.fault(message, batch.first + row, column, value))

    def _records(self, batch: RowBatch) -> IntArray:
        """int64 [n]: the record of each row; -1 for those of the training split, which nobody looks up."""
        person = self._persons(batch)
        is_train = self.panel.split[person] == SPLITS.index("train")
        year = self._years(batch)
        record = np.where(is_train, -1, self.places.records(person, year))
        unknown = np.flatnonzero((record < 0) & ~is_train)
        if len(unknown):
            row = int(unknown[0])
            at = int(person[row])
            known = self.panel.year[self.panel.offsets[at] : self.panel.offsets[at + 1]]
            raise self._fault(
                batch,
                row,
                column=self.layout.year,
                value=batch.year.row(row),
                message=f"person '{batch.person.row(row)}' has no record of this year; theirs are of {known[0]} to "
                f"{known[-1]}{', not all in between' if known[-1] - known[0] >= len(known) else ''}",
            )
        return record

    def _persons(self, batch: RowBatch) -> IntArray:
        ids = self.places.persons
        found = [ids.get(value, ids.get(_as_number(value), -1)) for value in batch.person.distinct]
        unknown = _first(batch.person, [at < 0 for at in found])
        if unknown is not None:
            value = batch.person.row(unknown)
            with_zeros = lost_zeros([value], ids)
            message = f"no person of '{self.panel.name}' has this id"
            if not value:
                message = "is blank: every row needs the id of its person"
            elif value in with_zeros:
                message = f"has lost its leading zeros: the id is '{with_zeros[value]}'; read and write ids as text"
            raise self._fault(batch, unknown, column=self.layout.person, value=value, message=message)
        return np.array(found, dtype=np.int64)[batch.person.index]

    def _years(self, batch: RowBatch) -> IntArray:
        wrong = _first(batch.year, [YEAR.fullmatch(value) is None for value in batch.year.distinct])
        if wrong is not None:
            message = "is no calendar year, which is written as 1998"
            raise self._fault(batch, wrong, column=self.layout.year, value=batch.year.row(wrong), message=message)
        years = [int(value.partition(".")[0]) for value in batch.year.distinct]
        return np.array(years, dtype=np.int64)[batch.year.index]

    def _states(self, batch: RowBatch, column: TextColumn, kept: IntArray) -> IntArray:
        found = np.array([self._codes.get(code, -1) for code in column.distinct], dtype=np.int64)
        states = found[column.index[kept]]
        unknown = np.flatnonzero(states < 0)
        if len(unknown):
            row = int(kept[unknown[0]])
            value = column.row(row)
            message = unknown_codes([value], list(self._codes))[value] if value else "is blank: write the state's code"
            raise self._fault(batch, row, column=self.layout.state, value=value, message=message)
        return states

    def _require_new(self, batch: RowBatch, slot: IntArray, kept: IntArray) -> None:
        """RequestError where something is said twice, in this batch or since an earlier one."""
        rows = batch.first + kept
        before = self.stamp[slot]
        self.stamp[slot] = rows
        again = np.flatnonzero((before >= 0) | (self.stamp[slot] != rows))
        if not len(again):
            return
        here = int(again[0])
        of_batch = np.flatnonzero(slot == slot[here])  # in this batch
        second = here if before[here] >= 0 else int(of_batch[1])
        first = int(before[here]) if before[here] >= 0 else int(rows[of_batch[0]])
        message = f"{_what(batch, int(kept[second]))} stands in {self.layout.at(first)} already: keep one"
        raise self._fault(batch, int(kept[second]), column=None, value=None, message=message)

    def _require_numbers(self, batch: RowBatch, kept: IntArray, values: FloatArray) -> None:
        if self.layout.log:
            wrong, right = ~(values <= ROUNDING), "a log-probability is a number of zero or less"
        else:
            wrong, right = ~((values >= 0) & (values <= 1 + ROUNDING)), "a probability is a number from 0 to 1"
        if wrong.any():
            at, column = (int(i) for i in np.argwhere(wrong)[0])
            row, value = int(kept[at]), float(values[at, column])
            told = "" if np.isnan(value) else f"{value:g}"
            right += "" if self.layout.log else _other_scale(values)
            raise self._fault(
                batch, row, column=self.layout.values[column], value=told, message=f"{_what(batch, row)}: {right}"
            )

    def _count_unused(self, record: IntArray) -> None:
        train = int((record < 0).sum())
        rest = record[record >= 0]
        first = int(self._is_first[rest].sum())
        for what, rows in (
            ("of the training split", train),
            ("of first records, which no transition ends in", first),
            ("of transitions that are not at risk", len(rest) - first),
        ):
            if rows:
                self.unused[what] = self.unused.get(what, 0) + rows

    def covered(self) -> IntArray:
        """The records covered: all of test, and all of valid or none. RequestError where one of test is not."""
        seen = (self.stamp >= 0).reshape(len(self.wanted.records), -1)
        n = len(self.wanted.test)
        self._require_whole(seen[:n])
        valid = seen[n:]
        self.partly_valid = bool(valid.any() and not valid.all())
        return self.wanted.records if len(valid) and valid.all() else self.wanted.test

    def _require_whole(self, seen: BoolArray) -> None:
        file, n = self.layout.path.name, len(seen)
        untold = np.flatnonzero(~seen.any(axis=1))
        if len(untold):
            raise RequestError(
                f"{file}: nothing is said of {where(self.panel, self.wanted.test[untold[0]])}"
                f"{_more(len(untold), n, 'nor of')}: every transition of the test split is needed, by the year that is "
                f"predicted; {TEMPLATE}"
            )
        partly = np.flatnonzero(~seen.all(axis=1))
        if len(partly):
            states = seen[partly[0]]
            code = self.panel.occupations.codes[int(np.flatnonzero(~states)[0])]
            raise RequestError(
                f"{file}: of {where(self.panel, self.wanted.test[partly[0]])} state '{code}' is missing: {states.sum()}"
                f" of {len(states)} states are there{_more(len(partly), n, 'and so of')}, and each needs a probability"
            )

    def notes(self) -> list[str]:
        """Remarks on parts of the file that were not used."""
        told = [f"not used: {counted(rows, 'row')} {what}" for what, rows in self.unused.items()]
        if self.partly_valid:
            told.append("not used: rows of the validation split, since not all of it is there")
        return told


def _what(batch: RowBatch, row: int) -> str:
    state = "" if batch.state is None else f", state '{batch.state.row(row)}'"
    return f"person '{batch.person.row(row)}', year {batch.year.row(row)}{state}"


def _more(count: int, of: int, how: str) -> str:
    return f" ({how} {count - 1:,} more of {of:,} transitions)" if count > 1 else ""


def _as_number(value: str) -> str:
    """'3.0' is '3': a program that keeps ids as numbers writes them so beside a blank."""
    return value.partition(".")[0] if NUMBER_ID.fullmatch(value) else value


def _first(column: TextColumn, wrong: Sequence[bool]) -> int | None:
    """The first row whose value is wrong, from which of the distinct values are."""
    if not any(wrong):
        return None
    return int(np.flatnonzero(np.array(wrong)[column.index])[0])


def _other_scale(values: FloatArray) -> str:
    """The end of a message about numbers that are no probabilities: the scale that all of them may be of, if any."""
    if (values <= ROUNDING).all():
        return "; --log reads natural logarithms"
    if (values >= 0).all() and 1 + ROUNDING < values.max() <= 100 * (1 + ROUNDING):
        return "; divide percentages by 100"
    return ""
