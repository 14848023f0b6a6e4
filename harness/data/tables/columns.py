"""Columns as files hold them, before anything is made of their values."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.types import BoolArray, FloatArray, IntArray

SOME = 1 << 14  # rows that are looked at first


@dataclass(frozen=True)
class TextColumn:
    """A column of text: row ``i`` holds ``distinct[index[i]]``. Blanks are the empty string.

    index: int32 or int64 [N]. Every check of a value looks at the distinct ones, of which there are few, and not at the
    N rows; ids of persons are many, so that what is true of all is asked of all at once (``plain``, ``digits``).
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

    @cached_property
    def plain(self) -> bool:
        """True where every value is of ASCII characters, at least one, and none of them a blank."""
        joined = "\n".join(self.distinct)
        return joined.isascii() and joined.split() == self.distinct

    @property
    def digits(self) -> bool:
        """True where every value is of the digits 0 to 9 alone."""
        return self.plain and (not self.distinct or "".join(self.distinct).isdigit())

    def blank(self) -> BoolArray:
        """bool [N]: the rows that are blank."""
        return np.zeros(len(self), dtype=bool) if self.plain else self.where(lambda value: not value)

    def change(self, change: Callable[[str], str]) -> TextColumn:
        """The column with every value changed; values that become equal become one."""
        changed = [change(value) for value in self.distinct]
        return self if changed == self.distinct else self.named(changed)

    def as_first_seen(self) -> TextColumn:
        """The column with each distinct value once, in the order of their first rows; those of no row are gone."""
        first = self._first_rows()
        rising = (np.diff(first) > 0).all() and (not len(first) or first[-1] < len(self))
        if rising and len(set(self.distinct)) == len(self.distinct):
            return self
        order = np.argsort(first)[: np.count_nonzero(first < len(self))]
        place = np.zeros(len(self.distinct), dtype=self.index.dtype)
        place[order] = np.arange(len(order))
        names = [self.distinct[k] for k in order.tolist()]
        return TextColumn(names, place[self.index]).named(names)

    def _first_rows(self) -> IntArray:
        """int64 [d]: the first row of each distinct value; N where no row has it."""
        first = np.full(len(self.distinct), len(self), dtype=np.int64)
        for some in (self.index[:SOME], self.index):  # few values have all been met soon
            first[some[::-1]] = np.arange(len(some) - 1, -1, -1)  # the first row is written last, and stays
            if (first < len(self)).all():
                break
        return first

    def named(self, names: list[str]) -> TextColumn:
        """The column with these in the place of its distinct values; those that are alike become one."""
        position: dict[str, int] = {}
        target = np.array([position.setdefault(name, len(position)) for name in names], dtype=self.index.dtype)
        return TextColumn(list(position), target[self.index])

    def take(self, rows: IntArray) -> TextColumn:
        """The column of these rows (int64 [n]): its distinct values are those that occur there."""
        index = self.index[rows]
        used = np.flatnonzero(np.bincount(index, minlength=len(self.distinct)))
        place = np.zeros(len(self.distinct), dtype=self.index.dtype)
        place[used] = np.arange(len(used))
        return TextColumn([self.distinct[k] for k in used.tolist()], place[index])

    def stripped(self) -> TextColumn:
        """The column without blanks around its values, and with accents that are one character each (Unicode's NFC)."""
        return self if self.plain else self.change(lambda value: unicodedata.normalize("NFC", value.strip()))

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
        if not pa.types.is_integer(array.type):
            return encode(array.cast(pa.string()))
        coded = array.dictionary_encode()  # each number is written out once
        return encode(pa.DictionaryArray.from_arrays(coded.indices, coded.dictionary.cast(pa.string())))

    def take(self, rows: IntArray) -> NumberColumn:
        """The column of these rows (int64 [n])."""
        return NumberColumn(self.array.take(arrow_rows(rows)))

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

        values, missing = numpy_values(self.array.cast(pa.float64(), safe=False))
        return np.array(values) if missing is None else np.where(missing, np.nan, values)


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

    Distinct values stand in the order in which they first appear, and each of them does; of what is encoded already, as
    there (``TextColumn.as_first_seen``).
    """
    import pyarrow as pa

    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    if not pa.types.is_dictionary(chunked.type):
        chunked = chunked.dictionary_encode()
    encoded = chunked.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    distinct = [value or "" for value in encoded.dictionary.to_pylist()]
    index, missing = numpy_values(encoded.indices)
    if missing is not None:
        if "" not in distinct:
            distinct.append("")
        index = np.where(missing, distinct.index(""), index)
    return TextColumn(distinct, np.asarray(index, dtype=np.int32))


def numpy_values(array: Any) -> tuple[Any, BoolArray | None]:
    """The numbers of a pyarrow.Array, not copied, and where there are none (bool [N]), or None where all are there.

    ``to_numpy`` would import pandas first, which takes longer than a million numbers do.
    """
    import pyarrow as pa

    validity, data = array.buffers()
    bare = pa.Array.from_buffers(array.type, len(array), [None, data], offset=array.offset)
    if not array.null_count:
        return np.from_dlpack(bare), None
    bits = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), bitorder="little")
    return np.from_dlpack(bare), bits[array.offset : array.offset + len(array)] == 0


def release_arrow() -> None:
    """Give the memory back that pyarrow keeps for its next table: as much as the file took."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()


def arrow_rows(rows: IntArray) -> Any:
    """Positions as a pyarrow.Array; ``pyarrow.array`` would import pandas."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows, np.int64))])


def arrow_text(values: list[str]) -> Any:
    """A pyarrow.Array of strings; as ``arrow_rows``."""
    import pyarrow as pa

    parts = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(parts), pa.py_buffer(ends), pa.py_buffer(b"".join(parts)))
