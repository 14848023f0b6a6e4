"""Resumes of corpora, made window by window: an epoch is all careers once, and what is in memory is a window of it.

Careers of panels that are in memory anyway are spread evenly over the windows of an epoch. Where one window holds
everything, its batches are those of the same careers in a panel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from harness.panel import Corpus, Panel
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.exchanged import ExchangedResumes
from harness.plugins.llm.tuning.loss import Examples, Loss, examples
from harness.system.progress import Progress
from harness.training.corpus_windows import CorpusWindows
from harness.training.exchange import Exchange
from harness.types import IntArray

WINDOW = 1 << 16  # training records of corpora in a window, about; those of a shard, where that has more


def parts_of(sources: Sequence[Panel | Corpus], progress: Progress, doing: str) -> Iterator[Panel]:
    """The careers of panels and corpora, a panel or a shard at a time. doing: for the progress bars of corpora."""
    for source in sources:
        if isinstance(source, Panel):
            yield source
            continue
        with progress.bar(f"{doing} {source.name}", len(source.shards)) as bar:
            for panel in source.panels():
                if panel.n_persons:
                    yield panel
                bar.advance()


class LearnedResumes(Protocol):
    """The resumes that a model learns from."""

    def exchanged(self, loss: Loss, exchange: Exchange) -> ExchangedResumes | StreamedResumes:
        """Those of every window of tuning, a share of them with other occupations."""
        ...

    def longest(self) -> int:
        """As of ``Resumes``."""
        ...

    def records_dropped(self) -> int:
        """As of ``Resumes``."""
        ...


@dataclass(frozen=True)
class PanelResumes:
    """The resumes of panels, all of which are made."""

    parts: tuple[Resumes, ...]

    def exchanged(self, loss: Loss, exchange: Exchange) -> ExchangedResumes:
        return ExchangedResumes(self.parts, loss, exchange)

    def longest(self) -> int:
        return max(part.longest() for part in self.parts)

    def records_dropped(self) -> int:
        return sum(part.records_dropped() for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class CorpusResumes:
    """The resumes of panels and corpora, made when they are asked for. make: makes those of some careers."""

    sources: tuple[Panel | Corpus, ...]
    make: Callable[[Panel], Resumes]
    progress: Progress

    def exchanged(self, loss: Loss, exchange: Exchange) -> StreamedResumes:
        return StreamedResumes(self, loss, exchange)

    def longest(self) -> int:
        return self._reach[0]

    def records_dropped(self) -> int:
        return self._reach[1]

    @cached_property
    def _reach(self) -> tuple[int, int]:
        longest = dropped = 0
        for panel in parts_of(self.sources, self.progress, "measuring"):
            of_part = _reach_of(self.make(panel))
            longest, dropped = max(longest, of_part[0]), dropped + of_part[1]
        return longest, dropped


def _reach_of(resumes: Resumes) -> tuple[int, int]:
    return resumes.longest(), resumes.records_dropped()


def resumes_of(
    sources: tuple[Panel | Corpus, ...], make: Callable[[Panel], Resumes], progress: Progress
) -> PanelResumes | CorpusResumes:
    """The resumes of panels, and of corpora where there are any."""
    panels = [source for source in sources if isinstance(source, Panel)]
    if len(panels) == len(sources):
        return PanelResumes(tuple(map(make, panels)))
    return CorpusResumes(sources=sources, make=make, progress=progress)


class StreamedResumes:
    """The resumes of every window of tuning, a share of them with other occupations.

    windows: of an epoch. tokens: of an epoch, about.
    """

    def __init__(self, resumes: CorpusResumes, loss: Loss, exchange: Exchange) -> None:
        self.resumes, self.loss, self.exchange = resumes, loss, exchange
        corpora = [source for source in resumes.sources if isinstance(source, Corpus)]
        held = [source for source in resumes.sources if isinstance(source, Panel)]
        records = sum(corpus.n_records for corpus in corpora)
        self.windows = min(max(len(corpus.shards) for corpus in corpora), max(1, round(records / WINDOW)))
        self._streams = {id(corpus): CorpusWindows(corpus, self.windows, exchange.seed) for corpus in corpora}
        plain = Examples.joined([examples(resumes.make(panel), loss) for panel in held])
        self._held = hashlib.sha256(plain.tokens.ids.tobytes() + plain.counts.tobytes()).hexdigest()
        here = sum(panel.n_records for panel in held)
        self.tokens = round(len(plain.tokens.ids) * (1 + records / here))

    def learned(self) -> tuple[str, ...]:
        """All that tells these resumes, and their windows, from others."""
        fingerprints = [source.fingerprint() for source in self.resumes.sources]
        return (*fingerprints, self._held, str(self.windows))

    def epoch(self, number: int, strength: float) -> Examples:
        """The examples of a window, the same whenever they are asked for. strength: of exchanges, 0 to 1."""
        careers = [self._careers(source, number) for source in self.resumes.sources]
        careers = [panel for panel in careers if panel.n_persons]
        states = self.exchange.states(careers, number, strength)
        return Examples.joined(
            [self._examples(panel, None if states is None else states[i]) for i, panel in enumerate(careers)]
        )

    def _examples(self, panel: Panel, states: IntArray | None) -> Examples:
        """states: those that stand in place of the panel's."""
        resumes = self.resumes.make(panel)
        return examples(resumes if states is None else resumes.with_states(states), self.loss)

    def read_ahead(self, number: int) -> None:
        """Begin to read the shards of a window."""
        for stream in self._streams.values():
            stream.read_ahead(number)

    def close(self) -> None:
        """Read nothing any more."""
        for stream in self._streams.values():
            stream.close()

    def _careers(self, source: Panel | Corpus, number: int) -> Panel:
        """Those of a window, in the order of a panel."""
        if isinstance(source, Corpus):
            return self._streams[id(source)].careers(number).in_order()
        done, window = divmod(number, self.windows)
        # A stream of draws of its own: exchanges are drawn from the seed and the window.
        order = np.random.default_rng((self.exchange.seed, done, 1)).permutation(source.n_persons)
        return source.select(np.sort(np.array_split(order, self.windows)[window]))
