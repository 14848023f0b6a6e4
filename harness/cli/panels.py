"""The options of every command that reads careers, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import complete
from harness.cli.options import RECORDS, RecordsOption
from harness.cli.reading import reading_of, reading_parameters
from harness.data.reading import FileReading
from harness.errors import RequestError
from harness.model.params import pairs
from harness.runs.request import PanelRequest

DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="A data set's name, a panel folder, a file of careers, or a CAREER folder.",
        autocompletion=complete.datasets,
    ),
]
OptionalDataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A panel, by its name or by the files that hold it; all panels where left out.",
        autocompletion=complete.datasets,
    ),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="The column of a part: person=ID, year=YR, occupation=JOB. Repeatable.", metavar="PART=COLUMN"
    ),
]
OccupationsOption = Annotated[
    Path | None, typer.Option("--occupations", help="Table of occupations for a single file of careers.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Numeric covariate that each record counts for, in estimation and scoring, such as a survey weight; no "
        "model sees it. A panel of --train-also or --pretrain that lacks it counts one a record.",
        metavar="COLUMN",
    ),
]
StrataOption = Annotated[
    str | None,
    typer.Option(
        "--strata",
        help="Covariate of the stratum in which each person was drawn: intervals resample within strata.",
        metavar="COLUMN",
    ),
]
UnitsOption = Annotated[
    str | None,
    typer.Option(
        "--units",
        help="Covariate of the primary sampling unit: intervals resample whole units, not persons.",
        metavar="COLUMN",
    ),
]

PLAIN = FileReading()


def panel_request(
    data: DataOption = "market",
    column: ColumnOption = None,
    occupations: OccupationsOption = None,
    weights: WeightsOption = None,
    strata: StrataOption = None,
    units: UnitsOption = None,
    *,
    reading: FileReading = PLAIN,
) -> PanelRequest:
    """The careers that the shared options name. RequestError where a --column is not PART=COLUMN."""
    return PanelRequest(
        data=data,
        columns=pairs(column or []),
        occupations=occupations,
        reading=reading,
        weights=weights,
        strata=strata,
        units=units,
    )


def reads_file(command: Callable[..., None]) -> Callable[..., Any]:
    """A command of a source with the options of a reading, of which its ``reading`` is made."""
    own = inspect.signature(command, eval_str=True)

    @wraps(command)
    def with_reading(**given: Any) -> None:
        command(reading=reading_of(given), **given)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own.parameters.values() if p.name != "reading"]
    parameters = [*parameters, *reading_parameters().values()]
    with_reading.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    with_reading.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_reading


def reads_careers(
    command: Callable[..., None] | None = None, *, all_where_left_out: bool = False
) -> Callable[..., Any]:
    """A command with the options of ``panel_request``, of a reading, both in its ``panel``, and --records.

    The command takes ``panel`` and ``records``. The shared options stand after its required ones. all_where_left_out:
    without --data it gets no panel, and speaks of all.
    """
    if command is None:
        return partial(reads_careers, all_where_left_out=all_where_left_out)
    inner = command
    own = inspect.signature(inner, eval_str=True)
    shared = dict(inspect.signature(panel_request, eval_str=True).parameters)
    del shared["reading"]
    shared |= reading_parameters()
    if all_where_left_out:
        shared["data"] = shared["data"].replace(default=None, annotation=OptionalDataOption)
    records = inspect.Parameter("records", inspect.Parameter.KEYWORD_ONLY, default=RECORDS, annotation=RecordsOption)

    @wraps(inner)
    def with_panel(**given: Any) -> None:
        asked = {name: given.pop(name) for name in shared}
        if asked["data"] is None:
            _require_data(asked)
            inner(panel=None, **given)
        else:
            reading = reading_of(asked)
            inner(panel=panel_request(**asked, reading=reading), **given)

    rest = [p.replace(kind=p.KEYWORD_ONLY) for p in own.parameters.values() if p.name not in ("panel", "records")]
    first = [p for p in rest if p.default is p.empty]
    last = [p for p in rest if p.default is not p.empty]
    parameters = [*first, *(p.replace(kind=p.KEYWORD_ONLY) for p in shared.values()), *last, records]
    with_panel.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    with_panel.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_panel


def _require_data(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if value:
            raise RequestError(
                f"--{name.replace('_', '-')} says how the careers of --data are read: name them with --data"
            )
