"""A record of submitted probabilities, made again from its file."""

from __future__ import annotations

from pathlib import Path

from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.records.kinds import label
from harness.records.record import Record
from harness.runs.execute import Workshop
from harness.runs.verify import task_of
from harness.submission import Submission, file_digest, submitted
from harness.submission.statement import Statement


def require_its_file(record: Record, file: Path) -> None:
    """RequestError where the file is not the one that the record was scored from."""
    content, known = file_digest(file), record.configuration.parameters["file_sha256"]
    if content != known:
        raise RequestError(
            f"--file {file}: is not the submitted file: its SHA-256 begins with {content[:12]}, that of the "
            f"record's with {known[:12]}"
        )


def scored_again(record: Record, file: Path, panel: Panel, workshop: Workshop) -> Record:
    """The record as the file gives it now, in the workshop's store. RequestError as ``require_its_file``."""
    require_its_file(record, file)
    asked = record.configuration.parameters
    submission = Submission(
        name=record.configuration.model,
        file=file,
        columns=asked["columns"],
        log=asked["log"],
        floor=asked["floor"],
        statement=Statement.of(record.facts),
    )
    [again] = submitted(submission, [task_of(record, workshop.registry)], panel, workshop)
    return again


def require_file(record: Record, file: Path | None) -> Path:
    """The file of a submission. RequestError, with how its digest begins, where none is named."""
    if file is None:
        begins = record.configuration.parameters["file_sha256"][:12]
        raise RequestError(
            f"{record.id} ({label(record)}) was submitted: --file PATH names the table that it was scored from, whose "
            f"SHA-256 begins with {begins}; its figures are those of its evidence"
        )
    return file
