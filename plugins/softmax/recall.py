"""Facts of a transition and a state together: terms whose weights are the same for all states."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from harness.features.pairs import Inputs
from harness.plugins.softmax.design import indicators
from harness.types import FloatArray, IntArray

NAMES = (
    "held before",
    "log records in it",
    "log times taken up",
    "1 / years since",
    "log years since",
    "state before the present spell",
    "a state of its minor group held before",
    "log records in its minor group",
    "minor group of the origin",
    "minor group of the state before the present spell",
)
PairTerms = tuple[IntArray, IntArray, FloatArray]


def pair_terms(inputs: Inputs, minor: IntArray) -> PairTerms:
    """Row and state, int64 [q] each, rising by row, and float64 [q, names]: every pair that a term is not zero of.

    minor: int64 [K]. The origin is left out: what bears on it are the terms of staying.
    """
    n, n_states, n_minors = len(inputs), len(minor), int(minor.max()) + 1
    member = indicators(minor, n_minors)  # [K, M]
    terms = [*_of_states(inputs, n_states), *_of_minors(inputs, minor, member)]
    open_ = sum(abs(term) for term in terms).tocsr()
    cell = np.repeat(np.arange(n), np.diff(open_.indptr)) * n_states + open_.indices
    cell = np.sort(cell[cell % n_states != inputs.origin[cell // n_states]])
    Z = np.zeros((len(cell), len(terms)))
    for j, term in enumerate(terms):
        made = term.tocoo()
        asked = made.row.astype(np.int64) * n_states + made.col
        place = np.minimum(np.searchsorted(cell, asked), max(len(cell) - 1, 0))
        hit = cell[place] == asked if len(cell) else np.zeros(len(asked), dtype=bool)
        Z[place[hit], j] = made.data[hit]
    return cell // n_states, cell % n_states, Z


def _of_states(inputs: Inputs, n_states: int) -> list[Any]:
    """CSR [n, K] each, the first six terms."""
    held = inputs.held
    recent = np.maximum(held.since, 1.0)
    numbers = [np.ones(len(held.row)), np.log(held.records), np.log(held.spells), 1 / recent, np.log(recent)]
    shape = (len(inputs), n_states)
    of_held = [sparse.csr_matrix((values, (held.row, held.state)), shape=shape) for values in numbers]
    return [*of_held, indicators(inputs.codes["previous"], n_states)]


def _of_minors(inputs: Inputs, minor: IntArray, member: Any) -> list[Any]:
    """CSR [n, K] each, the last four terms: the same for all states of a minor group."""
    held, size = inputs.held, member.shape[1]
    records = sparse.csr_matrix(
        (held.records.astype(np.float64), (held.row, minor[held.state])), shape=(len(inputs), size)
    )
    been, spent = records.copy(), records.copy()
    been.data[:], spent.data[:] = 1.0, np.log1p(records.data)
    lags = (np.where(code >= 0, minor[code], -1) for code in (inputs.codes["origin"], inputs.codes["previous"]))
    return [(of_minor @ member.T).tocsr() for of_minor in (been, spent, *(indicators(lag, size) for lag in lags))]
