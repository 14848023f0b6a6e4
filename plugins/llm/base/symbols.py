"""Occupations in disguise: what careers have in common, whatever the occupations are.

A small model that has read one labor market knows its titles; of another's it knows nothing, not even that most people
stay where they are, the more so the longer they have been there, and that movers return to what they did before. So a
part of the pool is read in disguise: every occupation of a person stands under a symbol drawn for that person alone.
All that can be learned of a symbol is what holds of any occupation, and a title that the base has never read can start
as one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import AddedToken

from harness.errors import RequestError
from harness.panel import Occupations, Panel, Status
from harness.types import IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def titles_of(symbols: int) -> list[str]:
    """Symbols that stand in the place of titles, without the blank before them."""
    return [f"<{i}>" for i in range(symbols)]


def add_symbols(tokenizer: PreTrainedTokenizerBase, symbols: int) -> None:
    """Give each symbol, and the blank before it, a token of its own."""
    tokenizer.add_tokens([AddedToken(f" {title}", normalized=False) for title in titles_of(symbols)])


def symbol_ids(tokenizer: PreTrainedTokenizerBase, symbols: int) -> IntArray:
    """int64 [symbols]: their tokens."""
    return np.array(tokenizer.convert_tokens_to_ids([f" {title}" for title in titles_of(symbols)]), dtype=np.int64)


def disguised(pool: Panel, share: float, symbols: int, seed: int) -> tuple[Panel, Panel]:
    """The pool in two: persons who are read as they are, and those, ``share`` of them, whose occupations are symbols.

    Unemployment, school and the like keep their titles. RequestError with fewer symbols than occupations.
    """
    rng = np.random.default_rng(seed)
    occupations = pool.occupations
    status = np.array(occupations.statuses)
    employed, other = np.flatnonzero(status == Status.EMPLOYED), np.flatnonzero(status != Status.EMPLOYED)
    if symbols < len(employed):
        raise RequestError(
            f"base_symbols={symbols} are too few for the {len(employed)} occupations of '{pool.name}': set at least as "
            "many, or base_symbols=0 to read nobody in disguise"
        )
    chosen = rng.random(pool.n_persons) < share
    as_they_are, hidden = pool.select(np.flatnonzero(~chosen)), pool.select(np.flatnonzero(chosen))
    found = np.empty((hidden.n_persons, pool.n_states), dtype=np.int64)  # of each person's states, the disguised ones
    found[:, other] = np.arange(len(other))
    for row in found:
        row[employed] = len(other) + rng.permutation(symbols)[: len(employed)]
    return as_they_are, replace(
        hidden,
        occupations=_named(occupations, other, symbols),
        state=found[hidden.person, hidden.state].astype(hidden.state.dtype),
    )


def _named(occupations: Occupations, other: IntArray, symbols: int) -> Occupations:
    """The occupations of disguised persons: the states that keep their titles, then the symbols."""
    names = titles_of(symbols)
    kept = {
        name: tuple(getattr(occupations, name)[k] for k in other) for name in ("codes", "titles", "groups", "statuses")
    }
    return replace(
        occupations,
        codes=(*kept["codes"], *names),
        titles=(*kept["titles"], *names),
        groups=(*kept["groups"], *(names[:1] * symbols)),
        statuses=(*kept["statuses"], *([Status.EMPLOYED] * symbols)),
    )
