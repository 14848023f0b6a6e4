"""Pre-training on a corpus: windows of shards in an order of each pass's own, careers shuffled within a window.

To the training loop a window is an epoch, with a validation after it; a pass is as many windows as the corpus has. So a
killed training goes on within a pass, and what is in memory is a window, however large the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from harness.features.encoding import Encoding
from harness.model import Context
from harness.network.transitions import TransitionTable
from harness.panel import Corpus, Panel
from harness.panel.corpus import joined
from harness.plugins.career.network import Network
from harness.plugins.career.train import NetworkTrainee
from harness.plugins.career.window import Window
from harness.system.machine import free_large_blocks_at_once
from harness.training.corpus_windows import CorpusWindows
from harness.training.loop import EpochData, EpochSteps
from harness.training.schedule import Schedule
from harness.types import IntArray

WINDOW = 1 << 17  # records of a window, about; one shard, where that has more
SAMPLE = 1 << 19  # records, about, of the shards that columns, starting rates and validation are taken from
WATCHED = 1 << 14  # transitions of the validation careers among them, at most


def split_of(panel: Panel) -> tuple[Panel, Panel]:
    """The training and the validation careers."""
    return panel.part("train"), panel.part("valid")


def sample_of(corpus: Corpus, context: Context) -> tuple[Panel, Panel]:
    """Training and validation careers of a sample of the shards, evenly spread; of all where these are few.

    Validation careers are those first in the shards' order, until they have ``WATCHED`` transitions.
    """
    count = max(1, min(len(corpus.shards), round(len(corpus.shards) * SAMPLE / corpus.n_records)))
    chosen = np.unique(np.linspace(0, len(corpus.shards) - 1, count).round().astype(np.int64))
    kept: list[tuple[Panel, Panel]] = []
    with context.progress.bar(f"sampling {corpus.name}", len(chosen)) as bar:
        for panel in corpus.panels(chosen.tolist()):
            kept.append(split_of(panel))
            bar.advance()
    careers, watched = (joined([parts[i] for parts in kept]) for i in (0, 1))
    ends = np.cumsum(np.diff(watched.offsets) - 1)
    return careers, watched.select(np.arange(int(np.searchsorted(ends, WATCHED, side="right"))))


class Stream(CorpusWindows):
    """The training careers of a corpus, window by window, and how they are encoded, on the thread that reads."""

    def __init__(self, corpus: Corpus, encoding: Encoding, seed: int) -> None:
        shards = len(corpus.shards)
        each = max(1, round(WINDOW * shards / corpus.n_records))
        super().__init__(corpus, -(-shards // each), seed)
        self.encoding = encoding
        self.tokens = max(1, (corpus.n_records - corpus.n_persons) // self.windows)


class StreamedTrainee(NetworkTrainee):
    """A network that learns from a stream of careers. Its epochs are windows."""

    def __init__(
        self, network: Network, stream: Stream, valid: TransitionTable, schedule: Schedule, context: Context
    ) -> None:
        super().__init__(network, valid, schedule, context, tokens=stream.tokens)
        self.stream = stream

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        """And nothing is read ahead any more once they are done."""
        free_large_blocks_at_once()  # windows differ in size, and would leave holes behind
        with super().steps() as steps:
            try:
                yield steps
            finally:
                self.stream.close()

    def epoch(self, number: int, strength: float) -> EpochData:
        """The careers of a window, encoded when they are about to be learned from."""
        panel = self.stream.careers(number)
        states = self.exchange.states([panel], number, strength)
        window = Window(panel, partial(self._encoded, panel, states), self.stream.pool)

        def begin(parts: Sequence[IntArray]) -> None:
            window.begin(parts)  # first in the queue: training waits for it
            self.stream.read_ahead(number + 1)

        return EpochData(
            lengths=window.lengths,
            loss=lambda part: self.loss(window.batch(part, self.device)),
            packed=True,
            begin=begin,
        )

    def _encoded(self, panel: Panel, states: list[IntArray] | None, persons: IntArray) -> TransitionTable:
        """Of some persons. states: those that stand in place of the panel's."""
        plain = TransitionTable.of(panel.select(persons), self.stream.encoding)
        return plain if states is None else plain.with_states(replace(panel, state=states[0]).select(persons))

    def learned(self) -> tuple[Any, ...]:
        """The corpus, and how it is read."""
        return (self.stream.corpus.fingerprint(), self.stream.encoding.plain(), self.stream.windows)
