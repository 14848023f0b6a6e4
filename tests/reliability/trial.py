"""One planted model, checked in one way by the command, and the verdict."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.planted import plant

from reliability.careers import FLOOR, write_careers
from reliability.cheats.model import COMMON, NOT_FOUND, NOTHING_GAINED, PASSES, REFUSED, WAYS, Cheat, Way
from reliability.forked import Done, Terms, in_parallel, limited_memory, typed

INTERRUPTED = 130  # the status that a shell gives a command that was interrupted


@dataclass(frozen=True)
class Trial:
    """The end of a planted model. told: the last line on stderr; seconds: of the wall clock."""

    cheat: Cheat
    way: Way
    verdict: str
    told: str
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.verdict == self.cheat.expected(self.way)


def try_all(cheats: Sequence[Cheat], ways: Sequence[Way] = WAYS, processes: int = 2) -> list[Trial]:
    """Every model in every way, some at a time; in the order of the models, each in all ways."""
    return in_parallel(attempt, [(cheat, way) for cheat in cheats for way in ways], processes)


def attempt(cheat: Cheat, way: Way) -> Trial:
    """Plant the model in a folder of its own, type the command, and judge how it ended."""
    with tempfile.TemporaryDirectory(prefix="reliability-") as made:
        folder = Path(made)
        data = write_careers(folder / "data" / "careers.csv")
        names = f"DATA, PLACE = {str(data)!r}, {made!r}\n"
        beside = "beside" in cheat.before
        path = plant(folder / "plugin", names + COMMON + cheat.source, cheat.spec, ("beside",) if beside else ())
        found = {"PYTHONPATH": os.pathsep.join([path, *filter(None, [os.environ.get("PYTHONPATH")])])}
        terms = Terms(surroundings=found, before=limited_memory(cheat.memory) if cheat.memory else None)
        for model in cheat.before if way != "audit" and not beside else ():
            typed(folder, ("run", *_asked(cheat, data), "--model", model), terms)
        begun = time.monotonic()
        line = _line(cheat, way, data)
        for _ in range(cheat.times):
            shutil.rmtree(folder / "records", ignore_errors=True)
            done = typed(folder, line, terms)
        seconds = time.monotonic() - begun
        verdict = _of_audit(done) if way == "audit" else _of_run(done, cheat, folder)
        lines = done.said.strip().split("\n")
        return Trial(cheat, way, verdict, next((s for s in reversed(lines) if "rror" in s), lines[-1]), seconds)


def _asked(cheat: Cheat, data: Path) -> tuple[str, ...]:
    tasks = tuple(part for task in cheat.tasks for part in ("--task", task))
    return (*tasks, "--data", str(data), "--records", "records", "--json")


def _line(cheat: Cheat, way: Way, data: Path) -> tuple[str, ...]:
    if way == "audit":
        return ("audit", "planted", "--data", str(data), "--persons", "600", *cheat.options)
    models = ("--model", "beside", "--model", "planted") if "beside" in cheat.before else ("--model", "planted")
    more = ("--isolated",) if way == "isolated" else ()
    return ("run", *_asked(cheat, data), *models, "--force", *cheat.options, *more)


def _of_audit(done: Done) -> str:
    if done.status:
        return REFUSED if _in_words(done) else f"status {done.status} without a word"
    return PASSES


def _of_run(done: Done, cheat: Cheat, folder: Path) -> str:
    written = [file for file in folder.glob("records/*/*.json") if "-planted-" in file.name and file.stat().st_size > 9]
    records = [json.loads(file.read_text()) for file in written]
    gained = any(record["figures"]["perplexity"] < _least(record) for record in records)
    if done.status:
        if not _in_words(done):
            return f"status {done.status} without a word"
        return "refused, with a record" if gained else REFUSED
    if len(records) < len(cheat.tasks):
        return "no record"
    if cheat.honest:
        return PASSES
    return NOT_FOUND if gained else NOTHING_GAINED


def _least(record: dict[str, object]) -> float:
    """The perplexity below which a model of equal chances must have known something."""
    task = dict(record["configuration"])["task"]  # type: ignore[call-overload]
    return {"next_occ": FLOOR, "switch": 1.6, "next_occ_switchers": FLOOR - 1}[task]


def _in_words(done: Done) -> bool:
    return "Traceback" not in done.said and ("rror" in done.said or done.status == INTERRUPTED)
