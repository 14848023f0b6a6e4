"""harness compare: how far apart runs are, for whom, and in which transitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.boards.compare import Compared, SliceDifference, names_of, slice_differences, without_slices
from harness.boards.compare import compare as compare_runs
from harness.boards.transitions import DifferingTransitions, differing
from harness.cli import complete, console
from harness.cli.options import RECORDS, JsonOption, RecordsOption
from harness.cli.reproduce import command
from harness.errors import RequestError
from harness.records.naming import record_named
from harness.records.predictions import Predictions, load, path_of
from harness.records.record import Record
from harness.registry import Registry
from harness.render.boards.sections import Section
from harness.system.machine import cache_folder

EVERY = "all"
SPARE = ("of all", "95% interval", "age", "in total", "se", "persons", "run")  # columns, the first to be missed first


@dataclass(frozen=True)
class _Detail:
    """The detail in which two runs are compared. by: the dimension whose levels are shown whole, or 'all' of each."""

    by: str | None
    most: int
    registry: Registry
    records: Path

    def again(self, record: Record) -> str:
        """The line that makes a record, and what its run said, on this machine."""
        return command(record, self.registry, self.records)


@dataclass(frozen=True)
class _Pair:
    """Two runs, A and B, and what can be said of where they differ. missing: what cannot, and why."""

    first: Record
    other: Record
    levels: tuple[SliceDifference, ...]
    found: DifferingTransitions | None
    missing: tuple[str, ...]


def compare(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Two or more records: how their ids begin, their files, or panel/task/model.",
            autocompletion=complete.runs,
        ),
    ],
    by: Annotated[
        str | None,
        typer.Option(
            "--by", help="Show every level of this dimension, such as gender; 'all': of each.", metavar="NAME"
        ),
    ] = None,
    transitions: Annotated[
        int, typer.Option("--transitions", help="Number of transitions, and of kinds of them, to show each way.", min=0)
    ] = 5,
    each: Annotated[
        bool, typer.Option("--each", help="Of more than two runs, say of each where it differs from the first.")
    ] = False,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Compare runs of one board, and say for whom they differ.

    Differences are in log-likelihood per transition from the first run, paired on persons, with 95% intervals and
    p-values that are adjusted for all runs at once. Two runs, A and B, are also compared by slice of the panel, by
    kinds of transitions (from which state to which) that make most of the difference, and by single transitions. The
    last two are read from the cache of the machine that ran both, which no record file replaces.
    """
    if len(runs) < 2:  # before a name that is none is looked for
        raise RequestError("compare needs two records or more")
    chosen = [record_named(run, records) for run in runs]
    compared = compare_runs(chosen)
    asked = _Detail(by, transitions, context.obj, records)
    detailed = chosen[1:] if as_json or each or len(chosen) == 2 else []
    pairs = [_pair(chosen[0], other, asked) for other in detailed]
    if as_json:
        console.emit_json(_json(chosen[0], compared, pairs))
        return
    _tell(chosen, compared, pairs, asked)
    if not pairs:
        console.say(f"where two of them differ: harness compare {chosen[0].id} {chosen[1].id}; --each: all of them")


def _pair(first: Record, other: Record, asked: _Detail) -> _Pair:
    lacking: dict[str, list[str]] = {record.id: [] for record in (first, other)}
    for record in without_slices((first, other)):
        lacking[record.id].append("is older than slices")
    levels = () if any(lacking.values()) else slice_differences(first, other, None if asked.by == EVERY else asked.by)
    predictions, wrong = _predictions((first, other), lacking) if asked.most else ([], [])
    found = None
    if len(predictions) == 2:
        try:
            found = differing(predictions[0], predictions[1], asked.most)
        except RequestError as error:
            wrong.append(str(error))
    missing = [
        f"{record.id} ({name}) {' and '.join(lacking[record.id])}: {asked.again(record)}"
        for record, name in zip((first, other), names_of((first, other)), strict=True)
        if lacking[record.id]
    ]
    return _Pair(first, other, levels=levels, found=found, missing=(*missing, *wrong))


def _predictions(pair: Sequence[Record], lacking: dict[str, list[str]]) -> tuple[list[Predictions], list[str]]:
    """The runs' predictions of the test split, and what is wrong with a file of them.

    Faults that another run would mend are noted in ``lacking``.
    """
    found, wrong = [], []
    for record in pair:
        if not path_of(cache_folder(), record.id).exists():
            lacking[record.id].append("has left no probabilities of single transitions on this machine")
            continue
        try:
            found.append(load(cache_folder(), record)["test"])
        except RequestError as error:
            wrong.append(str(error))
    return found, wrong


def _json(first: Record, compared: Sequence[Compared], pairs: Sequence[_Pair]) -> dict[str, Any]:
    asked, evidence = first.configuration, first.evidence
    return {
        "task": asked.task,
        "panel": asked.panel.name,
        "fingerprint": asked.panel.fingerprint,
        "weights": asked.panel.source.get("weights"),
        "persons": len(evidence.ids),
        "transitions": sum(evidence.transitions),
        "runs": [asdict(row) for row in compared],
        "pairs": [
            {
                "first": pair.first.id,
                "other": pair.other.id,
                "slices": [asdict(level) for level in pair.levels],
                "differing": None if pair.found is None else asdict(pair.found),
                "missing": list(pair.missing),
            }
            for pair in pairs
        ],
    }


def _tell(chosen: Sequence[Record], compared: Sequence[Compared], pairs: Sequence[_Pair], asked: _Detail) -> None:
    from harness.render import comparison

    weights = chosen[0].configuration.panel.source.get("weights")
    _print(comparison.runs(compared, weights))
    for pair in pairs:
        names = names_of((pair.first, pair.other))
        console.result(f"A: {names[0]} ({pair.first.id})\nB: {names[1]} ({pair.other.id})\n")
        if pair.levels:
            _print(comparison.slices(pair.levels, whole=asked.by is not None))
            if told := comparison.moves(pair.levels):
                console.result(told + "\n")
        if pair.found is not None:
            console.result(comparison.summary(pair.found) + "\n")
            binary = pair.first.evidence.cells is not None
            weighted = weights is not None
            tables = comparison.kinds(pair.found, binary, weighted), comparison.transitions(pair.found, weighted)
            for section in tables:
                if section is not None:
                    _print(section)
            if binary:
                console.result(f"  {pair.first.outcomes}\n")
        for line in pair.missing:
            console.say(line)


def _print(section: Section) -> None:
    kept = console.fitting(section.headings, section.rows, section.text, SPARE)
    rows = [[row[i] for i in kept] for row in section.rows]
    console.table([section.headings[i] for i in kept], rows, [i >= section.text for i in kept], section.title)
    console.notes(section.notes, [heading for i, heading in enumerate(section.headings) if i not in kept])
    console.result("")
