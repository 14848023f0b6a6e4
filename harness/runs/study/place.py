"""The place where a cell's work is done: the plugins, the cache, the careers, and who is told how far it is."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, RequestError, in_one_line
from harness.registry import Registry
from harness.runs.request import PanelRequest, Panels
from harness.runs.study.cells import Fault
from harness.system.progress import Bar, Progress, Silent

OFTEN = 0.5  # seconds between two words on how far a cell is


@dataclass(frozen=True, kw_only=True)
class WorkPlace:
    """All that a cell's work may use. open_panels: the careers of a request, opened once for cells that follow. kept:
    what a cell leaves in its process for those that follow."""

    registry: Registry
    cache: Path
    open_panels: Callable[[PanelRequest], Panels]
    progress: Progress = field(default_factory=Silent)
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass
class LastPanels:
    """The careers that were asked for last: cells come panel by panel, and one is in memory at a time."""

    registry: Registry
    _asked: PanelRequest | None = None
    _found: Panels | None = None

    def open(self, asked: PanelRequest) -> Panels:
        """The careers of a request. RequestError, DataError as ``PanelRequest.open_all`` has them."""
        if self._found is None or asked != self._asked:
            self._found = None  # before the next one is read
            self._found, self._asked = asked.open_all(self.registry, Silent()), asked
        return self._found


@dataclass(frozen=True, kw_only=True)
class Done:
    """The end of one piece of work: its answer, or its error and whose move it is (``cells.Ended``)."""

    seconds: float
    answer: Mapping[str, Any] | None = None
    error: str = ""
    fault: Fault = ""


def do_work(work: str, told: Mapping[str, Any], place: WorkPlace) -> Done:
    """Call ``package.module:function``. Whatever it raises, but for what ends processes, is an error in one line."""
    begun = time.monotonic()

    def ended(**of: Any) -> Done:
        return Done(seconds=time.monotonic() - begun, **of)

    module, _, name = work.partition(":")
    try:
        return ended(answer=getattr(importlib.import_module(module), name)(told, place))
    except HarnessError as error:
        return ended(error=str(error), fault="request" if isinstance(error, RequestError) else "run")
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
        return ended(error=in_one_line(error), fault="run")


@dataclass
class _Told:
    """A bar whose steps are told, not more often than ``OFTEN``."""

    tell: Callable[[str, float | None], None]
    text: str
    total: float | None
    done: float = 0.0
    last: float = 0.0

    def advance(self, amount: float = 1) -> None:
        self.done += amount
        self._say()

    def describe(self, text: str) -> None:
        self.text = text
        self._say()

    def _say(self) -> None:
        now = time.monotonic()
        if now - self.last >= OFTEN:
            self.last = now
            self.tell(self.text, self.done / self.total if self.total else None)


@dataclass(frozen=True)
class PassedOn:
    """Progress that is sent on: tell takes a text and a share, note a sentence."""

    tell: Callable[[str, float | None], None]
    say: Callable[[str], None]

    @contextmanager
    def bar(self, text: str, total: float | None) -> Iterator[Bar]:
        yield _Told(self.tell, text, total, last=time.monotonic())

    def note(self, text: str) -> None:
        self.say(text)
