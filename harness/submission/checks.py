"""The checks of a submitted record that a maintainer's machine makes, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.errors import HarnessError
from harness.panel import time
from harness.panel.careers import Panel
from harness.records.evidence import add_up
from harness.records.kinds import is_submitted, label
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.verify import Verification, contradictions, task_of
from harness.submission.statement import Statement, fault_of_url
from harness.system.words import counted

Verdict = Literal["ok", "failed", "note"]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check: its name, how it ended, and a sentence. A note is no failure."""

    name: str
    verdict: Verdict
    said: str


def of_record(record: Record, registry: Registry) -> Iterator[CheckLine]:
    """Checks that need the record alone: kind, figures, slices."""
    asked = record.configuration
    told = f"record {record.id} of {label(record)} on {asked.task}, panel {asked.panel.name}"
    if is_submitted(record):
        yield CheckLine("schema", "ok", told)
    else:
        yield CheckLine("schema", "failed", f"{told}: was run here, and not submitted; 'harness verify' runs it again")
    if wrong := contradictions(record, registry.all_metrics):
        yield CheckLine("figures", "failed", f"not those of the record's own evidence: {', '.join(wrong)}")
    elif record.slices and not add_up(record.slices, record.evidence):
        yield CheckLine("figures", "failed", "the slices do not add up to the evidence")
    else:
        yield CheckLine("figures", "ok", f"{len(record.figures)} figures recomputed from the evidence")


def of_coverage(record: Record, panel: Panel, registry: Registry) -> CheckLine:
    """Each transition of the test split that the task asks about is counted once, and no other."""
    try:
        task = task_of(record, registry)
    except HarnessError as error:
        return CheckLine("coverage", "failed", str(error))
    test = panel.part("test")
    records = task.transitions(test)
    records = records[test.weights(records) > 0]
    at_risk = np.bincount(test.person[records], minlength=test.n_persons)
    wanted = {str(person): int(n) for person, n in zip(test.persons.tolist(), at_risk, strict=True) if n}
    here = {person: n for person, n in zip(record.evidence.ids, record.evidence.transitions, strict=True) if n}
    if here == wanted:
        return CheckLine(
            "coverage",
            "ok",
            f"all {counted(sum(wanted.values()), 'transition')} of {counted(len(wanted), 'test person')}",
        )
    apart = sorted(who for who in {*here, *wanted} if here.get(who) != wanted.get(who))
    first = apart[0]
    return CheckLine(
        "coverage",
        "failed",
        f"{len(apart):,} of {len(wanted):,} test persons have other transitions, first '{first}': "
        f"{here.get(first, 0)} in the record, {wanted.get(first, 0)} in the panel",
    )


def of_file(record: Record, found: Verification) -> CheckLine:
    """The table of probabilities, scored again."""
    if found.verdict == "identical":
        return CheckLine("evidence", "ok", "the table gives the same evidence, to the last digit")
    was, now = record.figures["perplexity"], found.again
    return CheckLine(
        "evidence", "failed", f"the table gives other evidence: perplexity {now:.6g}, the record {was:.6g}"
    )


def of_code(stated: Statement, given: str | None) -> CheckLine:
    """The address of replication code. given: the one that the pull request names."""
    code = given or stated.code
    if code is None:
        return CheckLine("code", "note", "no replication code is named (harness score --code URL)")
    if wrong := fault_of_url(code):
        return CheckLine("code", "failed", f"{code} {wrong}")
    if None not in (given, stated.code) and given != stated.code:
        return CheckLine("code", "failed", f"{given} is named, and the record says {stated.code}")
    return CheckLine("code", "ok", f"{code} (its form alone was checked)")


def of_base(stated: Statement, panel: Panel, cutoff: int | None) -> CheckLine:
    """Pre-training: the statement, held against the last period that a base could have read of.

    cutoff: in the panel's unit. Targets after it cannot have been met; those up to it can.
    """
    if cutoff is None:
        if stated.seen is None:
            told = "no word on the base (harness score --base-may-have-seen yes|no|unknown, or --base-cutoff)"
            return CheckLine("base", "failed", told)
        return CheckLine("base", "note" if stated.seen != "no" else "ok", f"may have met the careers: {stated.seen}")
    test = panel.part("test")
    years = test.year[test.transitions]
    early = int((years <= cutoff).sum())
    told = f"{early:,} of {len(years):,} test transitions are not after {time.name(cutoff, panel.unit)}"
    if stated.seen == "no" and early:
        return CheckLine("base", "failed", f"the record says that the base has not met the careers; {told}")
    return CheckLine("base", "note" if early else "ok", f"{told}; stated: {stated.seen or 'nothing'}")
