"""Files that code of others must not open while it is at work, and that this process would let it open."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import RunError

# Audit events (PEP 578) and how many of their first arguments name files, or what a program is told.
EVENTS = {"open": 1, "os.link": 2, "os.symlink": 1, "os.rename": 2, "subprocess.Popen": 2, "os.system": 1, "os.exec": 2}
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec")
CODE = (".py", ".pyc", ".pyd", ".so")  # a plugin may lie beside the data


@dataclass(kw_only=True)
class _Watch:
    """One block in which files are hidden. found: what was opened all the same, which a caught error does not undo."""

    who: str
    hidden: tuple[Path, ...]
    shown: tuple[Path, ...]
    open: bool = False
    found: list[str] = field(default_factory=list)

    def meets(self, event: str, arguments: tuple[Any, ...]) -> None:
        """RunError where the event is about a hidden file."""
        for named in arguments[: EVENTS[event]]:
            for word in _words(named, event):
                if self._hides(word):
                    self.found.append(word)
                    raise RunError(self.said())

    def said(self) -> str:
        return (
            f"{self.who} opened {self.found[0]}, which holds the outcomes that it is asked about: a model may learn "
            "from the panels that it is given, and from nothing else that is known of the same careers"
        )

    def _hides(self, word: str) -> bool:
        if word.endswith(CODE):
            return False
        real = Path(os.path.realpath(word))
        within = any(real.is_relative_to(path) for path in self.hidden)
        return within and not any(real.is_relative_to(path) for path in self.shown)


@contextmanager
def hidden_files(who: str, hidden: Iterable[Path], shown: Iterable[Path] = ()) -> Iterator[None]:
    """RunError, which names ``who``, where a hidden file or one in a hidden folder is opened in the block.

    It holds for all that Python opens, in any thread, and for programs that are started with such a name; not for
    libraries that open files by themselves. shown: files and folders that may be opened wherever they lie.
    """
    watch = _Watch(who=who, hidden=_real(hidden), shown=_real(shown))
    watches = _watches()
    watches.append(watch)
    try:
        yield
    finally:
        watches.remove(watch)
    if watch.found:
        raise RunError(watch.said())


@contextmanager
def revealed_files() -> Iterator[None]:
    """A block in which this program opens, for the code of others, what it then hands over as far as they may see."""
    closed = [watch for watch in _watches() if not watch.open]
    for watch in closed:
        watch.open = True
    try:
        yield
    finally:
        for watch in closed:
            watch.open = False


def named_paths(parameters: Mapping[str, Any]) -> list[Path]:
    """The paths among the values of parameters: what a user lets a model open."""
    return [Path(value).expanduser() for value in parameters.values() if isinstance(value, str) and os.sep in value]


def _real(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(Path(os.path.realpath(path.expanduser())) for path in paths)


def _words(named: object, event: str) -> Iterator[str]:
    """The names of files in an argument of an event; of a program's, each of its words."""
    if isinstance(named, list | tuple):
        for one in named:
            yield from _words(one, event)
    elif isinstance(named, str | bytes | os.PathLike):
        text = os.fsdecode(named)
        yield from text.split() if event in PROGRAMS else [text]


@cache
def _watches() -> list[_Watch]:
    """The blocks of this process that are not left yet. An audit hook is of a whole process, and stays."""
    watches: list[_Watch] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watches and event in EVENTS:
            for watch in watches:
                if not watch.open:
                    watch.meets(event, arguments)

    sys.addaudithook(hook)
    return watches
