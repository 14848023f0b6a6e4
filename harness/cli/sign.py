"""harness sign: signatures of records and tables by SSH keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import RECORDS, RecordsOption
from harness.records.naming import path_of_record
from harness.records.store import existing_store
from harness.system.signatures import sign as sign_file


def sign(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Records: how their ids begin, their files, or panel/task/model; or tables of boards, by their paths.",
            metavar="RECORD...",
        ),
    ],
    key: Annotated[
        Path, typer.Option("--key", help="SSH key to sign with: a private one, or a public one that the agent has.")
    ],
    records: RecordsOption = RECORDS,
) -> None:
    """Sign records and tables with an SSH key.

    A detached signature, RECORD.json.sig, is written beside each. It says that the holder of the key stands by these
    bytes, and not that the numbers in them are right: 'harness verify' tests that. 'harness leaderboard --signers FILE'
    says who signed each record of a board, and refuses those whose signature is of other bytes or of nobody in the
    file.
    """
    files = [Path(name) if Path(name).is_file() else path_of_record(existing_store(records), name) for name in names]
    for file in files:
        console.result(str(sign_file(file, key)))
