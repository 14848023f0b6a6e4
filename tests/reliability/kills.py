"""Part 3: commands that are killed, that share a folder, that run out of space, or may not write."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from reliability.disturbed import (
    DEEDS,
    Countdown,
    Deed,
    again,
    copied,
    emptied,
    filled,
    leftovers,
    may_mount,
    outcome,
    prepared,
    small_disk,
    without_rights_of_root,
)
from reliability.forked import Terms, ended, in_parallel, kill, started, typed
from reliability.tables import paragraph, table

TIMES = 20  # kills at a random time, of each command
SPACES = (0, 4, 8, 12, 16, 24, 32, 64)  # kB that are left on the disk


def measure(scale: float) -> dict[str, Any]:
    """Every command, disturbed in every way."""
    asked: list[tuple[str, str, float]] = []
    counts = dict(in_parallel(operations, [(deed.name,) for deed in DEEDS]))
    for name, count in counts.items():
        step = max(1, round(1 / scale))
        asked += [(name, "operation", n) for n in range(1, count + 1, step)]
        generator = random.Random(0)
        asked += [(name, "time", generator.random()) for _ in range(max(2, round(TIMES * scale)))]
        asked += [(name, "processes", n) for n in (2, 4)]
        asked += [(name, "space", n) for n in SPACES[::step] if may_mount()]
        asked += [(name, "read-only", 0)]
    ends = in_parallel(disturb, asked)
    rows: dict[str, dict[str, list[int]]] = {}
    for (name, how, _), end in zip(asked, ends, strict=True):
        tried = rows.setdefault(name, {}).setdefault(how, [0, 0, 0])
        tried[0] += 1
        tried[1] += end["disturbed"]
        tried[2] += end["problem"] is not None
    surprises = [
        f"{name}, {how} {at:g}: {end['problem']}"
        for (name, how, at), end in zip(asked, ends, strict=True)
        if end["problem"] is not None
    ]
    left = Counter(name for (name, _, _), end in zip(asked, ends, strict=True) for name in [name] * end["left"])
    return {"operations": counts, "rows": rows, "left": dict(left), "surprises": surprises}


@cache
def _before(name: str) -> tuple[Path, dict[str, str], float]:
    """A folder prepared for the command, what the command leaves undisturbed, and the seconds that it takes."""
    deed = _deed(name)
    place = Path(mkdtemp(prefix="reliability-"))
    before = prepared(deed, place / "before")
    folder = copied(before, place / "whole")
    done = typed(folder, deed.line, Terms(said_in=place))
    if done.status:
        raise RuntimeError(done.said)
    return before, outcome(folder), done.seconds


def _deed(name: str) -> Deed:
    return next(deed for deed in DEEDS if deed.name == name)


def operations(name: str) -> tuple[str, int]:
    """The number of operations on files that the command makes."""
    with TemporaryDirectory(prefix="reliability-") as made:
        folder = copied(_before(name)[0], Path(made) / "folder")
        counting = Countdown(folder)
        typed(folder, _deed(name).line, Terms(before=counting.begin, said_in=Path(made)))
        return name, counting.count


def disturb(name: str, how: str, at: float) -> dict[str, Any]:
    """Disturb a command once, and type it again. disturbed: it did not end as if nothing had been; problem: a loss."""
    before, reference, seconds = _before(name)
    deed = _deed(name)
    surroundings = small_disk() if how == "space" else nullcontext(None)
    with TemporaryDirectory(prefix="reliability-") as made, surroundings as disk:
        folder = copied(before, (disk or Path(made)) / "folder")
        kept = outcome(folder)
        if disk is not None:
            filled(disk, int(at) * 1000)
        if how == "processes":
            disturbed, problem = _at_once(deed, folder, int(at), Path(made))
        else:
            done, problem = _disturbed(deed, folder, how=how, at=at, seconds=seconds, said=Path(made))
            disturbed = done != 0
        lost = [
            path
            for path, content in kept.items()
            if path.startswith("records") and outcome(folder).get(path) != content
        ]
        if lost and name != "run":
            problem = problem or f"lost {lost[0]}"
        if disk is not None:
            emptied(disk)
        problem = problem or again(deed, folder, reference, Path(made))
        return {"disturbed": bool(disturbed), "problem": problem, "left": len(leftovers(folder))}


def _disturbed(deed: Deed, folder: Path, how: str, at: float, seconds: float, said: Path) -> tuple[int, str | None]:
    """The status of the command, and what is wrong with what it said; said: where that goes."""
    if how == "operation":
        terms = Terms(before=Countdown(folder, int(at)).begin, said_in=said)
        return typed(folder, deed.line, terms).status, None
    if how == "time":
        child = started(folder, deed.line, Terms(said_in=said))
        time.sleep(at * seconds)
        kill(child)
        return ended(child), None
    if how == "space":
        done = typed(folder, deed.line, Terms(said_in=said))
    else:
        shut = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
        for path in shut:
            path.chmod(0o555)
        done = typed(folder, deed.line, Terms(before=without_rights_of_root, said_in=said))
        for path in shut:
            path.chmod(0o755)
    lines = [line for line in done.said.strip().splitlines() if "rror" in line]
    if done.status and ("Traceback" in done.said or not lines):
        return done.status, f"ended with {done.status} and said {done.said.strip().splitlines()[-1:]}"
    return done.status, None


def _at_once(deed: Deed, folder: Path, processes: int, said: Path) -> tuple[bool, str | None]:
    """Several processes at the same command in the same folder."""
    places = [said / str(i) for i in range(processes)]
    for place in places:
        place.mkdir()
    children = [started(folder, deed.line, Terms(said_in=place)) for place in places]
    ends = [ended(child) for child in children]
    for end, place in zip(ends, places, strict=True):
        if end and not ((deed.once or deed.alone) and 0 in ends):
            last = (place / "stderr").read_text().strip().splitlines()[-1:]
            return True, f"one of {processes} at once ended with {end}: {last}"
    return True, None


HOW = {
    "operation": "killed at one of its {} operations on files",
    "time": "killed at a random time",
    "processes": "two, and four, at once",
    "space": "a disk that is full",
    "read-only": "read-only folders",
}


def text(found: Mapping[str, Any]) -> Iterable[str]:
    """A row a command and a way."""
    yield "## 3. Commands that are killed"
    yield ""
    yield from paragraph(
        "Each command on 150 careers, disturbed, then typed again in the same folder. *killed or refused*: it did not "
        "end as if nothing had been. *lost*: a record of before is gone or changed, the command ended without a word, "
        "or, typed again, it fails or leaves other records, boards or files than it does undisturbed (times apart)."
    )
    rows = [
        (f"`{name}`", HOW[how].format(f"{found['operations'][name]:,}"), tried, disturbed, lost)
        for name, ways in found["rows"].items()
        for how, (tried, disturbed, lost) in ways.items()
    ]
    yield from table(("command", "disturbed", "times", "killed or refused", "lost"), rows)
    left = sum(found["left"].values())
    if left:
        yield ""
        yield from paragraph(f"Drafts that killed commands left for a later one to remove: {left} in all.")
    yield from (f"- {surprise}" for surprise in found["surprises"])
