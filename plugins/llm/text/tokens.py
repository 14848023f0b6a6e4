"""Resumes as token ids: pieces laid out in windows that fit the model's context."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import RequestError
from harness.panel import Panel
from harness.plugins.llm.text.pieces import NOTHING, PieceEncoder, Ragged
from harness.plugins.llm.text.resume import EVERYTHING, TextOptions, resume_text
from harness.types import BoolArray, IntArray


@dataclass(frozen=True)
class Windows:
    """Token sequences, one a window on a career, with the targets that each is to predict.

    tokens: W sequences. target: int64 [n], the target records; window: int64 [n], where each is predicted; at: int64
    [n], position of the last token of the target's line head there: what stands after it is the title.
    """

    tokens: Ragged
    target: IntArray
    window: IntArray
    at: IntArray


class Resumes:
    """The tokenised resumes of one panel.

    pieces: encodes headers, heads and titles. context: the most tokens a sequence may have. A target whose history is
    longer loses its oldest records, as few as let the header, the rest of the history, the target's line head and the
    longest title fit; how many depends on nothing but the history. options: what of a career is written; no target sees
    more than ``options.history`` records. prefix: token ids [p] that every sequence begins with, after the token that
    begins a text; they count as well.
    """

    def __init__(
        self,
        panel: Panel,
        pieces: PieceEncoder,
        context: int,
        options: TextOptions = EVERYTHING,
        prefix: IntArray = NOTHING,
    ) -> None:
        text = resume_text(panel, options)
        events = pieces.titles(panel.occupations, options)
        self._history = panel.n_records if options.history is None else options.history
        self.start, self.prefix = len(pieces.start), prefix
        start = [*pieces.start, *prefix.tolist()]
        headers = [start + row for row in pieces.encode(text.headers.strings)]
        heads, full_heads = (pieces.encode(t.strings) for t in (text.heads, text.full_heads))
        end = pieces.encode([text.end])
        self._pieces = Ragged.of([*headers, *heads, *full_heads, *events_of(events), *end])
        self.panel = panel
        self.events = events
        self.context = context
        shift = len(headers)
        self._header = text.headers.index[panel.person]  # [N], of each record's person
        self._head = shift + text.heads.index
        self._full_head = shift + len(heads) + text.full_heads.index
        self._event = shift + len(heads) + len(full_heads) + panel.state.astype(np.int64)
        self._end = len(self._pieces) - 1

    def with_states(self, state: IntArray) -> Resumes:
        """The resumes of the same persons with other states: int [N]."""
        other = copy(self)
        other.panel = replace(self.panel, state=state)
        other._event = self._event + state.astype(np.int64) - self.panel.state
        return other

    def first_records(self, targets: IntArray) -> IntArray:
        """int64 [n]: the oldest record that each target's window keeps; the target itself where none fits."""
        length = self._pieces.lengths
        line = length[self._head] + length[self._event]
        before = np.concatenate([[0], np.cumsum(line)])  # tokens of all lines before each record, short heads
        entry = self.panel.offsets[:-1][self.panel.person[targets]]
        # What a window that begins at a record saves, against one that begins at record 0 of the panel.
        saved = before[:-1] - (length[self._full_head] - length[self._head])
        need = length[self._header[targets]] + before[targets] + length[self._head[targets]] + self.events.lengths.max()
        first = entry.astype(np.int64)
        for i in np.flatnonzero(need - saved[entry] > self.context):
            fits = np.flatnonzero(need[i] - saved[entry[i] : targets[i] + 1] <= self.context)
            if not len(fits):
                raise RequestError(self._no_room())
            first[i] = entry[i] + fits[0]
        return np.maximum(first, targets - self._history)

    def _no_room(self) -> str:
        needs = "a resume's header, one line head and the longest title"
        more = f"the model's context of {self.context}: choose a base, or max_context, with more"
        if not len(self.prefix):
            return f"{needs} need more tokens than {more}"
        return (
            f"{needs} and the careers shown before it, {len(self.prefix)} tokens, need more than {more}, or fewer shots"
        )

    def windows(self, targets: IntArray, end: bool = False) -> Windows:
        """The sequences that predict these target records (int64 [n], increasing), titles of the targets included.

        Targets that see their whole career so far share one sequence a person. end: write the end line after careers
        that are complete.
        """
        first = self.first_records(targets)
        shortened = first > self.panel.offsets[:-1][self.panel.person[targets]]
        # One window for a person's unshortened targets, one for every other target.
        key = np.where(shortened, self.panel.n_persons + np.arange(len(targets)), self.panel.person[targets])
        _, leader, window = np.unique(key, return_index=True, return_inverse=True)
        window = window.reshape(-1)
        last = np.zeros(len(leader), dtype=np.int64)
        np.maximum.at(last, window, targets)
        complete = last + 1 == self.panel.offsets[1:][self.panel.person[last]] if end else np.zeros(len(last), bool)
        return self._lay_out(targets, window, (first[leader], last), complete)

    def _lay_out(
        self, targets: IntArray, window: IntArray, span: tuple[IntArray, IntArray], complete: BoolArray
    ) -> Windows:
        first, last = span
        lines = last - first + 1
        # Pieces of a window: header, then head and event of every line, then the end line where there is one.
        count = 1 + 2 * lines + complete
        start = np.concatenate([[0], np.cumsum(count)])
        pieces = np.full(start[-1], self._end, dtype=np.int64)
        pieces[start[:-1]] = self._header[first]
        line_start = np.cumsum(lines) - lines
        records = np.arange(lines.sum()) + np.repeat(first - line_start, lines)
        slot = np.repeat(start[:-1] + 1 - 2 * line_start, lines) + 2 * np.arange(lines.sum())
        pieces[slot] = self._head[records]
        pieces[start[:-1] + 1] = self._full_head[first]
        pieces[slot + 1] = self._event[records]
        laid = self._pieces.gather(pieces)
        tokens = Ragged(laid.ids, laid.offsets[start])
        line_of_target = line_start[window] + targets - first[window]
        at = laid.offsets[slot[line_of_target] + 1] - 1 - tokens.offsets[window]
        return Windows(tokens, targets, window, at)

    def longest(self) -> int:
        """The most tokens that a sequence about one of these careers can have, the longest title behind it included."""
        length, entry = self._pieces.lengths, self.panel.offsets[:-1]
        lines = np.add.reduceat(length[self._head] + length[self._event], entry)
        whole = length[self._header[entry]] + length[self._full_head[entry]] - length[self._head[entry]] + lines
        return int(min(self.context, whole.max() + max(self.events.lengths.max(), length[self._end])))

    def dropped(self, targets: IntArray) -> IntArray:
        """int64 [n]: how many records of each target's history do not fit the context."""
        wanted = np.maximum(self.panel.entries[self.panel.person[targets]], targets - self._history)
        return np.asarray(self.first_records(targets) - wanted, dtype=np.int64)

    def records_dropped(self) -> int:
        """Number of records that the last prediction of their career could not see, for want of context."""
        return int(self.dropped(self.panel.offsets[1:].astype(np.int64) - 1).sum())


def events_of(events: Ragged) -> list[list[int]]:
    return [piece.tolist() for piece in np.split(events.ids, events.offsets[1:-1])]


def new_tokens(panels: Iterable[Panel], whole_titles: bool, options: TextOptions = EVERYTHING) -> list[str]:
    """Every blank-delimited word of the panels' resumes as a token would have it, its blank included, sorted.

    whole_titles: every state's whole title in the place of its words; it is then one token wherever it stands, as in a
    model of codes.
    """
    found: set[str] = set()
    for text in (resume_text(panel, options) for panel in panels):
        found |= set(text.titles) if whole_titles else set()
        for string in (*text.headers.strings, *text.full_heads.strings, *(() if whole_titles else text.titles)):
            for line in string.split("\n"):
                for i, word in enumerate(line.split(" ")):
                    found.add(f" {word}" if i else word)
    return sorted(found - {"", " "})
