"""Cells written down as a job array of Slurm: a script whose every task carries out its cells by their ids."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from harness.runs.study.cells import Cell, Ended, Event
from harness.system.files import write_atomically

MOST_TASKS = 1000  # of one array: MaxArraySize is 1001 where nobody set it
SCRIPT, CELLS, DONE, LOGS = "array.sh", "cells.txt", "done", "logs"
SLACK = 1.5  # times the memory that a cell is thought to take
LONG = 4  # times the seconds
SHORTEST = 600.0  # seconds


@dataclass
class SlurmArray:
    """Writes ``array.sh`` and ``cells.txt``, a line each cell, into a folder when it is left.

    command: a command that carries out the cells whose ids are added to it as ``--cell ID``, skipping those that are
    done. threads, gpus: of each task. further: options of sbatch, each a line of the script.
    """

    folder: Path
    command: Sequence[str]
    threads: int = 1
    gpus: float = 0.0
    further: Sequence[str] = ()
    cells: list[Cell] = field(default_factory=list)
    _told: int = 0

    def has_place(self) -> bool:
        return True

    def has_room(self, cell: Cell) -> bool:
        return True

    def start(self, cell: Cell) -> None:
        self.cells.append(cell)

    def wait(self, seconds: float) -> Sequence[Event]:
        new, self._told = self.cells[self._told :], len(self.cells)
        return [Ended(cell=cell, handed_over=True) for cell in new]

    def __enter__(self) -> SlurmArray:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.cells:
            for name in (DONE, LOGS):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / CELLS, "".join(f"{cell.id} {cell.name}\n" for cell in self.cells))
            write_atomically(self.folder / SCRIPT, self.script())

    def script(self) -> str:
        """The script, for ``sbatch``."""
        each = math.ceil(len(self.cells) / MOST_TASKS)
        folder = shlex.quote(str(self.folder))
        options = [f"#SBATCH {option}" for option in (*self._options(each), *self.further)]
        return "\n".join(
            [
                "#!/bin/bash",
                *options,
                f"# Every task carries out {each} line{'s' if each > 1 else ''} of cells.txt, and skips what is done.",
                "set -euo pipefail",
                f"last=$((SLURM_ARRAY_TASK_ID * {each}))",
                "cells=()",
                'while read -r id _; do cells+=(--cell "$id"); done \\',
                f'  < <(sed -n "$((last - {each - 1})),${{last}}p" {folder}/{CELLS})',
                f'exec {shlex.join(self.command)} --threads "${{SLURM_CPUS_PER_TASK:-{self.threads}}}" "${{cells[@]}}"',
                "",
            ]
        )

    def _options(self, each: int) -> list[str]:
        """Options of sbatch: time and memory where every cell's are known, with slack."""
        tasks = math.ceil(len(self.cells) / each)
        options = [
            "--job-name=harness-study",
            f"--array=1-{tasks}",
            f"--cpus-per-task={self.threads}",
            f"--output={self.folder / LOGS}/%a.txt",
        ]
        memory = [cell.memory_mb for cell in self.cells if cell.memory_mb is not None]
        seconds = [cell.seconds for cell in self.cells if cell.seconds is not None]
        if len(memory) == len(self.cells):
            options.append(f"--mem={math.ceil(max(memory) * SLACK)}M")
        if len(seconds) == len(self.cells):
            minutes = math.ceil(max(SHORTEST, max(seconds) * LONG) * each / 60)
            options.append(f"--time={minutes}")
        return [*options, f"--gpus-per-task={math.ceil(self.gpus)}"] if self.gpus else options
