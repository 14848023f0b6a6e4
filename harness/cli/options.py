"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecordsOption = Annotated[
    Path, typer.Option("--records", help="Folder of record files.", envvar="HARNESS_RECORDS", show_default=True)
]
BoardsOption = Annotated[Path, typer.Option("--boards", help="Folder that the tables are written to.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
DataOption = Annotated[
    str, typer.Option("--data", help="A data set's name, a panel folder, a csv or parquet file, or a CAREER folder.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="name=value; prefixed 'task.', 'data.' or a model's name and a dot.", metavar="NAME=VALUE"
    ),
]
PretrainOption = Annotated[
    str | None,
    typer.Option(
        "--pretrain",
        help="Resumes that models which can are pre-trained on: a data set's name, with its defaults, or a path.",
        metavar="PANEL",
    ),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help="Which column of the file is what, such as person=ID.", metavar="WHAT=COLUMN"),
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
        help="Covariate that says in which stratum each person was drawn: intervals resample within strata.",
        metavar="COLUMN",
    ),
]
UnitsOption = Annotated[
    str | None,
    typer.Option(
        "--units",
        help="Covariate that says in which primary sampling unit: intervals resample whole units, not persons.",
        metavar="COLUMN",
    ),
]
OccupationsOption = Annotated[
    Path | None, typer.Option("--occupations", help="Table of occupations for a single file of careers.")
]

RECORDS = Path("leaderboards/results")
BOARDS = Path("leaderboards")
