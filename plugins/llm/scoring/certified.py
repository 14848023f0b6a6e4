"""The normaliser of a choice set to a stated tolerance, from the few nodes of the trie where the mass is.

The mass that reaches a node, P(its tokens | history), bounds what all titles below it can have. So a node need not be
read to be accounted for: ln Z lies between the log of the mass found at titles and the log of that mass plus what
reached the nodes left out. Nodes are read a level at a time, at all targets of many careers at once, the heaviest
first, until the two are within the tolerance.
"""

from __future__ import annotations

import numpy as np

from harness.plugins.llm.scoring.choice_sets import Limits, default_limits, tree_exact, whole_rows
from harness.plugins.llm.scoring.reader import Reader
from harness.plugins.llm.scoring.search import CertifiedRows, Search
from harness.plugins.llm.scoring.trie import Trie
from harness.plugins.llm.text.tokens import Resumes
from harness.training.workers import workers
from harness.types import FloatArray, IntArray

CERTIFIED_TOLERANCE = 1e-4  # nats
TARGETS = 128  # priced together: enough to fill a forward pass at every level


def certified(
    reader: Reader,
    resumes: Resumes,
    targets: IntArray,
    asked: IntArray,
    tolerance: float = CERTIFIED_TOLERANCE,
    limits: Limits | None = None,
) -> CertifiedRows:
    """Exact ln P of the states asked about, and ln P(any title) to within ``tolerance`` nats.

    targets: int64 [n], target records of ``resumes.panel``, in any order. asked: int64 [n, m], states; m may be 0.
    tolerance: above 0, at most 0.5.
    """
    if not 0 < tolerance <= 0.5:
        raise ValueError(f"the tolerance of ln Z must lie above 0 and be at most 0.5 nats, not {tolerance}")
    if not len(targets) or not tree_exact(reader):
        return _of_rows(whole_rows(reader, resumes, targets).astype(np.float64))
    limits = limits or default_limits(reader.device.type)
    search = Search(
        reader=reader, trie=Trie.of(resumes.events), resumes=resumes, limits=limits, slack=float(np.expm1(tolerance))
    )
    order = np.argsort(targets, kind="stable")
    groups = np.split(order, np.arange(TARGETS, len(order), TARGETS))
    with workers(reader.device.type) as (pool, _):
        parts = list(pool.map(lambda group: search.run(targets[group], asked[group]), groups))
    return CertifiedRows.joined(parts).take(np.argsort(order, kind="stable"))


def _of_rows(rows: FloatArray) -> CertifiedRows:
    none = np.zeros(len(rows))
    return CertifiedRows(rows=rows, found=np.exp(rows).sum(axis=1), left=none, read=none.astype(int))
