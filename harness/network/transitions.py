"""Careers as flat transitions, each with all that is known of it before its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from harness.features.catalogue import states_held
from harness.features.encoding import Encoding
from harness.features.history import Held, History
from harness.model.soft_targets import SoftTargets
from harness.panel import Panel
from harness.types import FloatArray, IntArray


@dataclass(frozen=True)
class TransitionTable:
    """T transitions of C careers, career after career. A career of one record has none.

    offsets: int64 [C + 1]. origin, previous, target: int64 [T]; previous is the state before the present spell, -1
    where there is none. columns: float32 [T, width], as the encoding writes what is known of the target. held: the
    states of each one's history. weight: float32 [T], what each counts for; one where None.
    encoded: float32 [T, e], what an encoder says of each, where there is one. taught: what training is to say of them,
    where that is not their outcomes alone.
    """

    offsets: IntArray
    origin: IntArray
    previous: IntArray
    target: IntArray
    columns: FloatArray
    held: Held
    weight: FloatArray | None = None
    encoded: FloatArray | None = None
    taught: SoftTargets | None = None

    @classmethod
    def of(cls, panel: Panel, encoding: Encoding, encoded: FloatArray | None = None) -> TransitionTable:
        """Every transition of a panel."""
        lengths = np.diff(panel.offsets) - 1
        offsets = np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64)
        later = panel.transitions
        weight = None if panel.weight is None else panel.weight[later].astype(np.float32)
        columns, held = encoding.apply(panel, later), states_held(panel, later)
        return cls(offsets, *_states(panel), columns, held=held, weight=weight, encoded=encoded)

    def with_states(self, panel: Panel, permutations: IntArray | None = None) -> TransitionTable:
        """The same transitions with the panel's states in place of their own.

        permutations: int [P, K], what each person's states are exchanged for, where the transitions are taught.

        Columns stay: how long and how often holds of a career whatever its states are called. Encoders do not: of a
        career with other states nothing is said.
        """
        origin, previous, target = _states(panel)
        held = states_held(panel, panel.transitions)
        encoded = self.encoded
        if encoded is not None:
            other = (origin != self.origin) | (target != self.target)
            changed = np.add.reduceat(other, self.offsets[:-1]) > 0 if len(other) else other
            encoded = np.where(np.repeat(changed, self.lengths)[:, None], np.float32(0), encoded)
        taught = self.taught
        if taught is not None:
            assert permutations is not None
            taught = taught.exchange(permutations)
        return replace(self, origin=origin, previous=previous, target=target, held=held, encoded=encoded, taught=taught)

    @property
    def lengths(self) -> IntArray:
        """int64 [C]: transitions of each career."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.origin)

    def parts(self, transitions: int) -> Iterator[IntArray]:
        """All careers in turn, int64 [c], about so many transitions at a time."""
        start = 0
        while start < len(self.lengths):
            stop = int(np.searchsorted(self.offsets, self.offsets[start] + transitions, side="right")) - 1
            stop = max(start + 1, stop)
            yield np.arange(start, stop)
            start = stop

    def batch(self, careers: IntArray | Sequence[int], device: str = "cpu") -> CareerBatch:
        """The transitions of some careers, those without padding one after another."""
        careers = np.asarray(careers, dtype=np.int64)
        lengths = self.lengths[careers]
        ends = np.cumsum(lengths)
        position = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        most = int(lengths.max())
        cell = np.repeat(np.arange(len(careers)) * most, lengths) + position
        taken = self.take(np.repeat(self.offsets[careers], lengths) + position, device)
        return CareerBatch(
            **{one.name: getattr(taken, one.name) for one in fields(taken)},
            shape=(len(careers), most),
            cell=torch.from_numpy(cell).to(device),
            position=torch.from_numpy(position).to(device),
        )

    def take(self, rows: IntArray, device: str = "cpu") -> TransitionBatch:
        """Some transitions, in this order. rows: int64 [n]."""
        held = self._held(rows)

        def tensor(values: IntArray | FloatArray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device)

        return TransitionBatch(
            origin=tensor(self.origin[rows]),
            previous=tensor(self.previous[rows]),
            target=tensor(self.target[rows]),
            columns=tensor(self.columns[rows]),
            held_row=tensor(held.row),
            held_state=tensor(held.state),
            held=tensor(_of_held(held, self.previous[rows])),
            weight=None if self.weight is None else tensor(self.weight[rows]),
            encoded=None if self.encoded is None else tensor(self.encoded[rows]),
            soft_target=None if self.taught is None else tensor(self.taught.take(rows, self.target[rows])),
        )

    def _held(self, rows: IntArray) -> Held:
        """Of some transitions, in their order."""
        held = self.held
        start = np.searchsorted(held.row, rows)
        count = np.searchsorted(held.row, rows, side="right") - start
        row = np.repeat(np.arange(len(rows)), count)
        taken = np.repeat(start, count) + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return Held(
            row=row,
            state=held.state[taken],
            records=held.records[taken],
            spells=held.spells[taken],
            since=held.since[taken],
        )


AT_ONCE = 8192  # transitions in a pass that is not trained on
HELD = 5  # numbers about each state that was held before


@dataclass(frozen=True, kw_only=True)
class TransitionBatch:
    """n transitions as tensors.

    held_row, held_state: int64 [q], transition and state of everything held before; held: float32 [q, HELD] what is
    known of it. weight: float32 [n], what each counts for in training; one where None. encoded: float32 [n, e], where
    an encoder reads too. soft_target: float32 [n, K], the probabilities to learn from, where that is not the target
    alone. The rest is as in ``TransitionTable``.
    """

    origin: torch.Tensor
    previous: torch.Tensor
    target: torch.Tensor
    columns: torch.Tensor
    held_row: torch.Tensor
    held_state: torch.Tensor
    held: torch.Tensor
    weight: torch.Tensor | None = None
    encoded: torch.Tensor | None = None
    soft_target: torch.Tensor | None = None

    def held_by(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of everything held before, bool [q], what the transitions ``rows`` (int64 [m]) hold; and for each of it,
        int64, the place of its transition among them."""
        place = torch.full((len(self.origin),), -1, dtype=torch.int64, device=rows.device)
        place[rows] = torch.arange(len(rows), device=rows.device)
        of = place[self.held_row]
        kept = of >= 0
        return kept, of[kept]


@dataclass(frozen=True, kw_only=True)
class CareerBatch(TransitionBatch):
    """All n transitions of c careers.

    shape: careers and most transitions of one. cell: int64 [n], where each stands in the padded table of that shape,
    row by row. position: int64 [n], within the career.
    """

    shape: tuple[int, int]
    cell: torch.Tensor
    position: torch.Tensor


def _of_held(held: Held, previous: IntArray) -> FloatArray:
    """float32 [q, HELD]: one; ln of records, of spells, of years since; whether it was left for the present spell."""
    return np.stack(
        [
            np.ones(len(held.row)),
            np.log(held.records),
            np.log(held.spells),
            np.log(np.maximum(held.since, 1.0)),
            held.state == previous[held.row],
        ],
        axis=1,
    ).astype(np.float32)


def _states(panel: Panel) -> tuple[IntArray, IntArray, IntArray]:
    """int64 [T] each: origin, state before its spell, and target of every transition."""
    later = panel.transitions
    state = panel.state.astype(np.int64)
    return state[later - 1], History(panel).previous[later - 1], state[later]
