"""The rows of a source once their parts are known, before they are a panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.data.checks.findings import Findings
from harness.data.covariates import ColumnSchema
from harness.data.tables.columns import Column, TextColumn
from harness.types import BoolArray, IntArray


@dataclass(frozen=True)
class Records:
    """N person-years as text, in the order of their file.

    place: (row, 'person' | 'year' | 'occupation' | 'split' | covariate) -> file, line and column of that entry.
    header_line: where the file names its columns, if it has such a line. code_type: the type that the file declares the
    occupation column to be of. schema: what is known of covariates. unit: of the times, where that has been seen.
    """

    name: str
    person: TextColumn
    year: TextColumn
    occupation: TextColumn
    split: TextColumn | None
    covariates: Mapping[str, Column]
    place: Callable[[int, str], tuple[str, int | None, str]]
    header_line: int | None = None
    schema: Mapping[str, ColumnSchema] = field(default_factory=dict)
    code_type: str = "text"
    source: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    unit: str | None = None

    def tell(self, findings: Findings, rows: IntArray, part: str, message: Callable[[int], str]) -> None:
        """An error for each of these rows' entries; ``message`` of the row says what would be right."""
        column = getattr(self, part) if part in ("person", "year", "occupation", "split") else self.covariates[part]
        text = column.text()
        for row in rows.tolist():
            file, line, name = self.place(row, part)
            findings.error(file, message(row), line=line, column=name, value=text.row(row))

    def tell_same(self, findings: Findings, rows: IntArray, part: str, message: str) -> None:
        """An error with the same message for each of these rows' entries."""
        self.tell(findings, rows, part, lambda row: message)

    def tell_blanks(self, findings: Findings, part: str, right: str) -> BoolArray:
        """bool [N]: the rows where a part that every row needs is blank, each an error."""
        blank: BoolArray = getattr(self, part).blank()
        self.tell_same(findings, np.flatnonzero(blank), part, f"is blank; {right}")
        return blank
