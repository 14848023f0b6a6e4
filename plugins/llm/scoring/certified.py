"""The normaliser of a choice set to a stated tolerance, from the few nodes of the trie where the mass is.

The mass that reaches a node, P(its tokens | history), bounds what all titles below it can have. So a node need not be
read to be accounted for: ln Z lies between the log of the mass found at titles and the log of that mass plus what
reached the nodes left out. Nodes are read a level at a time, at all targets of many careers at once, the heaviest
first, until the two are within the tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.plugins.llm.scoring.choice_sets import Limits, default_limits, follows_tree, whole_rows
from harness.plugins.llm.scoring.reader import Reader
from harness.plugins.llm.scoring.search import Search
from harness.plugins.llm.scoring.trie import Trie
from harness.plugins.llm.text.tokens import Resumes
from harness.training.workers import workers
from harness.types import FloatArray, IntArray

TOLERANCE = 1e-4  # nats
TARGETS = 128  # priced together: enough to fill a forward pass at every level


@dataclass(frozen=True)
class Certified:
    """What n targets' choice sets are known to hold, m states each asked about.

    log_prob: float64 [n, m], ln P(title and delimiter | history) of the states asked about, exact. rows: float32
    [n, K], the same for every state whose title was read, -inf elsewhere. found, left: float64 [n], probability of the
    titles that were read, and the most that all others can have together. read: int64 [n], trie nodes read.
    """

    log_prob: FloatArray
    rows: FloatArray
    found: FloatArray
    left: FloatArray
    read: IntArray

    @property
    def log_mass(self) -> tuple[FloatArray, FloatArray]:
        """(lower, upper), float64 [n] each: bounds on ln Z, Z the probability of all titles together."""
        return np.log(self.found), np.minimum(np.log(self.found + self.left), 0.0)

    @property
    def outside(self) -> tuple[FloatArray, FloatArray]:
        """(lower, upper), float64 [n] each: bounds on 1 - Z, the probability of all that is no title."""
        return np.maximum(1.0 - self.found - self.left, 0.0), np.maximum(1.0 - self.found, 0.0)

    @property
    def renormalised(self) -> FloatArray:
        """float64 [n, m]: ln P(state | it is one of the choice set), its lower bound: below the truth by the tolerance
        at most, so that rows never sum to more than one."""
        return self.log_prob - np.log(self.found + self.left)[:, None]


def certified(
    scorer: tuple[Any, int],
    resumes: Resumes,
    targets: IntArray,
    asked: IntArray,
    tolerance: float = TOLERANCE,
    limits: Limits | None = None,
) -> Certified:
    """Exact ln P of the states asked about, and ln P(any title) to within ``tolerance`` nats.

    scorer: a causal language model in evaluation mode, and any token id. targets: int64 [n], target records of
    ``resumes.panel``, in any order. asked: int64 [n, m], states; m may be 0. tolerance: above 0, at most 0.5.
    """
    if not 0 < tolerance <= 0.5:
        raise ValueError(f"the tolerance of ln Z must lie above 0 and be at most 0.5 nats, not {tolerance}")
    reader = Reader(*scorer)
    if not len(targets) or not follows_tree(reader):
        return _from_rows(whole_rows(*scorer, resumes, targets), asked)
    limits = limits or default_limits(reader.device.type)
    search = Search(reader, Trie.of(resumes.events), resumes, limits, float(np.expm1(tolerance)))
    order = np.argsort(targets, kind="stable")
    groups = np.split(order, np.arange(TARGETS, len(order), TARGETS))
    with workers(reader.device.type) as (pool, _):
        parts = list(pool.map(lambda group: search.run(targets[group], asked[group]), groups))
    back = np.argsort(order, kind="stable")
    columns = zip(*((part.rows, part.found, part.left, part.read) for part in parts), strict=True)
    rows, found, left, read = (np.concatenate(column)[back] for column in columns)
    log_prob = np.take_along_axis(rows, asked, axis=1)
    return Certified(log_prob, rows.astype(np.float32), found, left, read)


def _from_rows(rows: FloatArray, asked: IntArray) -> Certified:
    wide = rows.astype(np.float64)
    none = np.zeros(len(rows))
    return Certified(np.take_along_axis(wide, asked, axis=1), rows, np.exp(wide).sum(axis=1), none, none.astype(int))
