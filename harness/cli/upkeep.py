"""harness doctor and harness cache: the state of this machine, and the room that fits and bases take."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import JsonOption
from harness.errors import RequestError, install_line
from harness.registry import Registry
from harness.runs.isolation import sandbox
from harness.system.cache import OF_RUNS, lendable
from harness.system.machine import cache_folder, require_cache, versions
from harness.system.version import installed_version
from harness.system.words import counted

cache = typer.Typer(help="List the contents of the cache, and make room.", no_args_is_help=True)
LIBRARIES = ("pandas", "pyarrow", "pydantic", "torch", "transformers", "peft", "lightgbm", "statsmodels", "scipy")
KINDS = {
    "fits": "fitted models; a run whose fit is gone fits again",
    "probabilities": "what runs said of each transition, for mix and compare",
    "searches": "trials of harness tune; the same command then begins anew",
    "unfinished": "checkpoints of fits that were interrupted",
}
DAY = 24 * 3600.0


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say which libraries and devices this machine has and lacks.

    A line that mends it stands beside each fault, and the exit status is 1 if there is one. Missing libraries of models
    that are not used are listed, and are no fault.
    """
    registry: Registry = context.obj
    found = dict(_machine())
    lacking = {
        f"model '{name}'": install_line(entry.item.missing(), entry.item.install)
        for name, entry in registry.models.items()
        if entry.item.missing()
    }
    faults = dict(_faults(registry))
    if as_json:
        console.emit_json({"machine": found, "not_installed": lacking, "faults": faults})
    else:
        for name, value in found.items():
            console.result(f"{name}: {value}")
        for name, line in lacking.items():
            console.result(f"{name}: not installed; {line}")
        for name, why in faults.items():
            console.result(f"FAULT {name}: {why}")
    if faults:
        raise typer.Exit(1)


def _machine() -> Iterator[tuple[str, str]]:
    yield "harness", installed_version()
    yield "python", f"{platform.python_version()} ({sys.executable})"
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}"
    yield "processors", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}"
    yield "libraries", ", ".join(f"{n} {v}" for n, v in versions(LIBRARIES).items() if n != "python")
    yield "text", f"{sys.stdout.encoding}, locale {locale.setlocale(locale.LC_CTYPE)}"
    folder = cache_folder()
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    yield "cache", f"{folder}, {_size(sum(entry.size for entry in _entries(folder)))}; {_size(free)} free"
    yield "--isolated", "works here" if sandbox.is_known() else "not here: it needs Landlock (Linux 5.13 or later)"


def _faults(registry: Registry) -> Iterator[tuple[str, str]]:
    try:
        require_cache()
    except RequestError as error:
        yield "cache", str(error)
    for plugin, why in registry.broken.items():
        yield f"plugin '{plugin}'", f"{why}; mend it, or uninstall it"
    if "torch" in versions(("torch",)):
        try:
            import torch

            torch.ones(1).sum()
        except Exception as error:  # noqa: BLE001 - a broken build may raise anything
            yield "torch", f"is installed and does not work ({error}): install it again"


@dataclass(frozen=True)
class _Kept:
    """One thing in the cache. used: seconds since 1970."""

    path: Path
    size: int
    used: float


@cache.command("list")
def list_cache(as_json: JsonOption = False) -> None:
    """Show the size of each kind of entry, and the age of the oldest."""
    folder = cache_folder()
    kinds = {kind: _entries(folder, kind) for kind in _kinds(folder)}
    if as_json:
        sizes = {kind: {"entries": len(all_), "bytes": sum(e.size for e in all_)} for kind, all_ in kinds.items()}
        console.emit_json({"folder": str(folder), "kinds": sizes})
        return
    rows = []
    for kind, entries in kinds.items():
        oldest = f"{(time.time() - min(e.used for e in entries)) / DAY:.0f} days" if entries else ""
        told = KINDS.get(kind, "the same for everyone: made or fetched once")
        rows.append([kind, str(len(entries)), _size(sum(e.size for e in entries)), oldest, told])
    console.table([str(folder), "entries", "room", "oldest", ""], rows, [False, True, True, True, False])


@cache.command("prune")
def prune(
    days: Annotated[
        float, typer.Option("--older", help="Days since the last use, after which an entry is removed.", min=0)
    ] = 90,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Of these kinds alone, as 'list' names them. Repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the entries that would go, and remove nothing.")
    ] = False,
) -> None:
    """Remove old fits, probabilities and checkpoints.

    Bases are removed where --kind names them, records never.
    """
    folder = cache_folder()
    known = _kinds(folder)
    chosen = kind or [k for k in KINDS if k in known]
    if astray := [k for k in chosen if k not in known]:
        raise RequestError(f"--kind {astray[0]}: the cache {folder} holds {', '.join(known) or 'nothing'}")
    old = [e for k in chosen for e in _entries(folder, k) if time.time() - e.used > days * DAY]
    for entry in old:
        console.result(f"{entry.path} ({_size(entry.size)})")
        if not dry_run:
            shutil.rmtree(entry.path) if entry.path.is_dir() else entry.path.unlink()
    does = "to remove" if dry_run else "removed"
    console.say(f"{counted(len(old), 'entry', 'entries')} {does}, {_size(sum(e.size for e in old))}")


def _kinds(folder: Path) -> dict[str, Path]:
    """The folders of a cache by their kinds: those of runs, and those that models keep."""
    found = [*(folder / name for name in OF_RUNS), *lendable(folder)]
    return {path.name: path for path in sorted(found) if path.is_dir()}


def _entries(folder: Path, kind: str | None = None) -> list[_Kept]:
    """The content of the folders of one kind, or of every kind."""
    found, kinds = [], _kinds(folder)
    for one in [kinds[kind]] if kind else kinds.values():
        for path in one.glob("[!.]*"):
            files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
            stats = [p.stat() for p in files]
            used = max((max(s.st_mtime, s.st_atime) for s in stats), default=path.stat().st_mtime)
            found.append(_Kept(path, sum(s.st_size for s in stats), used))
    return found


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError
