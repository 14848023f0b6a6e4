"""Work on disk that a kill leaves either done or ready to go on: whole files, whole folders, a fit's own scratch."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RequestError, RunError
from harness.system.drafts import draft_prefix

LOCK, SPENT, FILES = "lock", "spent.json", "files"
FORGOTTEN = 30 * 24 * 3600.0  # seconds after which nobody is thought to come back to what was left


def require_regular(path: Path) -> None:
    """RequestError of what is there and neither file nor folder: a pipe that nobody writes to makes one wait."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RequestError(f"{path}: is no regular file: write it to one")


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder to write to, and the seconds that earlier, killed attempts had spent on what they left there."""

    folder: Path
    seconds: float = 0.0


@contextmanager
def unfinished(cache: Path, name: str, anew: bool = False) -> Iterator[Scratch]:
    """The folder of ``name``, with what a killed attempt left in it; emptied first where ``anew``.

    Gone when the block ends, and kept where it raises, if anything is in it. While another living process holds it, a
    temporary folder takes its place, so that two processes at the same fit never read each other's half-done work.
    """
    place = cache / "unfinished" / name
    _forget(place)
    lock = _locked(place / LOCK)
    if lock is None:
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            yield Scratch(Path(folder))
        return
    files = place / FILES
    finished = False
    try:
        if anew:
            shutil.rmtree(files, ignore_errors=True)
        files.mkdir(exist_ok=True)
        yield Scratch(files, _account(place))
        finished = True
    finally:
        if finished or not any(files.glob("*")):
            shutil.rmtree(files, ignore_errors=True)
            (place / SPENT).unlink(missing_ok=True)
            _release(lock, place / LOCK)
        else:
            os.close(lock)  # the system does the same for a killed process
        with suppress(OSError):  # where something is kept, or another process is back already
            place.rmdir()


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a lock by its file, which goes with it; False where another living process holds it."""
    lock = _locked(path)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            _release(lock, path)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock, or None where another process has it."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its folder went in between, with the process that had it
            continue
        try:
            _lock(handle)
            if os.path.samestat(os.stat(path), os.fstat(handle)):
                return handle
        except FileNotFoundError:
            pass  # a lock on a file that is no longer there keeps nobody out
        except OSError:
            os.close(handle)
            return None
        os.close(handle)


def _lock(handle: int) -> None:
    """Lock an open file for this process until it is closed. OSError where another process has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _release(handle: int, path: Path) -> None:
    """Remove a lock's file and let go of it."""
    try:
        path.unlink(missing_ok=True)  # while it is held, so that nobody takes the lock of a file that is about to go
        os.close(handle)
    except PermissionError:  # Windows removes no open file, and none that another process has opened since
        os.close(handle)
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _forget(place: Path) -> None:
    """Remove what other fits left and nobody has touched for long: their code or data have changed, most likely."""
    for other in place.parent.glob("*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (other, *other.rglob("*")))
            if other == place or time.time() - newest < FORGOTTEN:
                continue
            lock = _locked(other / LOCK)
            if lock is not None:
                shutil.rmtree(other, ignore_errors=True)
                os.close(lock)


def _account(place: Path) -> float:
    """Seconds that earlier attempts spent until they last wrote; notes that another one starts now."""
    kept = [path.stat().st_mtime for path in (place / FILES).rglob("*")]
    seconds = 0.0
    if kept:
        with suppress(OSError, ValueError, KeyError):
            before = json.loads((place / SPENT).read_text(encoding="utf-8"))
            seconds = before["seconds"] + max(0.0, max(kept) - before["since"])
    (place / SPENT).write_text(json.dumps({"seconds": seconds, "since": time.time()}), encoding="utf-8")
    return seconds


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to be written; it takes the place of what is there when the block ends.

    Where the block raises, or is killed, the old file is whole; what a kill leaves goes with
    ``harness.system.drafts.sweep``.
    """
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=draft_prefix(path.name))
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def require_writable_folder(folder: Path) -> None:
    """RunError where no file can be written into a folder that is there or can be made; nothing is made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.exists(place))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "Permission denied" if there.is_dir() else f"{there} is a file"
        raise RunError(f"{folder}: cannot be written ({reason}); choose another folder")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: a crash leaves the old file. RunError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft, draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
