"""Cells that failed, each with its error in a small file beside the records.

``<records>/failed/<panel>/<model>-<id>.json``: one folder deeper than records are, so that none is taken for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from harness.errors import RequestError
from harness.records.record import now
from harness.records.store import slug
from harness.runs.study.cells import Ended, Fault
from harness.runs.study.request import StudyCell
from harness.system.files import write_atomically

FOLDER = "failed"


class Failure(BaseModel):
    """A cell that was tried and failed. times: how often. where: the process or the node of the last time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: str
    name: str
    request: dict[str, Any]
    error: str
    fault: Fault
    times: int
    where: str
    at: AwareDatetime


class Failures:
    """The failures that are kept beside the records of a folder."""

    def __init__(self, records: Path) -> None:
        self.folder = records / FOLDER

    def path(self, cell: StudyCell) -> Path:
        return self.folder / slug(Path(cell.request.panel.data).name) / f"{slug(cell.model)}-{cell.id}.json"

    def of(self, cell: StudyCell) -> Failure | None:
        """The cell's last failure; None where it has none. RequestError where its file is none."""
        path = self.path(cell)
        return _read(path) if path.exists() else None

    def keep(self, cell: StudyCell, ended: Ended) -> Failure:
        """Keep how a cell ended. RunError where the folder cannot be written."""
        before = self.of(cell)
        failure = Failure(
            cell=cell.id,
            name=cell.name(),
            request=cell.request.model_dump(mode="json", exclude_defaults=True),
            error=ended.error,
            fault=ended.fault,
            times=1 if before is None else before.times + 1,
            where=ended.where,
            at=now(),
        )
        write_atomically(self.path(cell), failure.model_dump_json(indent=1) + "\n")
        return failure

    def forget(self, cell_id: str) -> None:
        """The cell of this id ended well."""
        for path in self.folder.glob(f"*/*-{cell_id}.json"):
            path.unlink(missing_ok=True)

    def take(self, other: Failures) -> list[Failure]:
        """Keep what another folder has; those that it has. RequestError where one of its files is none."""
        found = []
        for path in sorted(other.folder.glob("*/*.json")):
            found.append(_read(path))
            write_atomically(self.folder / path.relative_to(other.folder), path.read_text(encoding="utf-8"))
        return found


def _read(path: Path) -> Failure:
    try:
        return Failure.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise RequestError(f"{path}: no failure of a study; remove it, and the cell is run again") from error
