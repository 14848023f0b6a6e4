"""Bases that are learned once, by whoever needs one first, and cached for every later fit."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from harness.model.contract import Context, unreported
from harness.system.files import unfinished
from harness.system.folders import damage, publishing, standing
from harness.system.sources import digest
from harness.training.process_group import SINGLE, ProcessGroup

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CachedBase:
    """The place of a base in the cache.

    kind: of base, a folder of the cache. key: 16 hexadecimal digits (``base_key``).
    """

    kind: str
    key: str

    def folder(self, cache: Path) -> Path:
        """The folder that the cache keeps it in, whether it is there or not."""
        return cache / self.kind / self.key

    def learned(
        self,
        context: Context,
        learn: Callable[[Context], T],
        write: Callable[[T, Path, float], None],
        group: ProcessGroup = SINGLE,
    ) -> Path:
        """The folder of the base, which is learned first if it is not there yet; it is never there half written.

        learn: trains it, from a context whose scratch is the base's own and survives a kill. write: writes what was
        learned into an empty folder, with the seconds that it took, those of killed attempts included. group: the
        processes that learn it together, of which the main one writes.
        """
        folder = self.folder(context.cache)
        stood = standing(folder)
        problem = group.from_main((), damage(folder) if folder.is_dir() else "not there")
        if problem is not None and group.rank:
            with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
                learn(replace(context, scratch=Path(scratch), report=unreported))
        elif problem is not None:
            if folder.is_dir():
                context.progress.note(f"{folder}: the base kept there is damaged ({problem}) and is learned again")
            folder.parent.mkdir(parents=True, exist_ok=True)
            with unfinished(context.cache, f"{self.kind}-{self.key}") as scratch:
                start = perf_counter()
                base = learn(replace(context, scratch=scratch.folder, report=unreported))
                seconds = round(scratch.seconds + perf_counter() - start, 2)
                with publishing(folder, instead_of=stood) as draft:
                    write(base, draft, seconds)
        group.sum([], 0.0)  # nobody reads it before it is there
        return folder


def base_key(module: str, recipe: object, *contents: str | bytes) -> str:
    """16 hexadecimal digits: of a recipe, of what it is learned from, and of the code that learns.

    module: the one that learns, whose import closure counts. recipe: its ``repr`` says all of it. contents: digests or
    bytes of what it is learned from.
    """
    found = hashlib.sha256(digest(module).encode())
    for part in (repr(recipe), *contents):
        found.update(hashlib.sha256(part if isinstance(part, bytes) else part.encode()).digest())
    return found.hexdigest()[:16]
