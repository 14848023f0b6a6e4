"""Digests of what files say, wherever they lie: read once, and remembered while a file is as it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import RequestError, RunError
from harness.system.files import write_atomically
from harness.system.hub import hub_commit

PATHS = (".", "/", "~")  # beginnings of what can be no hub name
SETTLED = 2.0  # seconds after which a file's times tell that it changed, on any file system
# Of a folder with a model: settings, weights and vocabularies; no notes, logs, or states of optimizers.
PARTS = (".json", ".jinja", ".model", ".safetensors", ".tiktoken", ".txt")


def file_content(path: Path, cache: Path | None = None) -> str:
    """64 hexadecimal digits of SHA-256 over a file.

    cache: a folder that remembers them with the file's size, times and number, all of which a change of content
    would have to leave alone; None: always read. RequestError where the file cannot be read.
    """
    try:
        return str(remembered(path, cache, "sha256", lambda: _file_digest(path)))
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror or error})") from error


def remembered(path: Path, cache: Path | None, name: str, read: Callable[[], Any]) -> Any:
    """The result of ``read`` on a file, as JSON has it: read once, and remembered while the file is as it was.

    cache: as of ``file_content``. name: of what is read. OSError where the file cannot be read.
    """
    state = _state(path)
    memory = None if cache is None else cache / "digests" / f"{_digest(f'{path.resolve()}{name}'.encode())[:32]}.json"
    if memory is not None and (known := _remembered(memory, state)) is not None:
        return known
    found = read()
    # A file written a moment ago may be written again within one tick of its clock.
    if memory is not None and _state(path) == state and time.time() - max(state[1:3]) / 1e9 > SETTLED:
        with suppress(RunError):  # a cache that cannot be written to remembers nothing
            write_atomically(memory, json.dumps({"state": state, "found": found}))
    return found


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_content(folder: Path, cache: Path | None = None, parts: tuple[str, ...] = PARTS) -> str:
    """64 hexadecimal digits of the names and contents of a folder's files, those of folders inside it included.

    parts: ends of the names of files that count; those of a model, where none are given. What is hidden never counts.
    """
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.name.endswith(parts) and path.is_file() and not any(part.startswith(".") for part in inside.parts):
            found.update(f"{inside.as_posix()}\0{file_content(path, cache)}\n".encode())
    return found.hexdigest()


def model_content(name: str, subfolder: str, cache: Path, kind: str = "base") -> str | None:
    """The content of a model that transformers opens: digest of a folder, or commit of a hub name.

    subfolder: inside the folder or repository. cache: of ``file_content``. kind: as for ``hub_commit``, whose errors it
    has. None where the name is a path and there is no such folder: whoever opens it says so.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder_content(folder / subfolder, cache)
    return None if name.startswith(PATHS) else hub_commit(name, subfolder, kind)


def require_content(path: Path, sha256: str, name: str, cache: Path | None = None) -> None:
    """RequestError where a file has another content. name: of the file, for people. cache: of ``file_content``."""
    found = file_content(path, cache)
    if found != sha256:
        raise RequestError(f"{name} is another file than the one asked for: SHA-256 {found}, not {sha256}")


def _state(path: Path) -> list[int]:
    about = path.stat()
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]


def _remembered(memory: Path, state: list[int]) -> Any:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(memory.read_text(encoding="utf-8"))
        if kept["state"] == state:
            return kept["found"]
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
