"""Ways to break a file, as hypothesis draws them: of bytes, of tables and of JSON."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

TOKENS = tuple(
    text.encode() if isinstance(text, str) else text
    for text in (
        *("", " ", "\t", "\n", "\r", "\r\n", "\n\n", ",", ";", '"', "'", "\0", "\x1a", "\ufeff", "\u2028", "\u202e"),
        *(
            "0",
            "-0",
            "-1",
            "1",
            "2",
            "007",
            "1e3",
            "1e309",
            "-1e309",
            "1e-320",
            "0x10",
            "1_000",
            "1,000",
            "9" * 25,
            "9" * 5000,
            "2001-99-99",
            ".inf",
        ),
        *("nan", "NaN", "inf", "-Infinity", "NA", "None", "null", ".", "-", "true", "2000.0", "2000.5", "98", "20000"),
        *("é", "e\u0301", "ß", "İ", "٣", "①", "\U0001f600", "a" * 5000, "../../x", "=1+1", "{{ 1 }}", "{% x %}", "%s"),
        *(
            "[" * 3000,
            '{"a":' * 3000,
            "{}",
            "[]",
            "!!python/object:os.system",
            "&a [*a]",
            "*a",
            "<<",
            "---",
            ": ",
            "- ",
        ),
        *(b"\xff", b"\xc3\x28", b"\xff\xfe", b"\x00" * 64, b"\x80" * 8, b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"GGUF"),
    )
)
WEIRD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**400), 0.0, -0.0, 0.5, 1e-320, 1e308, -1e308),
    *(float("nan"), float("inf"), "", " ", "nan", "x", "a/b", "../../x", "\0", "\ud800", "é", "a" * 5000, [], {}, [[]]),
    *([None], {"a": 1}, [1] * 1000, "2000-01-01T00:00:00", "2000-01-01T00:00:00Z", "0" * 64),
)
places = st.floats(0, 1, exclude_max=True)
OPERATIONS = (
    "replace",
    "insert",
    "cut",
    "truncate",
    "flip",
    "double",
    "swap lines",
    "drop line",
    "cell",
    "column",
    "head",
)


@dataclass(frozen=True)
class Mutation:
    """One change. at, to: places as shares of what there is; token: what is put there."""

    operation: str
    at: float
    to: float
    token: int

    def on_bytes(self, content: bytes) -> bytes:
        """The content, changed."""
        size = len(content)
        i, j = sorted((int(self.at * (size + 1)), int(self.to * (size + 1))))
        token = TOKENS[self.token % len(TOKENS)]
        if self.operation == "replace":
            return content[:i] + token + content[min(i + max(1, len(token) % 8), size) :]
        if self.operation == "insert":
            return content[:i] + token + content[i:]
        if self.operation == "cut":
            return content[:i] + content[j:]
        if self.operation == "truncate":
            return content[:i]
        if self.operation == "double":
            return content[:j] + content[i:]
        if self.operation == "flip":
            return content[:i] + bytes(b ^ (1 << self.token % 8) for b in content[i : i + 1]) + content[i + 1 :]
        return self._lines(content, token)

    def _lines(self, content: bytes, token: bytes) -> bytes:
        lines = content.split(b"\n")
        i, j = int(self.at * len(lines)), int(self.to * len(lines))
        if self.operation == "swap lines":
            lines[i], lines[j] = lines[j], lines[i]
        elif self.operation == "drop line":
            del lines[i]
        elif self.operation == "cell":
            cells = lines[i].split(b",")
            cells[int(self.to * len(cells))] = token
            lines[i] = b",".join(cells)
        elif self.operation == "head":
            cells = lines[0].split(b",")
            cells[int(self.to * len(cells))] = token
            lines[0] = b",".join(cells)
        else:  # column: the same in every line
            column = int(self.to * len(lines[0].split(b",")))
            cut = [line.split(b",") for line in lines]
            lines = [
                b",".join([*c[:column], token, *c[column + 1 :]]) if n and len(c) > column else b",".join(c)
                for n, c in enumerate(cut)
            ]
        return b"\n".join(lines)

    def on_json(self, content: Any) -> Any:
        """The content of a JSON file with one value, chosen by its place among all, changed or gone."""
        spots = list(_spots(content))
        if not spots:
            return content
        holder, key = spots[int(self.at * len(spots))]
        value = WEIRD[self.token % len(WEIRD)]
        if self.operation in ("cut", "drop line"):
            del holder[key]
        elif self.operation == "insert" and isinstance(holder, dict):
            holder[f"{key}x"] = value
        elif self.operation in ("double", "insert") and isinstance(holder, list):
            holder.append(holder[key])
        elif self.operation == "flip" and isinstance(holder[key], int | float):
            holder[key] = -holder[key] if self.to < 0.5 else holder[key] * 10 + 1
        elif self.operation == "swap lines":
            other, place = spots[int(self.to * len(spots))]
            holder[key], other[place] = other[place], holder[key]
        else:
            holder[key] = value
        return content


def _spots(content: Any) -> Any:
    """Every (container, key) of a JSON tree; of long lists a few."""
    inner = content.items() if isinstance(content, dict) else enumerate(content[:3])
    for key, value in list(inner):
        yield content, key
        if isinstance(value, dict | list):
            yield from _spots(value)


mutations = st.lists(
    st.builds(Mutation, st.sampled_from(OPERATIONS), places, places, st.integers(0, 10_000)), min_size=1, max_size=3
)


def of_bytes(content: bytes, changes: list[Mutation]) -> bytes:
    """The content with these changes, one after the other."""
    for change in changes:
        content = change.on_bytes(content)
    return content


def of_json(content: bytes, changes: list[Mutation]) -> bytes:
    """As ``of_bytes``, by the values; by the bytes where the last change's place says so."""
    if changes[-1].to > 0.8:
        return of_bytes(content, changes)
    tree = json.loads(content)
    try:
        for change in changes:
            tree = change.on_json(tree)
        return json.dumps(tree).encode()
    except (ValueError, RecursionError, UnicodeEncodeError):  # a value swapped into itself
        return of_bytes(content, changes)


def of_gzip(content: bytes, changes: list[Mutation]) -> bytes:
    """The packed content, changed; the packing itself where the last change's place says so."""
    if changes[-1].to > 0.5:
        return of_bytes(content, changes)
    return gzip.compress(of_bytes(gzip.decompress(content), changes), mtime=0)


def of_parquet(content: bytes, changes: list[Mutation]) -> bytes:
    """The bytes; or the table, of which a column takes another type or other values."""
    if changes[-1].to > 0.6:
        return of_bytes(content, changes)
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(pa.BufferReader(content))
    for change in changes:
        place = int(change.at * table.num_columns)
        name, n = table.column_names[place], table.num_rows
        column = _COLUMNS[change.token % len(_COLUMNS)](table.column(place), n)
        if change.operation == "cut" and table.num_columns > 1:
            table = table.remove_column(place)
        elif change.operation == "double":
            table = table.append_column(name, column)
        else:
            table = table.set_column(place, name, column)
    made = io.BytesIO()
    parquet.write_table(table, made)
    return made.getvalue()


def _values(*values: Any) -> Callable[[Any, int], Any]:
    def made(column: Any, n: int) -> Any:
        import pyarrow as pa

        return pa.chunked_array([pa.array([values[i % len(values)] for i in range(n)])])

    return made


def _cast(kind: str) -> Callable[[Any, int], Any]:
    def made(column: Any, n: int) -> Any:
        import pyarrow as pa

        for other in (getattr(pa, kind)(), pa.dictionary(pa.int32(), pa.string())):
            with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                return column.cast(other)
        return column

    return made


_COLUMNS: tuple[Callable[[Any, int], Any], ...] = (
    *(
        _cast(kind)
        for kind in ("string", "large_string", "binary", "float64", "float32", "int8", "int64", "bool_", "date32")
    ),
    *(_values(value) for value in (None, "", 0, -1, 1.5, float("nan"), float("inf"), True, b"\xff", [1], {"a": 1})),
    *(
        _values(*some)
        for some in ((1, None), (0.1, 0.9), ("a", "é"), (2**53, 2**53 + 1), (2**63 - 1, 0), (1e300, -1e300))
    ),
    _values(*range(1990, 2020)),
)


def rows_of(text: str) -> list[list[str]]:
    """The rows of a csv file, for a second opinion."""
    return [row for row in csv.reader(io.StringIO(text)) if row]
