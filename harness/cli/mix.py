"""harness mix: ensembles of finished runs, through what each said of every transition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.boards.board import Board, boards, boards_with
from harness.boards.mix import mix as mix_runs
from harness.boards.mix import without_valid
from harness.cli import console
from harness.cli.board import of_task_and_panel, print_boards, records_folder
from harness.cli.options import RECORDS, JsonOption, RecordsOption
from harness.cli.reproduce import command
from harness.errors import HarnessError, RequestError
from harness.records import predictions as probabilities
from harness.records.kinds import is_ranked, label
from harness.records.record import Record, figures
from harness.records.store import Store, find_record
from harness.registry import Registry
from harness.system.machine import cache_folder


@dataclass(frozen=True)
class _Bench:
    """Where mixes are made of what, and by which names the line that makes a run again calls things."""

    registry: Registry
    store: Store
    cache: Path

    def make(self, parts: Sequence[Record], of_board: bool) -> Record:
        """The record of a mix, written."""
        record = mix_runs(parts, self.cache, of_board)
        metrics = [entry.item for entry in self.registry.metrics.values()]
        record = record.model_copy(update={"figures": figures(record, metrics)})
        path = self.store.write(record)
        asked = record.configuration
        console.say(
            f"mix of {len(parts)} runs on {asked.task} of {asked.panel.name}: perplexity "
            f"{record.figures['perplexity']:.4f}, on the validation split {record.facts['validation_perplexity']:.4f} "
            f"-> {path}"
        )
        return record

    def command(self, record: Record) -> str:
        """The line that makes a record again, and with it what its run said; a panel read from files by its name."""
        return command(record, self.registry, self.store.folder)


def mix(
    context: typer.Context,
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids of two or more records of one board, or how they begin.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Mix this task's boards alone.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Mix this panel's boards alone, by name.")] = None,
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Mix finished runs: the weighted mean of their probabilities that the validation split finds the likeliest.

    The row 'mix' of a board is no model but the headroom that is left to any one of them. Without runs, every board
    gets the mix of all its rows, but for those that know the truth; it takes the place of the one made before. Runs
    named make a row of their own. What a run said is kept in the cache of the machine that made it, and rows made
    elsewhere are left out.
    """
    bench = _Bench(context.obj, records_folder(records), cache_folder())
    every = bench.store.all()
    if not every:
        raise RequestError(f"{records}: no record files; 'harness run' makes them")
    if runs:
        if task is not None or data is not None:
            raise RequestError("--task and --data choose boards; runs that are named are of one already")
        made = [bench.make(_named(runs, every, bench), of_board=False)]
    else:
        made = _of_boards(of_task_and_panel(boards(every), task, data), every, bench)
    if as_json:
        console.emit_json([record.model_dump(mode="json", exclude={"evidence"}) for record in made])
        return
    print_boards(boards_with(made, bench.store))


def _named(runs: Sequence[str], every: Sequence[Record], bench: _Bench) -> list[Record]:
    chosen = [find_record(every, run) for run in runs]
    for record in chosen:
        if is_ranked(record) and not _is_here(record, bench):
            raise RequestError(
                f"what {record.id} ({label(record)}) said of each transition is not on this machine: "
                f"{bench.command(record)}"
            )
        if not probabilities.covers_valid(bench.cache, record):
            raise RequestError(without_valid(record))
    return chosen


def _is_here(record: Record, bench: _Bench) -> bool:
    return probabilities.path_of(bench.cache, record.id).exists()


def _of_boards(chosen: Sequence[Board], every: Sequence[Record], bench: _Bench) -> list[Record]:
    """A mix for every board that has two rows to make it of. RequestError where none has."""
    known = {record.id: record for record in every}
    made: list[Record] = []
    for board in chosen:
        parts = []
        for record in (known[row.record] for row in board.rows):
            if not is_ranked(record):
                continue
            if _is_here(record, bench) and not probabilities.covers_valid(bench.cache, record):
                console.say(f"left out of the mix of {board.task} on {board.panel}: {without_valid(record)}")
            elif _is_here(record, bench):
                parts.append(record)
            else:
                console.say(
                    f"left out of the mix of {board.task} on {board.panel}: {label(record)} ({record.id}), which this "
                    f"machine has no probabilities of; they are made by: {bench.command(record)}"
                )
        if len(parts) < 2:
            console.say(f"no mix of {board.task} on {board.panel}: it needs two rows or more, and has {len(parts)}")
            continue
        try:
            made.append(bench.make(parts, of_board=True))
        except HarnessError as error:
            if len(chosen) == 1:
                raise
            console.say(f"no mix of {board.task} on {board.panel}: {error}")
    if not made:
        raise RequestError(
            "no board has two rows whose probabilities this machine holds; 'harness run' keeps them beside its fits"
        )
    return made
