"""Reads the file format of the CAREER paper's public code.

Vafa, Palikot, Du, Kanodia, Athey and Blei (2024), "CAREER: A Foundation Model for Labor Sequence Data", TMLR. A folder
holds ``train.job``, ``train.year`` and ``train.COVARIATE``, and the same for ``valid`` and ``test``: a line a person,
its entries separated by blanks, and one entry a line for a covariate that is fixed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.data.assemble import assemble
from harness.data.checks.codes import check_codes, whole_codes
from harness.data.checks.findings import Findings
from harness.data.occupations import major_group, read_occupations
from harness.data.tables.columns import TextColumn
from harness.data.tables.csvfile import read_bytes
from harness.data.tables.rows import Records
from harness.panel.careers import SPLITS, Panel
from harness.panel.occupations import Occupations, Status
from harness.system.words import counted
from harness.types import IntArray

JOB, YEAR = "job", "year"
OCCUPATIONS = "occupations.csv"


@dataclass(frozen=True)
class _Split:
    """The lines of one split that fit together. lengths, lines: int64 [P], records and line number of each person.

    entries: field -> the N entries of the split's records, fixed covariates repeated.
    """

    name: str
    lengths: IntArray
    lines: IntArray
    entries: dict[str, list[str]]


def is_career_folder(path: Path) -> bool:
    return path.is_dir() and any((path / f"{split}.{JOB}").exists() for split in SPLITS)


def read_career(path: Path, occupations: Path | None, findings: Findings) -> Panel | None:
    """The panel of a CAREER folder, named after the folder; None after errors, which are in ``findings``.

    The format has no person ids (a person is 'train-1', by split and line) and no table of occupations: a code is its
    own title, and employed, unless the folder has an ``occupations.csv`` or ``occupations`` names one.
    """
    fields = sorted({file.suffix[1:] for split in SPLITS for file in path.glob(f"{split}.*")} | {JOB, YEAR})
    splits = [_read_split(path, split, fields, findings) for split in SPLITS]
    found = [split for split in splits if split is not None and len(split.lengths)]
    table = occupations or path / OCCUPATIONS
    states, left_out = read_occupations(table, findings) if occupations or table.exists() else (None, dict[str, int]())
    taken = {f"{split}.{field}" for split in SPLITS for field in fields} | {OCCUPATIONS}
    if others := [file.name for file in path.iterdir() if file.name not in taken]:
        left_out["files of another kind"] = len(others)
    if not found:
        return None
    records = _records(path.resolve().name, found, fields, left_out)
    if states is None and not (occupations or table.exists()):
        records = replace(records, occupation=whole_codes(records.occupation))
        check_codes(records, findings)
        states = _states(records.occupation, findings)
    return assemble(records, states, findings)


def _states(job: TextColumn, findings: Findings) -> Occupations:
    findings.note(f"train.{JOB}", f"there is no {OCCUPATIONS}: codes serve as titles, and all count as employed")
    codes = tuple(sorted(job.distinct))
    return Occupations(codes, codes, tuple(map(major_group, codes)), (Status.EMPLOYED,) * len(codes))


def _read_split(path: Path, split: str, fields: list[str], findings: Findings) -> _Split | None:
    """The persons of one split whose line in every file has as many entries as their jobs (covariates: or one)."""
    read = {field: _read_lines(path / f"{split}.{field}", findings) for field in fields}
    files = {field: lines for field, lines in read.items() if lines is not None}
    if JOB not in files:
        return None
    jobs = files[JOB]
    for field, lines in files.items():
        if len(lines) != len(jobs):
            message = (
                f"has {counted(len(lines), 'line')}, {split}.{JOB} has {len(jobs)}: line i of every file is person i"
            )
            findings.error(f"{split}.{field}", message, line=min(len(lines), len(jobs)) + 1)
    sound = []
    for i in range(min(map(len, files.values()))):
        counts = {field: len(lines[i]) for field, lines in files.items()}
        if _tell_counts(split, i + 1, counts, findings):
            sound.append(i)
    entries: dict[str, list[str]] = {}
    for field in fields:
        lines = files.get(field, [[""]] * len(jobs))
        entries[field] = [entry for i in sound for entry in _spread(lines[i], len(jobs[i]))]
    lengths = np.array([len(jobs[i]) for i in sound], dtype=np.int64)
    return _Split(split, lengths, np.array(sound, dtype=np.int64) + 1, entries)


def _read_lines(path: Path, findings: Findings) -> list[list[str]] | None:
    if not path.exists():
        findings.error(path.name, "is missing: each of train, valid and test needs the same files")
        return None
    data = read_bytes(path, findings)
    if data is None:
        return None
    lines = data.removesuffix(b"\n").split(b"\n")
    try:
        return [line.split() for line in data.decode("utf-8-sig").removesuffix("\n").split("\n")]
    except UnicodeDecodeError:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                message = f"byte 0x{line[error.start]:02x} is not UTF-8: save the whole file as UTF-8"
                findings.error(
                    path.name, message, line=number, column=None, value=line.decode("utf-8", "replace").strip()
                )
        return [line.decode("latin-1").split() for line in lines]


def _tell_counts(split: str, line: int, counts: dict[str, int], findings: Findings) -> bool:
    """True where the files of a split agree on how many records a person has; errors where not."""
    jobs = counts[JOB]
    before = len(findings.errors)
    if jobs == 0:
        findings.error(f"{split}.{JOB}", "the line is empty: a person has at least one job", line=line)
    for field, count in counts.items():
        if field == YEAR and count != jobs:
            message = f"{count} entries, but {split}.{JOB} has {jobs} in this line: a year for every job"
            findings.error(f"{split}.{field}", message, line=line)
        elif field not in (YEAR, JOB) and count not in (1, jobs):
            message = f"{count} entries, but {split}.{JOB} has {jobs} in this line: write {jobs}, or one if it is fixed"
            findings.error(f"{split}.{field}", message, line=line)
    return len(findings.errors) == before


def _spread(entries: list[str], n: int) -> list[str]:
    return entries if len(entries) == n else entries * n


def _records(name: str, splits: list[_Split], fields: list[str], left_out: dict[str, int]) -> Records:
    lengths = np.concatenate([split.lengths for split in splits])
    lines = np.concatenate([split.lines for split in splits])
    part = np.repeat(np.arange(len(splits)), [len(split.lengths) for split in splits])
    person = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.cumsum(lengths) - lengths
    columns = {field: _text(entry for split in splits for entry in split.entries[field]) for field in fields}

    def place(row: int, column: str) -> tuple[str, int | None, str]:
        who = int(person[row])
        field = {"person": JOB, "occupation": JOB, "split": JOB}.get(column, column)
        return f"{splits[part[who]].name}.{field}", int(lines[who]), f"entry {row - starts[who] + 1}"

    return Records(
        name=name,
        person=TextColumn([f"{splits[p].name}-{line}" for p, line in zip(part, lines, strict=True)], person),
        year=columns[YEAR],
        occupation=columns[JOB],
        split=TextColumn([split.name for split in splits], part[person]),
        covariates={field: column for field, column in columns.items() if field not in (JOB, YEAR)},
        place=place,
        source={"reader": "career"},
        left_out=left_out,
    )


def _text(entries: Iterable[str]) -> TextColumn:
    position: dict[str, int] = {}
    index = np.fromiter((position.setdefault(entry, len(position)) for entry in entries), dtype=np.int64)
    return TextColumn(list(position), index).stripped()
