"""harness leaderboard: what the record files say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.boards.board import Board
from harness.boards.chosen import of_task_and_panel
from harness.cli import console
from harness.cli.options import BOARDS, RECORDS, BoardsOption, RecordsOption, SignersOption
from harness.errors import RequestError, RunError
from harness.records.current import Folder
from harness.records.evidence import add_up
from harness.records.record import Record, figures
from harness.records.store import existing_store
from harness.registry import Registry
from harness.stats.figures import Metric
from harness.system.drafts import sweep
from harness.system.signatures import require_signers, signature_of, signer_of
from harness.system.words import counted

NAME_COLUMNS = 2  # columns from the left, rank and model, which may fold


def leaderboard(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Print this task's boards alone.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Print this panel's boards alone.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="Print as md, tex, csv, json or html.")] = None,
    stars: Annotated[
        bool, typer.Option("--stars", help="With --format tex: stars on differences, by their adjusted p.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a table is stale.")] = False,
    records: RecordsOption = RECORDS,
    folder: BoardsOption = BOARDS,
    signers: SignersOption = None,
) -> None:
    """Make every table from the record files, and print some.

    Pages of claims are made too, where a language model was tuned. A table that no record makes any more is removed;
    other files are left alone. --check compares instead of writing: the tables byte for byte, none missing and none too
    many, and every figure in every record with the one that its evidence gives.
    """
    from harness import render
    from harness.claims.found import in_folder
    from harness.cli.rebuild import boards_and_tables
    from harness.render import claims
    from harness.render.leftovers import leftovers, removable

    registry: Registry = context.obj
    if stars and format != "tex":
        raise RequestError("--stars goes with --format tex")
    kept = Folder(existing_store(records), tolerant=True)
    if signers is not None:
        kept.ask_who_signed(require_signers(signers))
    rebuilt = boards_and_tables(kept, folder, registry)
    tables = rebuilt.tables
    if not rebuilt.boards:
        _require_records(rebuilt.refused)
        raise RequestError(f"{records}: no record files; 'harness run' makes them")
    chosen = of_task_and_panel(rebuilt.boards, task, data)
    for entry in registry.papers.values():
        tables |= claims.files(in_folder(kept, entry.item), folder)
    left = leftovers(folder, tables, [entry.item.file for entry in registry.papers.values()])
    if check:
        _require_records(rebuilt.refused)
        every = kept.store.all()
        _require_sound(every, registry.all_metrics)
        if stale := render.stale(tables):
            raise RunError(f"stale: {', '.join(map(str, stale))}; 'harness leaderboard' regenerates them")
        _require_signed(tables, signers)
        if left:
            raise RunError(
                f"made by no record: {', '.join(map(str, left))}; 'harness leaderboard' removes them, "
                "where they are of a panel of these records"
            )
        console.say(f"{counted(len(tables), 'table')} and {counted(len(every), 'record')} agree")
        return
    texts = [] if format is None else _texts(chosen, format, registry, stars)  # before anything is written
    sweep(folder, depth=2)  # of tables, as a killed command left them
    written = render.write(tables)
    if former := [path for path in written if signature_of(path).exists()]:
        console.say(f"signed as they were, and to be signed anew: {', '.join(map(str, former))}")
    if format is None:
        print_boards(chosen)
    for text in texts:
        console.result(text)
    console.say(f"{len(written)} of {counted(len(tables), 'table')} changed in {folder}")
    if not rebuilt.refused:  # a file that is refused may be the one that makes them
        _clear(left, removable(left, rebuilt.boards, records, folder))
    _require_records(rebuilt.refused)


def _require_signed(tables: Iterable[Path], signers: Path | None) -> None:
    """RequestError for a table whose signature is not of its bytes by one of ``signers``, where these are given."""
    if signers is not None:
        known = require_signers(signers)
        for path in tables:
            signer_of(path, known)


def _clear(left: Sequence[Path], gone: Sequence[Path]) -> None:
    """Remove the tables that the records have outlived, and name those that another folder's may make."""
    from harness.render.leftovers import remove

    remove(gone)
    if gone:
        console.say(f"removed, as no record makes them any more: {', '.join(map(str, gone))}")
    if others := [path for path in left if path not in gone]:
        console.say(f"made by no record here, and left: {', '.join(map(str, others))}")


def _require_records(refused: Mapping[Path, RequestError]) -> None:
    """RequestError naming every file that is no record. The boards of all others are made all the same."""
    if refused:
        told = "\n".join(str(error) for error in refused.values())
        raise RequestError(f"{len(refused)} of the record files left out of the boards:\n{told}")


def _texts(chosen: list[Board], format: str, registry: Registry, stars: bool) -> list[str]:
    """The boards in this form, HTML as one page of all. RequestError for a form that nobody knows."""
    from harness import render

    if format == render.PAGE:
        return [render.page(chosen)]
    if stars:
        return [render.board_latex.render(board, stars=True) for board in chosen]
    return [render.render(board, format, registry) for board in chosen]


def _require_sound(records: Sequence[Record], metrics: Sequence[Metric]) -> None:
    """RunError naming the records whose figures, or slices, are not those of their evidence."""
    wrong = [record.id for record in records if not _agree(record.figures, figures(record, metrics))]
    if wrong:
        raise RunError(f"records whose figures are not those of their evidence: {', '.join(wrong)}")
    apart = [record.id for record in records if record.slices and not add_up(record.slices, record.evidence)]
    if apart:
        raise RunError(f"records whose slices are not those of their evidence: {', '.join(apart)}")


def _agree(kept: Mapping[str, float | None], computed: Mapping[str, float | None]) -> bool:
    """True where a record's figures are those of its evidence; of a figure that it is older than it has no value."""
    return all(computed.get(key) == value for key, value in kept.items())


def print_boards(chosen: Sequence[Board]) -> None:
    """Rankings and their notes: on a terminal as wide as it allows, in a pipe as plain text with every column."""
    from harness.render.boards.notes import notes
    from harness.render.boards.sections import learning_curves
    from harness.render.boards.table import ALWAYS, columns, parts

    for board in chosen:
        every = columns(board)
        headings, rows = [column.heading for column in every], [[c.cell(row) for c in every] for row in board.rows]
        spare = sorted((c for c in every if c.importance < ALWAYS), key=lambda column: column.importance)
        kept = console.fitting(headings, rows, NAME_COLUMNS, [column.heading for column in spare])
        left_out = [heading for i, heading in enumerate(headings) if i not in kept]
        size = f"{counted(board.transitions, 'transition')} of {counted(board.persons, 'person')}"
        title = f"{board.panel}: {board.task} ({size})"
        for n, (part, own) in enumerate(parts(board)):
            shown = [[every[i].cell(row) for i in kept] for row in own]
            caption = part if n else f"{title}. {part}" if part else title
            console.table([headings[i] for i in kept], shown, [every[i].number for i in kept], caption)
        gone = ", ".join(heading.partition(",")[0] for heading in left_out)
        told = [f"No room for: {gone}; --format md has all."] if left_out else []
        console.notes([*notes(board), *told], left_out)
        if (curves := learning_curves(board)) is not None:
            console.result("")
            console.table(curves.headings, curves.rows, [i > 0 for i in range(len(curves.headings))], curves.title)
            console.notes(curves.notes)
        console.result("")
