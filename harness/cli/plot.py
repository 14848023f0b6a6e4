"""harness plot: figures for a paper, of boards, runs and forecasts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.boards.board import Board, boards_with, planned
from harness.boards.chosen import chosen
from harness.boards.compare import compare
from harness.cli import complete, console
from harness.cli.options import RECORDS, RecordsOption
from harness.errors import RequestError, did_you_mean
from harness.records.current import Folder
from harness.records.naming import record_named
from harness.records.record import Record
from harness.records.store import Store, existing_store

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="A board, by panel/task or by its task; or runs of one board; or the file of a forecast's JSON.",
            metavar="[BOARD|RUN...]",
            autocompletion=complete.boards_and_runs,
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="forest, differences, reliability, learning, frontier or forecast.",
            autocompletion=complete.kinds,
        ),
    ] = "forest",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write: .pdf, .svg, .pgf or .png.", metavar="FILE")
    ] = None,
    records: RecordsOption = RECORDS,
) -> None:
    """Draw a figure for a paper from records.

    Intervals are 95%; nothing is fitted. forest: perplexities, and differences from the best model. differences:
    differences from the best model, or from the first of the runs that are named. reliability: shares that happened, by
    predicted probability. learning: perplexity by training persons. frontier: perplexity by seconds of fit and score.
    forecast: shares of statuses by year, from the JSON of 'harness forecast --json > FILE'. Figures need matplotlib.
    """
    from harness.render import plots

    if out is None:
        raise RequestError("--out is missing: harness plot BOARD --kind forest --out figure.pdf")
    plots.require_ending(out)
    figure = _forecast(names or []) if kind == plots.FORECAST else _of_records(names or [], kind, records)
    plots.save(figure, out)
    console.say(f"-> {out}")


def _of_records(names: Sequence[str], kind: str, records: Path) -> Figure:
    """A board's figure. RequestError where the names are of no board, or of several."""
    from harness.render.plots import plot as draw
    from harness.render.plots import plot_compared

    store = existing_store(records)
    board = _board_called(names, store)
    if board is not None:
        return draw(board, kind)
    runs = [_run(name, store) for name in names]
    if kind == "differences" and len(runs) > 1:
        return plot_compared(compare(runs))
    found = boards_with(runs, store)
    if len(found) != 1:
        raise RequestError(f"runs of {len(found)} boards: one figure is of one board")
    return draw(chosen(found[0], [run.id for run in runs]), kind)


def _board_called(names: Sequence[str], store: Store) -> Board | None:
    """The board that is named, or the only one where nothing is; None where the names are of runs."""
    if len(names) > 1 or (names and Path(names[0]).is_file()):
        return None
    found = planned(Folder(store))
    called = [plan for plan in found if not names or names[0] in (plan.key[1], f"{plan.folder}/{plan.key[1]}")]
    if len(called) == 1:
        return called[0].made()
    if names and not called:
        return None
    told = ", ".join(f"{plan.folder}/{plan.key[1]}" for plan in called)
    raise RequestError(
        f"name one board: {told}" if told else f"{store.folder}: no record files; 'harness run' makes them"
    )


def _run(name: str, store: Store) -> Record:
    """RequestError naming the boards as well: a name may have been meant for one."""
    try:
        return record_named(name, store.folder)
    except RequestError as error:
        known = [f"{plan.folder}/{plan.key[1]}" for plan in planned(Folder(store))]
        raise RequestError(f"{error}; of boards, {did_you_mean(name, known)}") from error


def _forecast(names: Sequence[str]) -> Figure:
    """RequestError where the one file is not what 'harness forecast --json' printed."""
    from harness.render.plots import plot_forecast

    if len(names) != 1:
        raise RequestError("--kind forecast draws one file: harness forecast ... --json > FILE; harness plot FILE ...")
    return plot_forecast(_read(Path(names[0])))


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError
        for period in content["periods"]:
            _ = period["years"], period["actual"], [line["statuses"]["share"] for line in period["forecasts"]]
    except OSError as error:
        raise RequestError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestError(f"{file}: is not the JSON of a forecast, which 'harness forecast --json' prints") from error
    return content
