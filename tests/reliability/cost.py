"""Part 6: the seconds that the spot check takes of a run."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from helpers.paths import SURVEY

from reliability.forked import Terms, in_parallel, typed
from reliability.tables import paragraph, table

TRAIN_PERSONS = 300
TASKS = ("next_occ", "switch")
MODELS: dict[str, tuple[str, ...]] = {
    "mnl": (),
    "gbm": (),
    "career": (),
    "llm-lora": ("base_layers=2", "base_width=64", "base_heads=2", "base_tokens=200000", "epochs=1"),
}
SPENT = struct.Struct("d")
LONGEST = 3000.0  # seconds of one command


class Stopwatch:
    """Adds up the seconds that a process, and those it forks, spend in the spot check."""

    def __init__(self) -> None:
        self._spent = mmap.mmap(-1, SPENT.size)

    @property
    def seconds(self) -> float:
        return float(SPENT.unpack_from(self._spent)[0])

    def begin(self) -> None:
        """To be called in the process."""
        from harness.model import spot_check

        spot_check.ask = self._timed(spot_check.ask)
        spot_check.SpotCheck.require_same = self._timed(spot_check.SpotCheck.require_same)  # type: ignore[method-assign]

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                SPENT.pack_into(self._spent, 0, self.seconds + time.perf_counter() - begun)

        return timed


def measure(scale: float) -> dict[str, Any]:
    """One run a model, one after the other."""
    persons = max(20, round(TRAIN_PERSONS * scale))
    rows = in_parallel(_run, [(model, settings, persons) for model, settings in MODELS.items()], processes=1)
    return {"data": _data()[0], "persons": persons, "rows": dict(zip(MODELS, rows, strict=True)), "surprises": []}


def _data() -> tuple[str, str]:
    """The name of the careers, and where they are."""
    return ("NLSY97", str(SURVEY)) if SURVEY.is_dir() else ("the simulated market", "market")


def _run(model: str, settings: tuple[str, ...], persons: int) -> list[float]:
    """Seconds of the check, and of the whole command."""
    watch = Stopwatch()
    tasks = [part for task in TASKS for part in ("--task", task)]
    given = [part for setting in settings for part in ("--set", setting)]
    with TemporaryDirectory() as made:
        line = ("run", *tasks, "--model", model, "--data", _data()[1], "--train-persons", str(persons), *given)
        folder = Path(made)
        done = typed(
            folder, (*line, "--records", "records", "--device", "cpu"), Terms(before=watch.begin, seconds=LONGEST)
        )
        if done.status:
            raise RuntimeError(done.said)
        return [round(watch.seconds, 2), round(done.seconds, 1)]


def text(found: Mapping[str, Any]) -> Iterable[str]:
    """A row a model."""
    yield "## 6. The price of the spot check"
    yield ""
    yield from paragraph(
        f"`harness run --task next_occ --task switch` on {found['data']}: fitted on {found['persons']} persons, scored "
        f"on the whole test split, on the CPU; `llm-lora` with {', '.join(MODELS['llm-lora'])}. The command is all of "
        "it: reading the careers, the fit, the scores, the record."
    )
    seconds = found["rows"].items()
    rows = [(f"`{name}`", f"{check:.1f}", f"{whole:.0f}", f"{check / whole:.1%}") for name, (check, whole) in seconds]
    yield from table(("model", "spot checks, s", "command, s", "share"), rows)
