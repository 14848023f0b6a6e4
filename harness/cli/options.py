"""Options that several commands share, beside those of ``harness.cli.panels``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import complete
from harness.errors import RequestError

if TYPE_CHECKING:
    from harness.runs.execute import Reuse

RECORDS = Path("leaderboards/results")
BOARDS = Path("leaderboards")

RECORD_HELP = "A record: how its id begins, its file, or panel/task/model."
RunArgument = Annotated[str, typer.Argument(help=RECORD_HELP, autocompletion=complete.runs)]
RecordsOption = Annotated[
    Path, typer.Option("--records", help="Folder of record files.", envvar="HARNESS_RECORDS", show_default=True)
]
BoardsOption = Annotated[Path, typer.Option("--boards", help="Folder that the tables are written to.")]
SignersOption = Annotated[
    Path | None,
    typer.Option(
        "--signers",
        help="Say who signed each record, by this allowed_signers file, and refuse those that are signed otherwise.",
        envvar="HARNESS_SIGNERS",
        metavar="FILE",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A parameter, such as gbm.rounds=300: of a model, of the task (task.) or of the data set (data.).",
        metavar="NAME=VALUE",
    ),
]
AlsoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--train-also",
        help="A further panel to train on: a data set's name, with its defaults, or a path. Repeatable.",
        metavar="PANEL",
    ),
]
PretrainOption = Annotated[
    str | None,
    typer.Option(
        "--pretrain",
        help="Resumes for pre-training, in models that can: a data set's name, with its defaults, or a path.",
        metavar="PANEL",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of every random draw.", min=0)]
SeedsOption = Annotated[
    int,
    typer.Option(
        "--seeds",
        help="Number of seeds, from --seed on, each with a record of its own; errors are over persons and seeds.",
        min=1,
        metavar="N",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
TimeLimitOption = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        help="Seconds that a model may take for its fit, and again for each task; one that takes longer fails.",
        min=0.001,
        metavar="SECONDS",
    ),
]
IsolatedOption = Annotated[
    bool,
    typer.Option(
        "--isolated",
        help="Fit and ask each model in a process of its own, which cannot read the data's files, nor any outcome.",
    ),
]
ProcessesOption = Annotated[
    int,
    typer.Option(
        "--processes",
        help="Processes that fit each model together, one a GPU where there are several; they share every batch.",
        min=1,
        metavar="N",
    ),
]
ScoreJobsOption = Annotated[
    int,
    typer.Option(
        "--score-jobs",
        help="Processes that score the test split, each some of its persons; processors are shared out among them.",
        min=1,
        metavar="N",
    ),
]
ObserveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--observe",
        help="Tell a tracker of experiments of every finished run: mlflow or wandb. Repeatable; HARNESS_OBSERVE asks "
        "in every command.",
        metavar="OBSERVER",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run again, though a record is there: --reuse never.")]
ReuseOption = Annotated[
    str,
    typer.Option(
        "--reuse",
        help="Records of identical requests that are read and not run again: own, those that this machine made; any, "
        "those that came with a checkout too; never.",
        metavar="own|any|never",
    ),
]


def reuse_of(reuse: str, force: bool) -> Reuse:
    """The rule of --reuse and --force. RequestError where the two contradict one another, or it is none."""
    if reuse not in ("own", "any", "never"):
        raise RequestError(f"--reuse {reuse}: write own, any or never")
    if force and reuse == "any":
        raise RequestError("--force runs again what --reuse any reads: leave one of them out")
    return "never" if force else reuse  # type: ignore[return-value]
