"""The state space of a panel: from an occupations table, or from what the records say of their own codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.data.checks.findings import Findings, hints
from harness.data.checks.ids import check_lengths
from harness.data.tables.columns import TextColumn, TextTable
from harness.data.tables.files import read_file
from harness.errors import did_you_mean
from harness.panel.occupations import Occupations, Status, soc_major_group, soc_minor_group

MAJOR_START = re.compile(r"\d\d")  # how a value of the column soc begins, which may be part of a code
MINOR_START = re.compile(r"\d\d-\d")


def major_group(code: str) -> str:
    """The first two digits of a code written like a SOC code ('dd-dddd'), and any other code itself."""
    return soc_major_group(code) or code


def bad_statuses(values: Iterable[str]) -> dict[str, str]:
    """Messages on values that are no labor-force status."""
    near = hints(values, [status.value for status in Status])
    return {value: f"is not a labor-force status{hint}" for value, hint in near.items()}


def read_occupations(path: Path, findings: Findings) -> tuple[Occupations | None, dict[str, int]]:
    """A table ``code,title,soc,status`` (or ``group`` in place of ``soc``), and what of it was left out.

    Without a column of statuses all states count as employed, which is noted, as without a table.
    The first two digits of ``soc`` are the major group; where it is blank the state is a group of its own. The minor
    group is in the column ``minor``, if there is one, else it is the first three digits of ``soc``; where neither says
    it, what the code says (``Occupations.minor_index``).
    """
    table = read_file(path, findings)
    if table is None:
        return None, {}
    columns = {name: column.text().stripped() for name, column in table.columns.items()}
    grouping = "group" if "group" in columns else "soc"
    missing = [name for name in ("code", "title", grouping) if name not in columns]
    for name in missing:
        hint = "; 'group' would do as well" if name == "soc" else ""
        near = did_you_mean(name, columns)
        findings.error(table.file, f"there is no such column; {near}{hint}", line=table.header_line, column=name)
    left_out = dict(table.left_out)
    if unused := set(columns) - {"code", "title", "soc", "group", "minor", "status"}:
        left_out[f"columns of {table.file} not used"] = len(unused)
    if missing:
        return None, left_out
    for name in (n for n in ("code", "title", "group", "minor") if n in columns):
        check_lengths(table, name, name, findings)
    codes, titles = _codes(table, columns["code"], findings), _titles(table, columns["title"], findings)
    groups = _groups(table, columns[grouping], grouping=grouping, codes=codes, findings=findings)
    minors = _minors(columns, codes, groups)
    statuses = _statuses(table, columns["status"], findings) if "status" in columns else [Status.EMPLOYED] * len(codes)
    if "status" not in columns:
        findings.note(
            table.file, "no column says each state's labor-force status, so all count as employed: add 'status'"
        )
    # After an error, go on to check the careers against the codes that are usable.
    first = sorted({code: i for i, code in reversed(list(enumerate(codes))) if code}.values())
    occupations = Occupations(
        codes=tuple(codes[i] for i in first),
        titles=tuple(titles[i] for i in first),
        groups=tuple(groups[i] for i in first),
        statuses=tuple(statuses[i] for i in first),
        minors=tuple(minors[i] for i in first),
    )
    return occupations, left_out


def _values(column: TextColumn) -> list[str]:
    return [column.distinct[i] for i in column.index]


def _codes(table: TextTable, column: TextColumn, findings: Findings) -> list[str]:
    codes = _values(column)
    seen: dict[str, int] = {}
    for code, line in zip(codes, table.lines.tolist(), strict=True):
        if not code:
            findings.error(table.file, "is blank; every state needs a code", line=line, column="code", value="")
        elif code in seen:
            message = f"the code already stands in line {seen[code]}: a code is listed once"
            findings.error(table.file, message, line=line, column="code", value=code)
        seen.setdefault(code, line)
    return codes


def _titles(table: TextTable, column: TextColumn, findings: Findings) -> list[str]:
    titles = _values(column)
    seen: dict[str, int] = {}
    for title, line in zip(titles, table.lines.tolist(), strict=True):
        if not title:
            findings.error(
                table.file, "is blank; every state needs a title in words", line=line, column="title", value=""
            )
        elif title in seen:
            message = f"line {seen[title]} has the same title: models that read titles cannot tell the two apart"
            findings.note(table.file, message, line=line, column="title", value=title)
        seen.setdefault(title, line)
    return titles


def _groups(table: TextTable, column: TextColumn, grouping: str, codes: list[str], findings: Findings) -> list[str]:
    groups = []
    for value, code, line in zip(_values(column), codes, table.lines.tolist(), strict=True):
        if grouping == "soc" and value and not MAJOR_START.match(value):
            message = "a SOC code begins with two digits, as '11-1011'; leave it blank where there is none"
            findings.error(table.file, message, line=line, column="soc", value=value)
        groups.append((value[:2] if grouping == "soc" else value) or code)
    return groups


def _minors(columns: dict[str, TextColumn], codes: list[str], groups: list[str]) -> list[str]:
    """Minor groups; of a state of which no column says it, what its code says."""
    blank = [""] * len(codes)
    told = _values(columns["minor"]) if "minor" in columns else blank
    soc = _values(columns["soc"]) if "soc" in columns and "group" not in columns else blank
    minors = []
    for minor, digits, code, group in zip(told, soc, codes, groups, strict=True):
        named = digits[:4] if MINOR_START.match(digits) else None if digits else soc_minor_group(code)
        minors.append(minor or named or group)
    return minors


def _statuses(table: TextTable, column: TextColumn, findings: Findings) -> list[Status]:
    known = {status.value: status for status in Status}
    messages = bad_statuses(value for value in column.distinct if value not in known)
    statuses = []
    for value, line in zip(_values(column), table.lines.tolist(), strict=True):
        if value not in known:
            findings.error(table.file, messages[value], line=line, column="status", value=value)
        statuses.append(known.get(value, Status.EMPLOYED))
    return statuses
