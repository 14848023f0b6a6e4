"""Writes a panel to files that the readers read back."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.data.covariates import SCHEMA_FILE
from harness.data.formats.career_files import JOB, OCCUPATIONS, YEAR
from harness.data.open import open_panel
from harness.errors import HarnessError, RequestError, RunError
from harness.panel import time
from harness.panel.careers import SPLITS, Covariate, Panel
from harness.panel.occupations import Occupations
from harness.system.folders import filling
from harness.types import StrArray

Format = Literal["csv.gz", "csv", "parquet", "career"]
PARTS = ("person", "year", "occupation", "split")


def write_panel(panel: Panel, folder: Path, kind: Format = "csv.gz") -> list[Path]:
    """Write a panel folder, or with ``career`` the CAREER paper's files; the files written.

    A panel folder holds ``careers``, ``occupations.csv`` and ``columns.json``, the kind and the levels of each
    covariate, which values alone do not tell, persons in the order of their ids; it is read back and compared,
    fingerprint by fingerprint. CAREER files
    lose person ids and kinds, spaces become underscores and missing entries 'missing'; titles and statuses stand in an
    ``occupations.csv`` beside them.

    Raises RequestError where the folder holds files already, or a covariate has the name of another column, or a level
    is blank; RunError where what was written does not read back equal, and where it cannot be written. The folder is
    there whole or, after an error or a kill, not at all.
    """
    require_new(folder)
    require_columns(panel.covariates)
    panel = _unbroken_codes(panel) if kind == "career" else panel.in_order()
    with filling(folder) as draft:
        write_occupations(panel.occupations, draft / OCCUPATIONS)
        if kind == "career":
            _write_career(panel, draft)
        else:
            write_careers(panel, draft / f"careers.{kind}")
            write_schema(panel.covariates, draft / SCHEMA_FILE)
            _compare(panel, draft, folder)
    return sorted(folder.iterdir())


def require_new(folder: Path) -> None:
    """RequestError where a folder that is to be written holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder}: already holds something; name a new folder")


def require_columns(covariates: Mapping[str, Covariate]) -> None:
    """RequestError where a covariate has the name of another column, or a level that would read as missing."""
    for name, covariate in covariates.items():
        if name in PARTS or name.strip() != name or not name:
            raise RequestError(f"covariate '{name}' cannot be a column beside {', '.join(PARTS)}: give it another name")
        if any(not level.strip() for level in covariate.levels):
            raise RequestError(f"covariate '{name}' has a blank level, which would read as missing: give it a name")


def write_occupations(states: Occupations, path: Path) -> None:
    """The table of the states, as every panel folder has it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = {"code": states.codes, "title": states.titles, "group": states.groups}
        if states.minors:
            columns["minor"] = states.minors
        columns["status"] = tuple(status.value for status in states.statuses)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_careers(panel: Panel, path: Path) -> None:
    """A row for each record, as csv, csv.gz or parquet by the name of the file."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    columns: dict[str, Any] = {
        "person": pa.array(panel.persons.tolist(), pa.string()).take(pa.array(panel.person)),
        "year": pa.array(panel.year) if panel.unit == "year" else pa.array(_times(panel), pa.string()),
        "occupation": pa.array(panel.occupations.codes, pa.string()).take(pa.array(panel.state)),
    }
    columns |= {name: _entries(covariate) for name, covariate in panel.covariates.items()}
    columns["split"] = pa.array(SPLITS, pa.string()).take(pa.array(panel.split[panel.person]))
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
        return
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(table, sink, arrow_csv.WriteOptions(quoting_style="needed"))
    data = sink.getvalue().to_pybytes()
    path.write_bytes(gzip.compress(data, compresslevel=6, mtime=0) if path.suffix == ".gz" else data)


def _times(panel: Panel) -> list[str]:
    """Each record's time by its name, which readers know again."""
    return [time.name(at, panel.unit) for at in panel.year.tolist()]


def _entries(covariate: Covariate) -> Any:
    import pyarrow as pa

    if covariate.kind == "numeric":
        values = covariate.values.astype(np.float64)
        return pa.array(values, pa.float64(), mask=np.isnan(values))
    index = pa.array(covariate.values.astype(np.int32), mask=covariate.values < 0)
    return pa.array(covariate.levels, pa.string()).take(index)


def write_schema(covariates: Mapping[str, Covariate], path: Path) -> None:
    """The kind and the levels of each covariate."""
    schema = {
        name: {"kind": c.kind, "levels": list(c.levels)} if c.kind == "categorical" else {"kind": c.kind}
        for name, c in covariates.items()
    }
    path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _compare(panel: Panel, written: Path, folder: Path) -> None:
    """RunError, naming the folder that it is to be, where what was written is not the panel."""
    try:
        read = open_panel(written)
    except HarnessError as error:
        raise RunError(f"{folder}: the written files cannot be read back: {error}") from error
    if read.fingerprint() != panel.fingerprint():
        raise RunError(
            f"{folder}: the written files read back as another panel (ids or codes with blanks around them?)"
        )


def _unbroken_codes(panel: Panel) -> Panel:
    """The panel with codes and names that fit the CAREER files; RequestError where they cannot."""
    for name in panel.covariates:
        if name in (JOB, YEAR) or "." in name or "/" in name:
            raise RequestError(f"covariate '{name}' cannot name a CAREER file: give it another name")
    codes = tuple(_unbroken(panel.occupations.codes))
    if len(set(codes)) < len(codes):
        raise RequestError("two codes differ only in blanks and underscores, which CAREER files do not tell apart")
    return replace(panel, occupations=replace(panel.occupations, codes=codes))


def _write_career(panel: Panel, folder: Path) -> None:
    fields: dict[str, tuple[StrArray, bool]] = {
        JOB: (np.array(panel.occupations.codes)[panel.state], False),
        YEAR: (np.array(_unbroken(_times(panel)), dtype=str), False),
    }
    for name, covariate in panel.covariates.items():
        if covariate.kind == "categorical":
            words = np.array(_unbroken([*covariate.levels, "missing"]))[covariate.values]
        else:
            words = np.array(["NA" if np.isnan(value) else f"{value:.17g}" for value in covariate.values])
        fields[name] = words, covariate.fixed
    for i, split in enumerate(SPLITS):
        persons = np.flatnonzero(panel.split == i)
        for name, (words, fixed) in fields.items():
            starts, stops = panel.offsets[persons], panel.offsets[persons + 1]
            stops = starts + 1 if fixed else stops
            lines = (" ".join(words[a:b]) + "\n" for a, b in zip(starts.tolist(), stops.tolist(), strict=True))
            (folder / f"{split}.{name}").write_text("".join(lines), encoding="utf-8")


def _unbroken(words: Sequence[str]) -> list[str]:
    """Words without blanks inside, which would separate entries."""
    return ["_".join(word.split()) for word in words]
