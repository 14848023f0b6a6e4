"""Names of drafts: files and folders that become something whole, or are left behind where their process is killed.

A draft is hidden, lies beside what it is to become, and says by its name whose it is, so that a later process can tell
one that is being written from one that nobody will finish.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

FORGOTTEN_DRAFT = 24 * 3600.0  # seconds after which one is taken for left behind whose process cannot be asked after
OWNER = re.compile(r"\.(?P<name>.+)\.(?P<place>[0-9a-f]{8})-(?P<process>\d+)-[A-Za-z0-9_]{8}(?:-before)?")
LONGEST = 120  # bytes of a name that a draft begins with
DEPTH = 3  # of folders that are looked through: a cache has its kinds, their folders, and files in these


def draft_prefix(name: str) -> str:
    """The beginning of the name of a draft of ``name``, to which ``tempfile`` adds eight characters."""
    short = os.fsencode(name)[:LONGEST].decode(errors="ignore")  # with the rest, a file name that any system takes
    return f".{short}.{_place()}-{os.getpid()}-"


def _place() -> str:
    """Eight hexadecimal digits for what a process number means anything in: this system since it was started."""
    told = socket.gethostname()
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with suppress(OSError):
            told += os.readlink(file) if file.startswith("/proc/self") else Path(file).read_text(encoding="ascii")
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def sweep(folder: Path, depth: int = DEPTH) -> list[Path]:
    """Remove what killed processes left of their drafts in a folder and those in it; the paths removed.

    A draft goes when its process is gone, and where that cannot be told (it ran on another machine, or its number is
    another's by now), after a day. Nothing else is looked at, and links are not followed.
    """
    removed = []
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            whole = entry.is_dir(follow_symlinks=False)
            if (owner := OWNER.fullmatch(entry.name)) is not None:
                path = Path(entry.path)
                if _is_left(path, owner["place"], int(owner["process"])) and _gone(path, whole):
                    removed.append(path)
            elif whole and depth > 1:
                removed += sweep(Path(entry.path), depth - 1)
    return removed


def _is_left(path: Path, place: str, process: int) -> bool:
    if place == _place() and not _is_alive(process):
        return True
    with suppress(OSError):
        inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
        newest: float = max(one.stat(follow_symlinks=False).st_mtime for one in (path, *inside))
        return time.time() - newest > FORGOTTEN_DRAFT
    return False  # it went in between


def _is_alive(process: int) -> bool:
    """True too where it cannot be asked: of another user, and on Windows, where a signal would end it."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _gone(path: Path, whole: bool) -> bool:
    """Remove it; True where this did."""
    if whole:
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    with suppress(OSError):
        path.unlink()
        return True
    return False
