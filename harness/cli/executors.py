"""The executor that the options of ``harness study run`` ask for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.runs.study.carry_out import HowToCarryOut
from harness.system.machine import free_main_memory
from harness.system.processors import allowed

if TYPE_CHECKING:
    from harness.runs.study.cells import Executor
    from harness.runs.study.place import LastPanels

MEGABYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Where:
    """The options that say where cells are carried out. threads: None for as many as there are to be given out."""

    on: str
    jobs: int | None = None
    threads: int | None = None
    gpus: float = 0.0
    out: Path | None = None
    sbatch: tuple[str, ...] = ()
    bundles: Path | None = None

    @property
    def is_slurm(self) -> bool:
        return self.on == "slurm"

    @property
    def is_ray(self) -> bool:
        return self.on == "ray" or self.on.startswith("ray://")

    def require_sound(self) -> None:
        """RequestError for a place that there is not, and for options that it has no use for."""
        if not (self.is_slurm or self.is_ray or self.on == "local"):
            raise RequestError(f"--on {self.on}: write local, ray, ray://HOST:PORT or slurm")
        if self.is_slurm and self.out is None:
            raise RequestError("--on slurm: --out is missing, the folder that the job array is written to")
        slurm_alone = [name for name in ("out", "sbatch") if getattr(self, name)]
        if slurm_alone and not self.is_slurm:
            raise RequestError(f"--{slurm_alone[0]} is for --on slurm")
        if self.bundles is not None and self.on != "local":
            raise RequestError("--bundles is for cells of this machine: leave it out")
        if self.gpus and self.on == "local":
            raise RequestError("--gpus is for Ray and Slurm; here each process has one of the GPUs that there are")
        if self.jobs is not None and self.is_slurm:
            raise RequestError("--jobs: Slurm decides how many tasks run at a time; --sbatch can bound it")

    def how(self, retry_failed: bool, time_limit: float | None, isolated: bool) -> HowToCarryOut:
        """The same for the study."""
        return HowToCarryOut(
            retry_failed=retry_failed,
            time_limit=time_limit,
            isolated=isolated,
            away=self.is_ray,
            bundles=self.bundles,
            gpus=self.gpus,
        )

    def threads_each(self) -> int:
        """Threads of a cell: on this machine the processors are shared out."""
        if self.threads is not None:
            return self.threads
        return max(1, int(allowed()) // (self.jobs or 1)) if self.on == "local" else 1

    def executor(self, panels: LastPanels, further: list[str]) -> Executor:
        """The executor. further: of the command, for the tasks of a job array: its file and what it was given."""
        if self.is_ray:
            from harness.runs.study.on_ray import OnRay

            return OnRay(address=self.on, threads=self.threads_each(), open_panels=panels.open, most=self.jobs)
        if self.is_slurm:
            from harness.runs.study.slurm import DONE, SlurmArray

            assert self.out is not None
            folder = self.out.absolute()
            command = [sys.executable, "-m", "harness", "study", "run", *further, "--retry-failed"]
            return SlurmArray(
                folder=folder,
                command=[*command, "--bundles", str(folder / DONE)],
                threads=self.threads_each(),
                gpus=self.gpus,
                further=self.sbatch,
            )
        from harness.runs.study.local import SideBySide

        free = free_main_memory()
        return SideBySide(self.jobs or 1, self.threads_each(), None if free is None else free / MEGABYTE)
