"""Part 4: files that are damaged after they were written, and commands that read them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from reliability.disturbed import DATA, DEEDS, RECORDS, RUN, TWO, Deed, copied, outcome, prepared
from reliability.forked import Terms, in_parallel, typed
from reliability.tables import paragraph, table

SMALLEST = (
    *("pool=market", "base_layers=1", "base_width=16", "base_heads=1", "base_vocabulary=300", "base_tokens=3000"),
    *("base_batch_tokens=512", "batch_tokens=512", "rank=2", "epochs=1"),
)
LLM = (
    *("run", "--task", "switch", *DATA, *RECORDS, "--model", "llm-lora"),
    *(part for setting in SMALLEST for part in ("--set", setting)),
)
MIX = next(deed for deed in DEEDS if deed.name == "mix")
BOARDS = ("leaderboard", *RECORDS, "--boards", "boards")
VERDICTS = ("same", "told", "refused", "silent")
WAYS = ("flip", "truncate", "delete", "swap", "empty", "grow")


@dataclass(frozen=True)
class Kept:
    """Files that a command leaves and another reads. gone: folders removed in between; many: damages tried."""

    deed: Deed
    glob: str
    many: int
    gone: tuple[str, ...] = ()


FITS = (*RUN, "--model", "markov", "--model", "mnl")
KINDS = {
    "fits": Kept(
        Deed("run, reading a fit", FITS, (FITS,)), "cache/fits/*/**/*", 60, ("records", "cache/probabilities")
    ),
    "bases": Kept(
        Deed("run, reading a base", LLM, (LLM,)),
        "cache/models/llm-bases/*/**/*",
        12,
        ("records", "cache/probabilities", "cache/fits", "cache/unfinished"),
    ),
    "probabilities": Kept(Deed("mix", MIX.line, MIX.before), "cache/probabilities/*", 60),
    "records": Kept(Deed("leaderboard --check", (*BOARDS, "--check"), (TWO, BOARDS)), "records/*/*", 60),
}


def measure(scale: float) -> dict[str, Any]:
    """Damages of every kind, each from its own seed."""
    asked = [(name, seed) for name, kind in KINDS.items() for seed in range(max(2, round(kind.many * scale)))]
    ends = in_parallel(damage, asked)
    rows: dict[str, dict[str, int]] = {}
    silent = []
    for (name, seed), (way, verdict, told) in zip(asked, ends, strict=True):
        row = rows.setdefault(name, dict.fromkeys(VERDICTS, 0))
        row[verdict] += 1
        if verdict == "silent":
            silent.append(f"{name}, {way} (seed {seed}): {told}")
    return {"rows": rows, "surprises": silent}


@cache
def _before(name: str) -> tuple[Path, dict[str, str]]:
    kind = KINDS[name]
    place = Path(mkdtemp())
    before = prepared(kind.deed, place / "before")
    for gone in kind.gone:
        rmtree(before / gone, ignore_errors=True)
    folder = copied(before, place / "whole")
    done = typed(folder, kind.deed.line, Terms(said_in=place))
    if done.status:
        raise RuntimeError(done.said)
    return before, outcome(folder)


def damage(name: str, seed: int) -> tuple[str, str, str]:
    """Damage one file and type the command: the way, the verdict, and what it said."""
    kind, (before, reference) = KINDS[name], _before(name)
    with TemporaryDirectory() as made:
        folder = copied(before, Path(made) / "folder")
        files = sorted(path for path in folder.glob(kind.glob) if path.is_file())
        way = _damaged(files, random.Random(seed))
        harmed = outcome(folder)
        done = typed(folder, kind.deed.line, Terms(said_in=Path(made)))
        last = " ".join(done.said.split())[-200:]
        if done.status:
            return way, "refused" if "Traceback" not in done.said else "silent", last
        reads = name == "records"  # the command writes nothing
        if outcome(folder) == reference or (reads and harmed == reference):
            return way, "same", last
        told = any(path.stem in done.said or path.parent.name in done.said for path in files)
        return way, "told" if told else "silent", last


def _damaged(files: list[Path], generator: random.Random) -> str:
    """Damage one of the files; the way, with its name."""
    way, path = generator.choice(WAYS), generator.choice(files)
    content = bytearray(path.read_bytes())
    at = generator.randrange(max(1, len(content)))
    if way == "flip" and content:
        content[at] ^= 1 << generator.randrange(8)
    elif way == "truncate":
        del content[at:]
    elif way == "empty":
        content.clear()
    elif way == "grow":
        content += bytes(content[:at])
    elif way == "swap":
        other = generator.choice(files)
        content, theirs = bytearray(other.read_bytes()), bytes(content)
        other.write_bytes(theirs)
    path.write_bytes(content)
    if way == "delete":
        path.unlink()
    return f"{way} of {path.name}"


def text(found: Mapping[str, Any]) -> Iterable[str]:
    """A row a kind of file."""
    yield "## 4. Damaged files"
    yield ""
    yield from paragraph(
        "A file that a command keeps, damaged (one bit turned, cut off, emptied, removed, grown, or swapped with "
        "another), and a command that reads it. *same*: what it leaves is what it leaves otherwise, since the file was "
        "made again, or nothing depends on it. *told*: something else, and a word that says so. *refused*: an error. "
        "*silent*: neither."
    )
    rows = [
        (
            f"`{name}`",
            f"`{KINDS[name].deed.name}`",
            sum(row.values()),
            *(row[v] for v in ("same", "told", "refused", "silent")),
        )
        for name, row in found["rows"].items()
    ]
    yield from table(("files", "read by", "damages", *VERDICTS), rows)
    yield from (f"- {surprise}" for surprise in found["surprises"])
