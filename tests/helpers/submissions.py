"""Tables of probabilities of the four persons, and what scores them: for the tests of submissions."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.submission import Submission, submitted
from helpers.toys import MARGIN

CODES = ["29-1141", "43-9061", "UNEMP", "OUT"]
YEARS = [2001, 2002, 2004, 2005]  # of d, the one person of the test split
Rows = list[list[object]]


def long_rows(probabilities: Sequence[float] = MARGIN) -> Rows:
    """The same row for each of d's transitions."""
    return [["d", year, code, p] for year in YEARS for code, p in zip(CODES, probabilities, strict=True)]


def written(path: Path, names: Sequence[str], rows: Rows) -> Path:
    """The table as what the name of the file says."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)}), path)
        return path
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def long_file(folder: Path, rows: Rows | None = None, name: str = "p.csv") -> Path:
    return written(folder / name, ["person", "year", "state", "probability"], long_rows() if rows is None else rows)


class Scorer:
    """Scores files of the four persons."""

    def __init__(self, registry: Registry, workshop: Workshop, panel: Panel) -> None:
        self.registry, self.workshop, self.panel = registry, workshop, panel

    def __call__(
        self, file: Path, *tasks: str, log: bool = False, floor: float = 0.0, **columns: str
    ) -> dict[str, Record]:
        chosen = [self.registry.task(name) for name in tasks or ("next_occ",)]
        made = submitted(Submission("mine", file, columns, log, floor), chosen, self.panel, self.workshop)
        return {record.configuration.task: record for record in made}

    def refusal(self, file: Path, *tasks: str, **how: object) -> str:
        with pytest.raises(RequestError) as refused:
            self(file, *tasks, **how)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
        return str(refused.value)
