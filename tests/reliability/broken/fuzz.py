"""Draws broken inputs for a reader and keeps those that it neither reads soundly nor refuses in one line."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from harness.errors import HarnessError
from reliability.broken.mutations import Mutation, mutations, places

LIMIT = 10.0  # seconds that a reader may take for a small file
Break = Callable[[bytes, list[Mutation]], bytes]


@dataclass(frozen=True)
class Reader:
    """Something that reads files.

    files: sound ones, by name. breaks: how each that is broken is broken. read: reads the folder of them; what it
    returns says what is silently wrong, None for nothing.
    """

    name: str
    files: dict[str, bytes]
    breaks: dict[str, Break]
    read: Callable[[Path], str | None]


@dataclass
class Found:
    """The fate of a reader's inputs. escapes: messages, by the folder that the input is kept in."""

    reader: str
    tried: int = 0
    sound: int = 0
    refused: int = 0
    slowest: float = 0.0
    escapes: dict[str, str] = field(default_factory=dict)


class TooSlowError(BaseException):
    """A reader was still at it after ``LIMIT``."""


def fuzz(reader: Reader, inputs: int, work: Path, kept: Path, seed: int = 0) -> Found:
    """Read so many broken inputs in folder ``work``; those that escape are kept below ``kept``."""
    found = Found(reader.name)

    @seeded(seed)
    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(places, mutations)
    def one(which: float, changes: list[Mutation]) -> None:
        names = list(reader.breaks)
        name = names[int(which * len(names))]
        folder = work / "input"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, content in reader.files.items():
            broken = reader.breaks[name](content, changes) if file == name else content
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(broken)
        _try(reader, folder, found, kept)

    one()
    return found


def _try(reader: Reader, folder: Path, found: Found, kept: Path) -> None:
    begun = time.monotonic()
    problem: str | None = None
    found.tried += 1
    try:
        with within(LIMIT), warnings.catch_warnings(), _quiet():
            warnings.simplefilter("error")
            problem = reader.read(folder)
        found.sound += problem is None
    except HarnessError as error:
        found.refused += 1
        if "\n" in str(error) or not str(error).strip():
            problem = f"not one line: {str(error)!r}"
    except TooSlowError:
        problem = f"took longer than {LIMIT:g} s"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        problem = (
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({Path(place.filename).name}:{place.lineno})"
        )
    found.slowest = max(found.slowest, time.monotonic() - begun)
    if problem is not None:
        names = sorted(path for path in folder.rglob("*") if path.is_file())
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in names)).hexdigest()[:8]
        place_of = kept / f"{reader.name}-{digest}"
        shutil.copytree(folder, place_of, dirs_exist_ok=True)
        found.escapes[str(place_of)] = problem


@contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """TooSlowError after so many seconds; in the main thread."""

    def over(number: int, frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def says(*facts: tuple[bool, str]) -> str | None:
    """The first of the sentences whose condition does not hold."""
    return next((sentence for holds, sentence in facts if not holds), None)


def plain(value: Any) -> str:
    """Numbers for a message."""
    return " ".join(str(value).split())[:120]
