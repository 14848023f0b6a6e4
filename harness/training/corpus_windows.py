"""Windows of a corpus: some of its shards at a time, in an order of each pass's own.

What is in memory is a window, and the next one while it is being read, however large the corpus.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from harness.panel.careers import Panel
from harness.panel.corpus import Corpus, joined
from harness.types import IntArray


class CorpusWindows:
    """The training careers of a corpus, window by window.

    windows: of a pass over the corpus; where it has fewer shards, some have nobody. The next window is read while one
    is learned from, on the one thread of ``pool``.
    """

    def __init__(self, corpus: Corpus, windows: int, seed: int) -> None:
        self.corpus, self.windows, self.seed = corpus, windows, seed
        self.pool = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[Panel]] | None = None

    def shards_of(self, number: int) -> IntArray:
        """int64: the shards of a window, counted from the first of the first pass."""
        done, window = divmod(number, self.windows)
        order = np.random.default_rng((self.seed, done)).permutation(len(self.corpus.shards))
        return np.array_split(order, self.windows)[window]

    def careers(self, number: int) -> Panel:
        """The training careers of a window."""
        ready, self._next = self._next, None
        return ready[1].result() if ready is not None and ready[0] == number else self._read(number)

    def read_ahead(self, number: int) -> None:
        """Begin to read a window."""
        self._next = (number, self.pool.submit(self._read, number))

    def close(self) -> None:
        """Read nothing any more."""
        self._next = None
        self.pool.shutdown(cancel_futures=True)

    def _read(self, number: int) -> Panel:
        shards = self.shards_of(number).tolist()
        if not shards:
            return self.corpus.bare()
        return joined(panel.part("train") for panel in self.corpus.panels(shards))
