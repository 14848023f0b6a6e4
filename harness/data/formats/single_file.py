"""Reads one file of the user's own, whatever its form: columns by mapping, states from the codes that occur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.data.assemble import assemble
from harness.data.checks.codes import check_codes, note_answers, note_decimals, note_spellings, whole_codes
from harness.data.checks.findings import Findings
from harness.data.codelists.partial import PartialList, partial_of, states_of_codes
from harness.data.lagged import lagged
from harness.data.occupations import bad_statuses, major_group, read_occupations
from harness.data.reading import FileReading
from harness.data.tables.columns import TextColumn
from harness.data.tables.files import read_file
from harness.data.tables.mapping import OPTIONAL_PARTS, parts_of, records_of
from harness.data.tables.prepare import prepared
from harness.data.tables.rows import Records
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.types import IntArray

OF_THE_STATE = ("title", "group", "status")


def read_single_file(
    path: Path, mapping: Mapping[str, str], occupations: Path | None, reading: FileReading, findings: Findings
) -> Panel | None:
    """The panel of one file, named after the file; None after errors, which are in ``findings``.

    mapping: part -> column; every column without a part is a covariate. occupations: a table of the states. Without
    one, the states are the codes that occur: ``title`` (the label that the file has for the code, or the code itself,
    without such a column), ``group`` (the first two digits of a code like a SOC code, else the code itself) and
    ``status`` (employed). reading: how the file becomes a row for each record.
    """
    table = read_file(path, findings, mapping.get("year", "year"), reading)
    partial = partial_of(occupations)
    listed = occupations if partial is None else None
    states, left_out = read_occupations(listed, findings) if listed else (None, dict[str, int]())
    made = None if table is None else prepared(table, mapping, reading, findings)
    if made is None:
        return None
    table, mapping = made
    parts = parts_of(table, mapping, OPTIONAL_PARTS, findings)
    records = records_of(path.name.partition(".")[0], "file", table, parts=parts, findings=findings)
    if records is None:
        return None
    described = {p: table.columns[parts[p]].text().stripped() for p in OF_THE_STATE if p in parts}
    if listed is None:
        note_decimals(records, findings)
        records = replace(records, occupation=whole_codes(records.occupation))
        check_codes(records, findings)
        note_spellings(records, findings)
        labels = {} if reading.titles_from == "codes" else table.labels.get(parts["occupation"], {})
        note_answers(records, table.labels.get(parts["occupation"], {}), findings)
        if reading.titles_from == "labels" and not labels:
            message = "the file has no labels for these codes: --titles-from codes, or bring a table (--occupations)"
            findings.error(table.file, message, column=parts["occupation"])
        if partial is None:
            states = states_of(records, described, labels, findings)
        else:
            states = partly_listed(records, partial, labels, findings)
    if described and occupations is not None:
        left_out[f"columns of {table.file} that describe states, in favor of {occupations.name}"] = len(described)
    told = {"options": given} if (given := reading.given()) else {}
    records = replace(records, left_out={**table.left_out, **left_out}, source={**records.source, **told})
    panel = assemble(records, states, findings)
    return None if panel is None else lagged(panel, reading.lag)


def partly_listed(records: Records, partial: PartialList, labels: Mapping[str, str], findings: Findings) -> Occupations:
    """The states that occur, in the groups of a classification. labels: the file's, which are titles before others."""
    findings.note(records.place(0, "occupation")[0], f"{partial.name}: {partial.note}")
    states = states_of_codes(partial.name, filter(None, records.occupation.distinct))
    titles = (labels.get(code, title) for code, title in zip(states.codes, states.titles, strict=True))
    return replace(states, titles=tuple(titles))


def states_of(
    records: Records, described: Mapping[str, TextColumn], labels: Mapping[str, str], findings: Findings
) -> Occupations:
    """The states that occur, by code; described, labels: what columns of the records and the file say of them."""
    codes = sorted(filter(None, records.occupation.distinct))
    titles = {**labels, **_one_each(records, "title", described, findings)}
    groups = _one_each(records, "group", described, findings)
    statuses = _one_each(records, "status", described, findings)
    known = {status.value: status for status in Status}
    if "status" in described:
        column = described["status"]
        wrong = np.flatnonzero(column.where(lambda value: value not in known))
        messages = bad_statuses(value for value in column.distinct if value not in known)
        for row in wrong[np.unique(column.index[wrong], return_index=True)[1]].tolist():
            file, line, name = records.place(row, "status")
            way = "or keep it a covariate with --column status="
            findings.error(file, f"{messages[column.row(row)]}, {way}", line=line, column=name, value=column.row(row))
    else:
        message = "no column says each state's labor-force status, so all count as employed: map one to 'status'"
        findings.note(records.place(0, "occupation")[0], message)
    _note_lengths(records, codes, findings)
    return Occupations(
        codes=tuple(codes),
        titles=tuple(titles.get(code, code) for code in codes),
        groups=tuple(groups.get(code) or major_group(code) for code in codes),
        statuses=tuple(known.get(statuses.get(code, ""), Status.EMPLOYED) for code in codes),
    )


def _one_each(records: Records, part: str, described: Mapping[str, TextColumn], findings: Findings) -> dict[str, str]:
    """code -> the one value of a column; an error where a code has two. Blanks say nothing."""
    if part not in described:
        return {}
    column, code = described[part], records.occupation
    rows = np.flatnonzero(column.where(bool))
    first = np.full(len(code.distinct), -1, dtype=np.int64)
    first[code.index[rows[::-1]]] = rows[::-1]
    astray = rows[column.index[rows] != column.index[first[code.index[rows]]]]
    for row in _first_of_each_pair(astray, code.index, column.index).tolist():
        file, line, name = records.place(row, part)
        earlier = int(first[code.index[row]])
        message = (
            f"code '{code.row(row)}' has another {part} in line {records.place(earlier, part)[1]}, "
            f"'{column.row(earlier)}': give a code one {part}, or keep it a covariate with --column {part}="
        )
        findings.error(file, message, line=line, column=name, value=column.row(row))
    return {code.distinct[k]: column.row(int(row)) for k, row in enumerate(first) if row >= 0}


def _first_of_each_pair(rows: IntArray, left: IntArray, right: IntArray) -> IntArray:
    pairs = np.stack([left[rows], right[rows]], axis=1)
    return np.asarray(rows[np.sort(np.unique(pairs, axis=0, return_index=True)[1])], dtype=np.int64)


def _note_lengths(records: Records, codes: list[str], findings: Findings) -> None:
    """A file cannot tell by itself that zeros were lost, but codes of several lengths are a sign."""
    digits = [code for code in codes if code.isdigit()]
    lengths = sorted({len(code) for code in digits})
    if len(lengths) > 1:
        shortest = min(digits, key=len)
        row = int(np.flatnonzero(records.occupation.where(lambda value: value == shortest))[0])
        file, line, name = records.place(row, "occupation")
        spread = f"{lengths[0]} to {lengths[-1]} digits long"
        findings.note(
            file,
            f"codes are {spread}: make sure that none has lost leading zeros",
            line=line,
            column=name,
            value=shortest,
        )
