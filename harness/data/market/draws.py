"""Random numbers that do not depend on how many are asked for, nor on the machine.

Philox is a counter-based generator (Salmon et al. 2011): a block of persons has a counter of its own, so person i gets
the same draws in a market of a hundred persons and in one of a million.
"""

from __future__ import annotations

import hashlib

import numpy as np

from harness.types import FloatArray, IntArray

BLOCK = 256  # persons


def uniforms(key: str, block: int, count: int) -> FloatArray:
    """float64 [count] in (0, 1), of this key's stream, from this block on."""
    digest = hashlib.sha256(f"market:{key}".encode()).digest()
    words = [int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")]
    bits = np.random.Philox(key=words, counter=[0, 0, 0, block]).random_raw(count)  # raw: the same in every numpy
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(key: str, count: int) -> FloatArray:
    """float64 [count]: sums of twelve uniforms less six, normal enough, and exact on every machine."""
    return np.asarray(uniforms(key, 0, 12 * count).reshape(count, 12).sum(axis=1) - 6.0, dtype=np.float64)


def person_uniforms(key: str, persons: range, columns: int) -> FloatArray:
    """float64 [len(persons), columns]: row i belongs to person ``persons[i]`` whatever the range."""
    blocks = range(persons.start // BLOCK, (persons.stop - 1) // BLOCK + 1)
    rows = np.concatenate([uniforms(key, b, BLOCK * columns).reshape(BLOCK, columns) for b in blocks])
    first = persons.start - blocks.start * BLOCK
    return rows[first : first + len(persons)]


def pick(probabilities: FloatArray, uniform: FloatArray) -> IntArray:
    """int64 [n]: inverse of the cumulative distribution; probabilities [n, m] need not sum to one exactly."""
    total = np.cumsum(probabilities, axis=1)
    return np.asarray((total < uniform[:, None] * total[:, -1:]).sum(axis=1), dtype=np.int64)
