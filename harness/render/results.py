"""Boards for a notebook: as frames, as the page, as figures for a paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from harness.boards.board import Board
from harness.errors import RequestError, did_you_mean
from harness.render import page
from harness.render.boards.json_tables import plain
from harness.render.boards.markdown import render as markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 900  # pixels of the page's frame in a notebook


@dataclass(frozen=True, repr=False)
class Results(Sequence[Board]):
    """Boards, one for each panel and task, in order; by position or by the task's name.

    failed: the message of each model that failed while others did not.
    """

    boards: tuple[Board, ...]
    failed: tuple[str, ...] = ()

    @overload
    def __getitem__(self, which: int | str) -> Board: ...

    @overload
    def __getitem__(self, which: slice) -> Sequence[Board]: ...

    def __getitem__(self, which: int | str | slice) -> Board | Sequence[Board]:
        """RequestError for a task that has no board, or several: of several panels take them by position."""
        if not isinstance(which, str):
            return self.boards[which]
        found = [board for board in self.boards if board.task == which]
        if len(found) == 1:
            return found[0]
        if found:
            raise RequestError(f"'{which}' has a board for each of {', '.join(board.panel for board in found)}")
        raise RequestError(f"there is no board of '{which}'; {did_you_mean(which, [b.task for b in self.boards])}")

    def __len__(self) -> int:
        return len(self.boards)

    def __iter__(self) -> Iterator[Board]:
        return iter(self.boards)

    def to_frame(self) -> pd.DataFrame:
        """A row for every model of every board, best first, with all that the boards' JSON says of it.

        ``panel`` and ``task`` come first, then ``rank``, ``label`` and ``perplexity_value`` with its error and
        interval; figures are ``figures_...``, differences from the best ``behind_...`` in nats per transition.
        """
        frames = []
        for board in self.boards:
            frame = pd.json_normalize(plain(board)["rows"], sep="_")
            frame.insert(0, "task", board.task)
            frame.insert(0, "panel", board.panel)
            frames.append(frame)
        if not frames:
            return pd.DataFrame(columns=["panel", "task", "rank", "label", "perplexity_value"])
        whole = pd.concat(frames, ignore_index=True)
        first = ["panel", "task", "rank", "label", *(c for c in whole.columns if c.startswith("perplexity_"))]
        return whole[[*first, *(column for column in whole.columns if column not in first)]]

    def plot(self, kind: str = "forest", task: str | None = None) -> Figure:
        """A matplotlib figure of one board: ``kind`` is forest, differences, reliability, learning or frontier.

        task: of which board; the first where None. RequestError where the board has nothing to draw of that kind, or
        matplotlib is not installed.
        """
        from harness.render.plots import plot

        if not self.boards:
            raise RequestError("there is no board to draw")
        return plot(self.boards[0] if task is None else self[task], kind)

    def __repr__(self) -> str:
        return "\n".join(unescape(markdown(board).split("\n- ")[0]).strip() for board in self.boards) or "no boards"

    def _repr_html_(self) -> str:
        """The boards' page in a frame of its own, so that its styles and the notebook's stay apart."""
        content = escape(page(list(self.boards)), quote=True)
        return f'<iframe srcdoc="{content}" title="boards" style="width:100%;height:{HEIGHT}px;border:0"></iframe>'


def compared_frame(rows: Sequence[Any]) -> pd.DataFrame:
    """A row for each run of a comparison (``harness.boards.compare.Compared``), in the order given."""
    made = []
    for row in rows:
        entry: dict[str, Any] = {"run": row.run, "name": row.name, "perplexity": row.perplexity.value}
        entry |= {"perplexity_error": row.perplexity.standard_error}
        if (difference := row.difference) is not None:
            entry |= {"difference": difference.value, "difference_error": difference.standard_error}
            entry |= {"low": difference.low, "high": difference.high, "p_adjusted": difference.p_adjusted}
        made.append(entry)
    return pd.DataFrame(made)
