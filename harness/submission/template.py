"""The table that a file of probabilities must fill: every transition of the test split, without its outcome."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError, RunError
from harness.panel.careers import SPLITS, Panel, Split
from harness.system.files import replacing
from harness.types import IntArray

ENDINGS = (".csv", ".csv.gz", ".parquet")


def write_template(path: Path, panel: Panel, splits: tuple[Split, ...], entries: bool = False) -> list[Path]:
    """Write a row for each transition of these splits, and beside it a table of the states; the two files.

    A row says person, year (of the record that is predicted), split, and origin and origin_year, the state and the
    year of the record before it. entries: first records too, which have no origin. The table, ``NAME.states.csv``, says
    code, title, group and status of each state, in the panel's order. RequestError where the file is there already, or
    is not called as a table; RunError where it cannot be written.
    """
    ending = next((ending for ending in ENDINGS[::-1] if path.name.endswith(ending)), None)
    if ending is None:
        raise RequestError(f"--template {path}: name it {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    states = path.with_name(path.name.removesuffix(ending) + ".states.csv")
    for file in (path, states):
        if file.exists():
            raise RequestError(f"{file}: is there already; name another")
    records = np.union1d(panel.transitions, panel.entries) if entries else panel.transitions
    of_split = panel.split[panel.person[records]]
    records = np.concatenate([records[of_split == SPLITS.index(split)] for split in splits])
    if not len(records):
        raise RequestError(f"'{panel.name}' has no transition in its {' and '.join(splits)} split")
    of = panel.occupations
    described = {
        "code": of.codes,
        "title": of.titles,
        "group": of.groups,
        "status": tuple(s.value for s in of.statuses),
    }
    try:
        _write(path, _columns(panel, records))
        _write(states, {name: list(values) for name, values in described.items()})
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); name another place") from error
    return [path, states]


def _columns(panel: Panel, records: IntArray) -> dict[str, list[Any]]:
    codes = [*panel.occupations.codes, None]  # -1, the origin of a first record, is the last
    origin = panel.origin(records)
    before = panel.year[np.maximum(records - 1, 0)].tolist()
    return {
        "person": panel.persons[panel.person[records]].tolist(),
        "year": panel.year[records].tolist(),
        "split": [SPLITS[split] for split in panel.split[panel.person[records]].tolist()],
        "origin": [codes[state] for state in origin.tolist()],
        "origin_year": [year if state >= 0 else None for year, state in zip(before, origin.tolist(), strict=True)],
    }


def _write(path: Path, columns: dict[str, list[Any]]) -> None:
    with replacing(path) as draft:
        if path.suffix == ".parquet":
            import pyarrow as pa
            from pyarrow import parquet

            parquet.write_table(pa.table(columns), draft)
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        data = text.getvalue().encode()
        draft.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
