"""Resume corpora as published: JobHop, KARRIEREWEGE and DECORTE, as spells of an occupation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.surveys.bundle import Bundle
from harness.errors import DataError, Fault
from harness.types import IntArray, StrArray

FIRST, LAST = 1940, 2040  # years within which a date is taken to be one
QUARTER = re.compile(r"Q([1-4])\s+(\d{4})")
MONTHS = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})(-\d{1,2})?"),
    re.compile(r"(?P<month>\d{1,2})/(?P<year>\d{4})"),
)
OPEN = re.compile(r"present|current|now|ongoing|today", re.IGNORECASE)
NO_DATE, NOW = -1, -2
FIRST_STEP = 2000  # the year that stands for the first step of a corpus without dates
UNKNOWN = ("", "unknown", "nan", "none")


@dataclass(frozen=True)
class Spells:
    """Spells of resumes, N of them. start, end: int64, months since the year 0; the end's own month is not in it.

    code: '' where the corpus gives none. title: '' likewise. level: schooling, '' where it is not told. left_out:
    reason -> count.
    """

    person: StrArray
    start: IntArray
    end: IntArray
    code: StrArray
    title: StrArray
    level: StrArray
    left_out: dict[str, int]


def read_resumes(bundle: Bundle, corpus: str) -> Spells:
    """The spells of a corpus. DataError where a file lacks a column that was published with it."""
    files = bundle.ending(".csv", ".csv.gz", ".parquet")
    if not files:
        raise bundle.missing(f"table of {corpus} (.csv or .parquet)")
    readers: dict[str, Callable[[Any, str], Spells]] = {
        "jobhop": _jobhop,
        "karrierewege": _karrierewege,
        "decorte": _decorte,
    }
    parts = [readers[corpus](_table(path), path.name) for path in files]
    left_out: dict[str, int] = {}
    for part in parts:
        for reason, count in part.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("person", "start", "end", "code", "title", "level")
    }
    return Spells(**joined, left_out=left_out)


def _table(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    try:
        if path.suffix == ".parquet":
            return parquet.read_table(path)
        return arrow_csv.read_csv(path, parse_options=arrow_csv.ParseOptions(newlines_in_values=True))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError([Fault(path.name, f"cannot be read: {str(error).splitlines()[0]}")]) from error


def _words(table: Any, name: str) -> StrArray:
    """str [N]: a column as text, '' where it is missing or not there."""
    import pyarrow as pa

    if name not in table.column_names:
        return np.full(table.num_rows, "", dtype=np.str_)
    column = table.column(name)
    filled = column.cast(pa.string()).fill_null("") if not pa.types.is_null(column.type) else None
    if filled is None:
        return np.full(table.num_rows, "", dtype=np.str_)
    return np.char.strip(np.array(filled.to_pylist(), dtype=np.str_))


def _first_of(table: Any, file: str, names: tuple[str, ...]) -> StrArray:
    for name in names:
        if name in table.column_names:
            return _words(table, name)
    held = ", ".join(table.column_names[:8])
    raise DataError([Fault(file, f"has no column {' or '.join(names)}; it has {held}", line=1)])


def _jobhop(table: Any, file: str) -> Spells:
    """Columns as on the Hugging Face hub: resume_id, matched_code, start_date, end_date, university_level."""
    start = _months(_first_of(table, file, ("start_date",)))
    end = _months(_first_of(table, file, ("end_date",)))
    return _kept(
        person=_first_of(
            table,
            file,
            (
                "resume_id",
                "person_id",
            ),
        ),
        start=start,
        end=end,
        code=_first_of(table, file, ("matched_code",)),
        title=_words(table, "matched_label"),
        level=_words(table, "university_level" if "university_level" in table.column_names else "university_studies"),
    )


def _karrierewege(table: Any, file: str) -> Spells:
    """Columns _id, experience_order, preferredLabel_en: an order and no dates, so that each step counts as a year."""
    order = _first_of(table, file, ("experience_order",))
    step = np.array([int(float(word)) if word else NO_DATE for word in order.tolist()], dtype=np.int64)
    start = np.where(step < 0, NO_DATE, (FIRST_STEP + step) * 12)
    title = _first_of(
        table,
        file,
        (
            "preferredLabel_en",
            "new_job_title_en_occ",
            "new_job_title_en_cp",
        ),
    )
    blank = np.full(len(title), "", dtype=np.str_)
    return _kept(
        person=_first_of(table, file, ("_id",)), start=start, end=start + 12, code=blank, title=title, level=blank
    )


def _decorte(table: Any, file: str) -> Spells:
    """One row a resume: identifier, and for each experience k title_k, start_k, end_k, ESCO_uri_k, ESCO_title_k."""
    person = _first_of(table, file, ("identifier",))
    places = sorted(int(name[6:]) for name in table.column_names if re.fullmatch(r"title_\d+", name))
    if not places:
        raise DataError([Fault(file, "has no column title_0", line=1)])
    starts, ends, titles, persons = [], [], [], []
    for k in places:
        esco, free = _words(table, f"ESCO_title_{k}"), _words(table, f"title_{k}")
        given = np.flatnonzero(np.char.str_len(free) + np.char.str_len(esco) > 0)
        starts.append(_months(_words(table, f"start_{k}")[given]))
        ends.append(_months(_words(table, f"end_{k}")[given]))
        titles.append(np.where(np.char.str_len(esco) > 0, esco, free)[given])
        persons.append(person[given])
    title = np.concatenate(titles)
    blank = np.full(len(title), "", dtype=np.str_)
    return _kept(
        person=np.concatenate(persons),
        start=np.concatenate(starts),
        end=np.concatenate(ends),
        code=blank,
        title=title,
        level=blank,
    )


def _months(words: StrArray) -> IntArray:
    """int64 [N]: months since the year 0; ``NOW`` of 'Present', ``NO_DATE`` of what is no date."""
    distinct, index = np.unique(words, return_inverse=True)
    return np.array([_month(word) for word in distinct.tolist()], dtype=np.int64)[index]


def _month(word: str) -> int:
    if match := QUARTER.fullmatch(word):
        return int(match[2]) * 12 + (int(match[1]) - 1) * 3
    for pattern in MONTHS:
        if match := pattern.fullmatch(word):
            return int(match["year"]) * 12 + int(match["month"]) - 1
    if re.fullmatch(r"\d{4}", word):
        return int(word) * 12
    return NOW if OPEN.search(word) else NO_DATE


def _kept(
    *, person: StrArray, start: IntArray, end: IntArray, code: StrArray, title: StrArray, level: StrArray
) -> Spells:
    """Spells with a known occupation and a start; an open one lasts to the last date, one without an end a month."""
    end = np.where(end == NOW, max(int(start.max(initial=0)), int(end.max(initial=0))) + 1, end)
    dated = (start >= FIRST * 12) & (start < LAST * 12)
    unknown = np.isin(np.char.lower(code), UNKNOWN) & np.isin(np.char.lower(title), UNKNOWN)
    backwards = dated & (end >= 0) & (end < start)
    kept = np.flatnonzero(dated & ~unknown & ~backwards)
    left_out = {
        "spells without a start date": int((~dated).sum()),
        "spells of an unknown occupation": int((dated & unknown).sum()),
        "spells that end before they begin": int((backwards & ~unknown).sum()),
        "spells whose end is not told, which count for their first month": int((end[kept] < 0).sum()),
    }
    last = np.minimum(np.maximum(end, start + 1), LAST * 12)
    return Spells(
        person=person[kept],
        start=start[kept],
        end=last[kept],
        code=code[kept],
        title=title[kept],
        level=level[kept],
        left_out={reason: count for reason, count in left_out.items() if count},
    )
