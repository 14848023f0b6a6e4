"""Careers as ``TitleTokenNetwork`` reads them, in batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from harness.model.soft_targets import SoftTargets
from harness.network.transitions import TransitionTable
from harness.panel import Panel
from harness.plugins.llm.title_tokens.layout import WIDTH, PieceCareers, Sequences
from harness.plugins.llm.title_tokens.network import PieceBatch, PieceVectors, TitleTokenNetwork, WholeCareers
from harness.plugins.llm.tuning.attention import short_attention
from harness.training.workers import workers
from harness.types import FloatArray, IntArray

POSITIONS_READ = 8192  # in a batch of scoring


@dataclass(frozen=True, kw_only=True)
class TitleCareers:
    """The careers of a panel as the network reads them.

    pieces: of their sequences. vectors: of these pieces. transitions: all that the head is told, transition by
    transition of the panel. reads_states: True for a network with layers of its own for states.
    """

    pieces: PieceCareers
    vectors: PieceVectors
    transitions: TransitionTable
    reads_states: bool = False

    @property
    def panel(self) -> Panel:
        return self.pieces.panel

    def with_states(self, state: IntArray, permutations: IntArray | None = None) -> TitleCareers:
        """The same persons with other states, int [N]; permutations as of ``TransitionTable.with_states``."""
        pieces = self.pieces.with_states(state)
        return replace(self, pieces=pieces, transitions=self.transitions.with_states(pieces.panel, permutations))

    def taught(self, targets: SoftTargets | None) -> TitleCareers:
        """The same, learned from by these."""
        return replace(self, transitions=replace(self.transitions, taught=targets))

    def batch(self, of: Sequences, part: IntArray, device: torch.device) -> tuple[PieceBatch, IntArray]:
        """Some of the sequences (int64 [B]), padded, and the records that they predict, int64 [n]."""
        lengths = np.diff(of.offsets)[part]
        places = np.searchsorted(of.window, np.arange(len(of.offsets)))  # targets stand in the order of the sequences
        pieces = np.zeros((len(part), int(lengths.max()), WIDTH), dtype=np.int64)
        where = np.zeros(pieces.shape[:2], dtype=bool)
        targets = []
        for row, window in enumerate(part.tolist()):
            pieces[row, : lengths[row]] = of.pieces[of.offsets[window] : of.offsets[window + 1]]
            own = slice(places[window], places[window + 1])
            where[row, of.at[own]] = True
            targets.append(of.target[own])
        target = np.concatenate(targets)
        rows = np.searchsorted(self.panel.transitions, target)
        batch = PieceBatch(
            pieces=torch.from_numpy(pieces).to(device),
            where=torch.from_numpy(where).to(device),
            transitions=self.transitions.take(rows, str(device)),
            whole=self._whole(rows, str(device)) if self.reads_states else None,
        )
        return batch, target

    def _whole(self, rows: IntArray, device: str) -> WholeCareers:
        """The careers that these transitions (int64 [n]) are of."""
        known = replace(self.transitions, taught=None)  # the layers read what they are not asked about, too
        careers, of_row = np.unique(np.searchsorted(known.offsets, rows, side="right") - 1, return_inverse=True)
        begins = np.concatenate([[0], np.cumsum(known.lengths[careers])])[of_row]
        asked = torch.from_numpy(begins + rows - known.offsets[careers][of_row])
        return WholeCareers(careers=known.batch(careers, device), asked=asked.to(device))


def log_rows(network: TitleTokenNetwork, careers: TitleCareers, targets: IntArray) -> FloatArray:
    """float32 [n, K]: ln P(state | history) of every state, in float32. targets: int64 [n], transitions, rising."""
    rows = np.empty((len(targets), careers.pieces.n_states), dtype=np.float32)
    if not len(targets):
        return rows
    of, device = careers.pieces.sequences(targets), careers.vectors.words.device
    lengths = np.diff(of.offsets)
    order = np.argsort(lengths, kind="stable")
    network.eval()
    with torch.no_grad():
        table = network.table(careers.vectors)

    def read(part: IntArray) -> None:
        batch, target = careers.batch(of, part, device)
        with torch.inference_mode():
            rows[np.searchsorted(targets, target)] = network.rows(batch, table).cpu().numpy()

    with short_attention(network.model, int(lengths.max())), workers(device.type) as (pool, count):
        list(pool.map(read, _batches(lengths, order, POSITIONS_READ // (4 * count))))
    return rows


def _batches(lengths: IntArray, order: IntArray, limit: int) -> Iterator[IntArray]:
    """The sequences in this order, as many at a time as fit ``limit`` positions, padding included."""
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > limit:
            yield order[start:stop]
            start = stop
