"""The ways to a base's scores that are quicker than plain text, and whether they say the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.types import IntArray

SHORT = 12  # tokens of a career that a way is tried on where nobody knows how long careers are


@dataclass(frozen=True)
class ReadingWays:
    """True where a base scores as in plain text, at the lengths in use.

    branches: titles behind one sequence (``branches.Scorer``). tree: nodes of a trie behind a kept career
    (``choice_sets``). packed: several careers in a row (``tuning.packing``).
    """

    branches: bool
    tree: bool
    packed: bool


def made_up(length: int, vocabulary: int) -> IntArray:
    """int64 [length]: token ids that stand for a career, the same whenever they are asked for."""
    limit = min(vocabulary, 1000)
    return np.asarray(np.arange(1, length + 1) * 37 % limit, dtype=np.int64)
