"""Person-years of any origin become a panel, or a list of all that is wrong with them."""

from __future__ import annotations

import numpy as np

from harness.data.checks import careers as checks
from harness.data.checks.findings import Findings
from harness.data.covariates import as_covariate, ordered, with_schema
from harness.data.tables.columns import TextColumn
from harness.data.tables.missing import says_missing
from harness.data.tables.rows import Records
from harness.panel.careers import Covariate, Panel, id_order, split_by_hash
from harness.panel.occupations import Occupations
from harness.system.words import counted
from harness.types import BoolArray, IntArray


def assemble(records: Records, occupations: Occupations | None, findings: Findings) -> Panel | None:
    """The panel of these records, or None after any error, also one found before.

    Persons come in the order of their ids (``id_order``), whatever order their rows come in, so that the same careers
    are the same panel. The rows of a person need not stand together, but their years must rise from row to row: in a
    file that is not in order, something was assumed wrongly. Without a split column, persons are split by a hash of
    their ids. occupations: None where they could not be read; the rest is checked.
    """
    whole = not findings.errors  # where rows could not be read, persons may be missing
    no_person = records.tell_blanks(findings, "person", "every record needs the id of its person")
    records.tell_blanks(findings, "occupation", "a year without a known state has no row")
    person = np.where(no_person, -1, records.person.index)
    times = checks.read_years(records, person, findings)
    state = checks.read_states(records, occupations.codes, findings) if occupations else None
    checks.check_sequence(records, times, findings)
    checks.check_spells(records, times, findings)
    split = checks.read_split(records, person, findings)
    ids = np.array(records.person.distinct, dtype=str)
    if split is None:
        split = split_by_hash(ids)
    if whole:
        checks.check_split_sizes(records, split, findings)
    checks.note_single_records(records, findings)
    persons = id_order(ids)
    if (np.diff(persons) != 1).any():
        ids, split, person = ids[persons], split[persons], np.where(no_person, -1, np.argsort(persons)[person])
    order = None if (person[1:] >= person[:-1]).all() else np.argsort(person, kind="stable")
    person = ordered(person, order)
    start = np.append(True, person[1:] != person[:-1])
    covariates = _covariates(records, start, order, findings)
    if findings.errors or occupations is None or state is None:
        return None
    return Panel(
        name=records.name,
        persons=ids,
        offsets=np.append(np.flatnonzero(start), len(person)).astype(np.int64),
        year=ordered(times.value, order),
        state=ordered(state, order),
        occupations=occupations,
        split=split,
        covariates=covariates,
        source={**records.source, **({} if times.unit == "year" else {"time_unit": times.unit})},
        left_out=records.left_out,
    )


def _covariates(records: Records, start: BoolArray, order: IntArray | None, findings: Findings) -> dict[str, Covariate]:
    """start: bool [N], the first record of each person in the panel's order; order: of rows (``ordered``)."""
    covariates = {}
    for name, column in records.covariates.items():
        schema = records.schema.get(name)
        if schema is None:
            covariates[name] = as_covariate(column, start, order)
        else:
            covariates[name], misfits, right = with_schema(column, schema, start, order)
            records.tell_same(findings, misfits, name, right)
        if findings.wants_notes and covariates[name].kind == "numeric":
            _note_words(records, name, findings)
        if covariates[name].kind == "numeric" and (infinite := np.isinf(covariates[name].values)).any():
            rows = np.flatnonzero(infinite) if order is None else np.sort(order[infinite])
            records.tell_same(findings, rows, name, "is infinite: write a number, or leave it blank")
    return covariates


def _note_words(records: Records, name: str, findings: Findings) -> None:
    """A note for each word in a column of numbers that was taken for a missing one."""
    column = records.covariates[name]
    if not isinstance(column, TextColumn):
        return
    for word in filter(says_missing, column.distinct):
        rows = np.flatnonzero(column.where(word.__eq__))
        file, line, entry = records.place(int(rows[0]), name)
        message = f"is no number, in a column of numbers: taken as missing ({counted(len(rows), 'record')})"
        findings.note(file, message, line=line, column=entry, value=word)
