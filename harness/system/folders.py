"""Folders that are published whole, with a manifest of what is in them: a damaged one is never read as a sound one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MANIFEST = "manifest.json"
ABANDONED = 24 * 3600.0  # seconds after which a draft is that of a process that was killed


@contextmanager
def publishing(folder: Path, anew: bool = False) -> Iterator[Path]:
    """An empty folder beside ``folder`` to be filled; it comes to stand there when the block ends, never half full.

    What another process has put there meanwhile stays, since it is the same. anew: what stood there before the block
    goes. It is moved away first, so that a kill leaves all of it or none.
    """
    _remove_abandoned(folder)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    before = folder.stat().st_ino if anew and folder.is_dir() else None
    try:
        yield draft
        (draft / MANIFEST).write_text(json.dumps(_digests(draft), indent=1) + "\n", encoding="utf-8")
        with suppress(OSError):
            if before is not None and folder.stat().st_ino == before:
                os.rename(folder, old := draft.with_name(f"{draft.name}-before"))
                shutil.rmtree(old, ignore_errors=True)
        try:
            os.rename(draft, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def damage(folder: Path) -> str | None:
    """The first thing in a published folder that is not as it was published; None where all is."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"no {MANIFEST}"
    except (OSError, ValueError, RecursionError):
        return f"{MANIFEST} cannot be read"
    if not isinstance(manifest, dict):
        return f"{MANIFEST} cannot be read"
    found = _digests(folder)
    for name, digest in manifest.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != digest:
            return f"{name} has changed"
    return next((f"{name} was added" for name in found if name not in manifest), None)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the manifest, by its path in the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name != MANIFEST and path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _remove_abandoned(folder: Path) -> None:
    """Remove drafts of this folder that a killed process left."""
    for draft in folder.parent.glob(f".{folder.name}-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > ABANDONED:
                shutil.rmtree(draft, ignore_errors=True)
