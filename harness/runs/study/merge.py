"""Records and failures that a job array left in its folder, put where the study's records lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import RequestError, RunError
from harness.records.store import Store
from harness.runs.study.bundle import merge
from harness.runs.study.failures import Failure, Failures
from harness.runs.study.slurm import DONE


@dataclass(frozen=True, slots=True)
class MergedCells:
    """Cells that left a bundle, their records, and the cells that failed."""

    cells: int
    records: int
    failed: tuple[Failure, ...]


def merge_folder(folder: Path, store: Store, cache: Path) -> MergedCells:
    """Merge every bundle of a folder, or of its ``done``, and the failures there.

    RequestError where there is neither bundle nor failure; RunError, naming the file, where one cannot be read.
    """
    inside = folder / DONE if (folder / DONE).is_dir() else folder
    bundles, failures = sorted(inside.glob("*.zip")), Failures(store.folder)
    failed = failures.take(Failures(inside))
    if not bundles and not failed:
        raise RequestError(f"{folder}: no cell has left anything there yet")
    records = 0
    for path in bundles:
        try:
            records += len(merge(path.read_bytes(), store, cache))
        except (OSError, RunError) as error:
            raise RunError(f"{path}: {error}; remove it, and the array runs its cell again") from error
        failures.forget(path.stem)
    left = tuple(failure for failure in failed if not (inside / f"{failure.cell}.zip").exists())
    return MergedCells(cells=len(bundles), records=records, failed=left)
