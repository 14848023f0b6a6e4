"""Attributes of a pair of states, origin and destination, that a conditional logit within a major group weighs.

Which of an origin's neighbours a person goes to depends on what the two have in common: the minor group of the code
list, words of the title, and traffic in the opposite direction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.estimation.choices import SMALLEST
from harness.estimation.samples import Sample
from harness.features.frequencies import Destinations, Strengths
from harness.features.pairs import Inputs, PairFeatures, Pairs
from harness.panel import Occupations
from harness.types import FloatArray, IntArray

WORD = re.compile(r"[^\W\d_]{2,}")
PAIR = (
    "same minor group as the origin",
    "ln(1 + records in the minor group)",
    "likeness of titles to the origin (TF-IDF cosine)",
    "likeness of titles to the nearest state held",
    "ln share of its own switches that go to the origin, shrunk",
)
HISTORY = ("held before", "ln(1 + records held)", "ln(1 + spells held)", "1 / years since held")
MARGINS = ("ln share of all switches", "ln share of the origin's switches, shrunk", "share that stays there")


def title_likeness(titles: tuple[str, ...]) -> FloatArray:
    """float32 [K, K]: cosine of the titles' words, each weighted by its rarity, ln((1 + K) / (1 + titles with it)) + 1.

    Salton and Buckley (1988), Term-weighting approaches in automatic text retrieval. Words are compared without a
    plural's s; a title without words is like none.
    """
    words = [sorted({word.removesuffix("s") for word in WORD.findall(title.lower())}) for title in titles]
    vocabulary = {word: i for i, word in enumerate(sorted({word for own in words for word in own}))}
    has = np.zeros((len(titles), len(vocabulary)), dtype=np.float32)
    for k, own in enumerate(words):
        has[k, [vocabulary[word] for word in own]] = 1.0
    rarity = np.log((1 + len(titles)) / (1 + has.sum(axis=0))) + 1
    has *= rarity
    length = np.sqrt((has**2).sum(axis=1, keepdims=True))
    has /= np.maximum(length, SMALLEST)
    return np.asarray(np.clip(has @ has.T, 0.0, 1.0), dtype=np.float32)


@dataclass(frozen=True)
class Attributes:
    """minor: int64 [K]. likeness: float32 [K, K], of titles. back: float32 [K, K], ln P(row's next is column | switch).

    ``back`` is counted, so features of the persons that it is counted on are not to be made with it.
    """

    minor: IntArray
    likeness: FloatArray
    back: FloatArray

    @classmethod
    def of(cls, occupations: Occupations) -> Attributes:
        """Attributes from the code list, nothing counted yet."""
        n = len(occupations)
        return cls(occupations.minor_index(), title_likeness(occupations.titles), np.zeros((n, n), dtype=np.float32))

    def counted(self, switchers: Sample, group: IntArray, strengths: Strengths) -> Attributes:
        table = Destinations(switchers.panel, group).table(strengths)
        return Attributes(self.minor, self.likeness, np.log(np.maximum(table, SMALLEST)).astype(np.float32))

    def columns(self, inputs: Inputs, pairs: Pairs) -> FloatArray:
        """float64 [q, len(PAIR)]"""
        origin, alternative = inputs.origin[pairs.row], pairs.alternative
        records, nearest = self._held(inputs, pairs)
        return np.column_stack(
            [
                self.minor[origin] == self.minor[alternative],
                np.log1p(records),
                self.likeness[origin, alternative],
                nearest,
                self.back[alternative, origin],
            ]
        ).astype(np.float64)

    def _held(self, inputs: Inputs, pairs: Pairs) -> tuple[FloatArray, FloatArray]:
        """float64 [q] each: records in the alternative's minor group; likeness of its title to the nearest held."""
        held, n = inputs.held, len(inputs)
        n_minor = int(self.minor.max()) + 1
        cell = held.row * n_minor + self.minor[held.state]
        records = np.bincount(cell, weights=held.records, minlength=n * n_minor)
        count = np.bincount(held.row, minlength=n)
        first = np.cumsum(count) - count
        nearest = np.zeros(len(pairs))
        for step in range(int(count.max(initial=0))):  # the states held, one at a time: twenty at most in a career
            more = np.flatnonzero(count[pairs.row] > step)
            state, alternative = held.state[first[pairs.row[more]] + step], pairs.alternative[more]
            likeness = np.where(state == alternative, 0.0, self.likeness[state, alternative])
            nearest[more] = np.maximum(nearest[more], likeness)
        return records[pairs.row * n_minor + self.minor[pairs.alternative]].astype(np.float64), nearest

    def save(self, file: Path) -> None:
        np.savez(file, minor=self.minor, likeness=self.likeness, back=self.back)

    @classmethod
    def load(cls, file: Path) -> Attributes:
        with np.load(file, allow_pickle=False) as stored:
            return cls(stored["minor"], stored["likeness"], stored["back"])


def names(features: PairFeatures) -> tuple[str, ...]:
    """Of the columns of ``columns``, in order."""
    contexts = tuple(f"{name}: ln share of switches over all, shrunk" for name in features.affinities.tables)
    return (*contexts, *HISTORY, *MARGINS, *PAIR)


def columns(features: PairFeatures, attributes: Attributes, inputs: Inputs, pairs: Pairs) -> FloatArray:
    """float64 [q, len(names)]"""
    X = features.matrix(inputs, pairs)
    contexts = len(features.affinities.tables)
    records, spells, since, log_margin, base, stay_rate = X[:, contexts : contexts + 6].T
    held = records > 0
    recent = np.where(held, 1 / np.maximum(np.nan_to_num(since, nan=1.0), 0.5), 0.0)
    history = [held, np.log1p(records), np.log1p(spells), recent]
    own = np.column_stack([X[:, :contexts], *history, log_margin, base, stay_rate]).astype(np.float64)
    return np.column_stack([own, attributes.columns(inputs, pairs)])
