"""Columns as files hold them, before anything is made of their values."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class TextColumn:
    """A column of text: row ``i`` holds ``distinct[index[i]]``. Blanks are the empty string.

    Every check of a value looks at the distinct ones, of which there are few, and not at the N rows.
    """

    distinct: list[str]
    index: IntArray

    @property
    def type(self) -> str:
        return "text"

    def __len__(self) -> int:
        return len(self.index)

    def text(self) -> TextColumn:
        return self

    def row(self, row: int) -> str:
        return self.distinct[int(self.index[row])]

    def where(self, test: Callable[[str], bool]) -> BoolArray:
        """bool [N]: the rows whose value passes."""
        chosen = np.fromiter((test(value) for value in self.distinct), dtype=bool, count=len(self.distinct))
        return np.asarray(chosen[self.index], dtype=bool)

    def change(self, change: Callable[[str], str]) -> TextColumn:
        """The column with every value changed; values that become equal become one."""
        changed = [change(value) for value in self.distinct]
        if changed == self.distinct:
            return self
        position: dict[str, int] = {}
        target = np.array([position.setdefault(value, len(position)) for value in changed], dtype=np.int64)
        return TextColumn(list(position), target[self.index])

    def take(self, rows: IntArray) -> TextColumn:
        """The column of these rows (int64 [n]): its distinct values are those that occur there."""
        index = self.index[rows]
        used = np.unique(index)
        place = np.zeros(len(self.distinct), dtype=np.int64)
        place[used] = np.arange(len(used))
        return TextColumn([self.distinct[k] for k in used.tolist()], place[index])

    def stripped(self) -> TextColumn:
        """The column without blanks around its values, and with accents that are one character each (Unicode's NFC)."""
        return self.change(lambda value: unicodedata.normalize("NFC", value.strip()))

    @cached_property
    def used(self) -> IntArray:
        """int64 [d]: how many rows hold each distinct value."""
        return np.bincount(self.index, minlength=len(self.distinct)).astype(np.int64)


@dataclass(frozen=True)
class NumberColumn:
    """A column that its file already declares to be numbers (parquet, Stata, SPSS, SAS, R, a spreadsheet)."""

    array: Any  # a pyarrow.Array; pyarrow ships no types

    @property
    def type(self) -> str:
        return f"{self.array.type}"

    def __len__(self) -> int:
        return len(self.array)

    def text(self) -> TextColumn:
        """The numbers written out; integers of any size stay exact, and whole numbers have no decimals."""
        import pyarrow as pa
        import pyarrow.compute as pc

        array = self.array
        exact = pa.types.is_floating(array.type) and self.first_inexact() is None
        if exact and pc.all(pc.equal(array, pc.round(array))).as_py() is not False:
            array = array.cast(pa.int64())
        return encode(array.cast(pa.string()))

    def take(self, rows: IntArray) -> NumberColumn:
        """The column of these rows (int64 [n])."""
        import pyarrow as pa

        return NumberColumn(self.array.take(pa.array(rows)))

    def first_inexact(self) -> int | None:
        """The first row whose number is so large that its neighbours are the same in the column's type, if any."""
        import pyarrow as pa

        if not pa.types.is_floating(self.array.type):
            return None
        digits = {16: 11, 32: 24, 64: 53}[self.array.type.bit_width]
        rows = np.flatnonzero(np.abs(self.numbers()) >= 2.0**digits)
        return int(rows[0]) if len(rows) else None

    def numbers(self) -> FloatArray:
        """float64 [N], NaN for missing."""
        import pyarrow as pa

        values = self.array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(values, dtype=np.float64)


Column = TextColumn | NumberColumn


@dataclass(frozen=True)
class TextTable:
    """One file: its name, its columns, and where each of its rows stands.

    lines: int64 [N], the line on which each row begins, or for parquet the row, counted from 1. header_line: 1, or
    None for parquet. left_out: reason -> count of what was passed over. facts: what the file was taken to be, such as
    its delimiter. titles: column -> what the file says that it is. labels: column -> value -> label. origin: column ->
    the column of the file that each row's entry stands in, where that is not the column itself.
    """

    file: str
    columns: Mapping[str, Column]
    rows: int
    lines: IntArray
    header_line: int | None = 1
    left_out: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    origin: Mapping[str, TextColumn] = field(default_factory=dict)

    def take(self, rows: IntArray) -> TextTable:
        """The table of these rows (int64 [n]), in this order."""
        return replace(
            self,
            columns={name: column.take(rows) for name, column in self.columns.items()},
            rows=len(rows),
            lines=self.lines[rows],
            origin={name: column.take(rows) for name, column in self.origin.items()},
        )

    def without(self, gone: BoolArray, reason: str) -> TextTable:
        """The table without these rows (bool [N]), which are counted under the reason."""
        count = int(gone.sum())
        if not count:
            return self
        left_out = {**self.left_out, reason: self.left_out.get(reason, 0) + count}
        return replace(self.take(np.flatnonzero(~gone)), left_out=left_out)


def encode(array: Any) -> TextColumn:
    """A text column from a pyarrow array (chunked or not) of strings, or of strings that pyarrow itself encoded.

    Distinct values stand in the order in which they first appear, and each of them does.
    """
    import pyarrow as pa

    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    if not pa.types.is_dictionary(chunked.type):
        chunked = chunked.dictionary_encode()
    encoded = chunked.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    distinct = [value or "" for value in encoded.dictionary.to_pylist()]
    index = encoded.indices
    if index.null_count:
        if "" not in distinct:
            distinct.append("")
        index = index.fill_null(distinct.index(""))
    return TextColumn(distinct, np.asarray(index.to_numpy(zero_copy_only=False), dtype=np.int64))
