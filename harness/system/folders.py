"""Folders that are published whole, with a manifest of what is in them: a damaged one is never read as a sound one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import RunError
from harness.system.drafts import draft_prefix, sweep

MANIFEST = "manifest.json"


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder``, to be filled, which comes to stand there, whole, when the block ends.

    folder: not there, or empty; so it is after an error or a kill. RunError where it cannot be written.
    """
    place = folder.resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        sweep(place.parent, depth=1)
        draft = Path(tempfile.mkdtemp(prefix=draft_prefix(place.name), dir=place.parent))
        try:
            yield draft
            draft.chmod(0o755)
            if place.is_dir():
                place.rmdir()
            os.rename(draft, place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error


@contextmanager
def publishing(folder: Path, anew: bool = False, instead_of: int | None = None) -> Iterator[Path]:
    """An empty folder beside ``folder`` to be filled; it comes to stand there when the block ends, never half full.

    What another process has put there meanwhile stays, since it is the same. anew: what stood there before the block
    goes. It is moved away first, so that a kill leaves all of it or none. instead_of: what stood there even before, by
    ``standing``, goes, and nothing else.
    """
    sweep(folder.parent, depth=1)
    draft = Path(tempfile.mkdtemp(prefix=draft_prefix(folder.name), dir=folder.parent))
    before = standing(folder) if anew else instead_of
    try:
        yield draft
        (draft / MANIFEST).write_text(json.dumps(_digests(draft), indent=1) + "\n", encoding="utf-8")
        with suppress(OSError):
            if before is not None and standing(folder) == before:
                os.rename(folder, old := draft.with_name(f"{draft.name}-before"))
                shutil.rmtree(old, ignore_errors=True)
        try:
            os.rename(draft, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def standing(folder: Path) -> int | None:
    """A number for the very folder that stands there, and for no other that comes to; None where there is none."""
    return folder.stat().st_ino if folder.is_dir() else None


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
