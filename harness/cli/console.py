"""Printing of the commands: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import Any

from harness.system.progress import Bar
from harness.system.terminal import is_unicode, visible

FOLDED = 16  # characters at which a name is folded, where a line has no room for all of it
BETWEEN = 3  # characters between columns
READABLE = 120  # characters of a line of prose, at most


@contextmanager
def told_if_stopped(kept: str) -> Iterator[None]:
    """Say what is kept, or is not, where the user stops what is done inside."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"stopped; {kept}")
        raise


def say(text: str) -> None:
    """A line on stderr: for the person, not for the pipe."""
    print(visible(text), file=sys.stderr, flush=True)  # noqa: T201


def result(text: str) -> None:
    """Text on stdout; characters that would steer a terminal are written out."""
    print(visible(text), end="" if text.endswith("\n") else "\n", flush=True)  # noqa: T201


def emit_json(content: Any) -> None:
    """A result for a program to read, as ``json_text``."""
    result(json_text(content, ascii_only=not is_unicode(sys.stdout)))


def json_text(content: Any, ascii_only: bool = False) -> str:
    """JSON of what is to be read by a program; null for a number that is none, such as an error not to be had.

    ascii_only: other characters by their numbers.
    """
    return json.dumps(_without_nan(content), indent=2, ensure_ascii=ascii_only, allow_nan=False) + "\n"


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and isnan(content) else content


def on_terminal() -> bool:
    return sys.stdout.isatty()


def width() -> int:
    """Characters that a line holds: on a terminal its own, in a pipe more than any table has."""
    return shutil.get_terminal_size().columns if on_terminal() else 10_000


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool] = (), title: str = "") -> None:
    """Columns on stdout: ruled on a terminal, plain and unwrapped in a pipe. right: which columns are numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = on_terminal()
    caption = Text(visible(title), style="table.title") if title else None  # names are no markup
    made = Table(title=caption, title_justify="left", box=box.SIMPLE_HEAD if terminal else None, pad_edge=False)
    for i, heading in enumerate(headings):
        numbers = i < len(right) and right[i]
        made.add_column(
            Text(visible(heading)), justify="right" if numbers else "left", no_wrap=numbers, overflow="fold"
        )
    for row in rows:
        made.add_row(*(Text(visible(cell)) for cell in row))
    Console(width=None if terminal else width(), soft_wrap=not terminal).print(made)


def fitting(headings: Sequence[str], rows: Sequence[Sequence[str]], text: int, spare: Sequence[str]) -> list[int]:
    """The columns that a line has room for, by position: what can be missed goes first, and names fold before that.

    text: how many columns, from the left, are names. spare: headings, the first to be missed first.
    """
    kept = list(range(len(headings)))
    wide = [max(len(row[i]) for row in (headings, *rows)) for i in kept]
    wide = [min(each, FOLDED) if i < text else each for i, each in enumerate(wide)]
    for heading in spare:
        if sum(wide[i] + BETWEEN for i in kept) <= width():
            break
        kept = [i for i in kept if headings[i] != heading]
    return kept


def notes(lines: Sequence[str], left_out: Sequence[str] = ()) -> None:
    """Print the notes that a table needs to be read, on stdout; on a terminal no word is cut at its edge.

    left_out: headings of columns that the table has no room for. A note that explains one, 'heading: ...', is not told.
    """
    gone = tuple(f"{heading.partition(',')[0]}:" for heading in left_out)
    for line in lines:
        if not line.startswith(gone):
            indent = "  "
            wide = min(width(), READABLE)
            result(textwrap.fill(line, wide, initial_indent=indent, subsequent_indent=indent + indent))


def markdown(text: str) -> None:
    """Markdown on stdout, laid out for a terminal."""
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(visible(text)))


class _RichBar:
    def __init__(self, progress: Any, task: Any) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float = 1) -> None:
        self._progress.advance(self._task, amount)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, description=visible(text))


class TerminalProgress:
    """Bars on stderr with the time left; silent where stderr is not a terminal. Bars may be nested."""

    def __init__(self) -> None:
        self._progress: Any = None

    @contextmanager
    def bar(self, text: str, total: float | None) -> Iterator[Bar]:
        outermost = self._progress is None
        if outermost:
            self._progress = _new_progress()
            self._progress.start()
        task = self._progress.add_task(visible(text), total=total)
        try:
            yield _RichBar(self._progress, task)
        finally:
            self._progress.remove_task(task)
            if outermost:
                self._progress.stop()
                self._progress = None

    def note(self, text: str) -> None:
        """A line on stderr, above the bars where there are any."""
        if self._progress is None:
            say(text)
        else:
            self._progress.console.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def _new_progress() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
