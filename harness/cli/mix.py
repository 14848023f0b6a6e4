"""harness mix: ensembles of finished runs, through what each said of every transition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.boards.board import Board, boards, boards_with
from harness.boards.chosen import of_task_and_panel
from harness.boards.mix import mix as mix_runs
from harness.boards.mix import without_valid
from harness.cli import complete, console
from harness.cli.board import print_boards
from harness.cli.options import JsonOption, SetOption
from harness.cli.panels import reads_careers
from harness.cli.reproduce import command, reopen
from harness.cli.workshop import workshop_of
from harness.errors import HarnessError, RequestError
from harness.model.params import parse
from harness.panel import Panel
from harness.records.kinds import is_checked, is_mixable, is_submitted, label
from harness.records.naming import record_named
from harness.records.predictions import covers_valid, path_of
from harness.records.record import PanelFacts, Record
from harness.records.store import existing_store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest
from harness.runs.validation import Validation


@dataclass(frozen=True)
class _Mixtures:
    """The place where mixes are made, and the names that the line that makes a run again gives to things."""

    workshop: Workshop
    validation: Validation

    @property
    def cache(self) -> Path:
        return self.workshop.cache

    def make(self, parts: Sequence[Record], of_board: bool) -> Record:
        """The record of a mix, written."""
        for part in parts:
            self.validation.ensure(part)
        record = mix_runs(parts, self.cache, of_board, self.workshop.registry.all_metrics)
        path = self.workshop.store.write(record)
        asked = record.configuration
        console.say(
            f"mix of {len(parts)} runs on {asked.task} of {asked.panel.name}: perplexity "
            f"{record.figures['perplexity']:.4f}, on the validation split {record.facts['validation_perplexity']:.4f} "
            f"-> {path}"
        )
        return record

    def command(self, record: Record) -> str:
        """The line that makes a record again, and its predictions with it; a panel read from files by its name."""
        return command(record, self.workshop.registry, self.workshop.store.folder)


@reads_careers(all_where_left_out=True)
def mix(
    context: typer.Context,
    panel: PanelRequest | None,
    records: Path,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Two or more records of one board: how their ids begin, their files, or panel/task/model.",
            autocompletion=complete.runs,
        ),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Mix this task's boards alone.")] = None,
    with_submissions: Annotated[
        bool, typer.Option("--with-submissions", help="Take in submissions as well, which nobody here checked.")
    ] = False,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Average finished runs by weights of the validation split.

    The weights are those of highest likelihood on the validation split. The row 'mix' is no model: it shows how far a
    board's models are from their best combination. Without runs, every board gets the mix of all its rows, but for
    those that know the truth, in the place of an earlier mix. Runs that are named make a row of their own. --data
    chooses one panel's boards, by the panel's name, or by the files that hold it.

    The validation split of a run is scored when a mix first asks for it, with the fit in this machine's cache; rows
    made on another machine are left out. So are submissions, unless they are named or --with-submissions is given. A
    mix with a submission stands among the rows that nobody here checked.
    """
    registry: Registry = context.obj
    store = existing_store(records)
    if panel is not None:
        panel = panel.model_copy(update={"parameters": dict(parse(settings or [], []).data)})
    every = store.all()
    if not every:
        raise RequestError(f"{records}: no record files; 'harness run' makes them")
    workshop = workshop_of(context, records)
    named = panel is not None and any(one.configuration.panel.name == panel.data for one in every)
    opened = None if panel is None or named else panel.open(registry, workshop.progress)

    def panel_of(facts: PanelFacts) -> Panel:
        if opened is not None and opened.fingerprint() == facts.fingerprint:
            return opened
        return reopen(facts, registry, workshop.progress)

    bench = _Mixtures(workshop, Validation(workshop, panel_of))
    if runs:
        if task is not None or named:
            raise RequestError(
                "--task and --data choose boards, and runs that are named belong to one already: leave them out"
            )
        if with_submissions:
            raise RequestError(
                "--with-submissions is for whole boards: leave it out, and name the submissions to take in"
            )
        made = [bench.make(_named(runs, records, bench), of_board=False)]
    else:
        found = of_task_and_panel(boards(every), task, panel.data if panel is not None and named else None)
        if opened is not None:
            found = _of_panel(found, opened, records)
        made = _of_boards(found, every, bench, with_submissions)
    if as_json:
        console.emit_json([record.model_dump(mode="json", exclude={"evidence"}) for record in made])
        return
    print_boards(boards_with(made, store))


def _of_panel(found: Sequence[Board], panel: Panel, records: Path) -> list[Board]:
    chosen = [board for board in found if board.fingerprint == panel.fingerprint()]
    if not chosen:
        raise RequestError(f"{records}: no board is of '{panel.name}' ({panel.fingerprint()[:12]}), as it is read here")
    return chosen


def _named(runs: Sequence[str], records: Path, bench: _Mixtures) -> list[Record]:
    chosen = [record_named(run, records) for run in runs]
    for record in chosen:
        if is_mixable(record) and not _is_here(record, bench):
            raise RequestError(
                f"the predictions of {record.id} ({label(record)}) are not on this machine: {bench.command(record)}"
            )
        if _lacks_valid(record, bench):
            raise RequestError(without_valid(record))
    return chosen


def _lacks_valid(record: Record, bench: _Mixtures) -> bool:
    """True of a submission whose file did not cover the validation split."""
    return is_submitted(record) and not covers_valid(bench.cache, record)


def _left_out(record: Record, bench: _Mixtures, with_submissions: bool) -> str | None:
    """The reason why a record is no part of its board's mix; None where it is one."""
    name = f"{label(record)} ({record.id})"
    if not is_checked(record) and not with_submissions:
        return f"{name}, which was submitted and not checked; --with-submissions takes it in"
    if not _is_here(record, bench):
        return f"{name}, which this machine has no probabilities of; they are made by: {bench.command(record)}"
    return without_valid(record) if _lacks_valid(record, bench) else None


def _is_here(record: Record, bench: _Mixtures) -> bool:
    return path_of(bench.cache, record.id).exists()


def _of_boards(
    chosen: Sequence[Board], every: Sequence[Record], bench: _Mixtures, with_submissions: bool
) -> list[Record]:
    """A mix for every board that has two rows to make it of. RequestError where none has."""
    known = {record.id: record for record in every}
    made: list[Record] = []
    for board in chosen:
        parts = []
        for record in (known[id] for row in board.rows for id in row.all_records):
            if not is_mixable(record):
                continue
            if why := _left_out(record, bench, with_submissions):
                console.say(f"left out of the mix of {board.task} on {board.panel}: {why}")
            else:
                parts.append(record)
        if len(parts) < 2:
            console.say(f"no mix of {board.task} on {board.panel}: it needs two runs or more, and has {len(parts)}")
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
