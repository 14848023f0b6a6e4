"""Pieces of resumes as token ids: each is tokenised alone, and once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import RequestError
from harness.panel import Occupations
from harness.plugins.llm.text.resume import EVERYTHING, TextOptions, titles
from harness.types import IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_PIECES = 100_000  # that an encoder remembers
MOST_PANELS = 8  # whose titles it does


@dataclass(frozen=True)
class Ragged:
    """Token ids of many pieces, one after another: piece i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: IntArray
    offsets: IntArray

    @property
    def lengths(self) -> IntArray:
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> IntArray:
        return self.ids[self.offsets[i] : self.offsets[i + 1]]

    def gather(self, pieces: IntArray) -> Ragged:
        """The pieces of these numbers (int [n]), in that order, repeats allowed."""
        lengths = self.lengths[pieces]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][pieces] - offsets[:-1], lengths)
        return Ragged(self.ids[positions], offsets)

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """The pieces of one after those of the other."""
        lengths = np.concatenate([part.lengths for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(np.concatenate([part.ids for part in parts]), offsets)

    @classmethod
    def of(cls, pieces: Sequence[Sequence[int]]) -> Ragged:
        offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
        ids = np.fromiter((i for piece in pieces for i in piece), dtype=np.int64, count=offsets[-1])
        return cls(ids, offsets)


NOTHING: IntArray = np.zeros(0, dtype=np.int64)


def ranges(start: IntArray, length: IntArray) -> IntArray:
    """start[0], start[0] + 1, ... (length[0] of them), then those of the next, in one array."""
    shift = np.repeat(start - (np.cumsum(length) - length), length)
    return np.asarray(shift + np.arange(length.sum()), dtype=np.int64)


def encode(tokenizer: PreTrainedTokenizerBase, strings: Sequence[str]) -> list[list[int]]:
    """Each string's ids as they stand inside a text, without any special token; the empty string has none.

    A tokenizer that puts a blank before whatever it is given (Llama 2, Mistral) is given a character more, and that
    character's ids are taken away again.
    """
    if not strings:
        return []
    lead = ":" if _adds_blank(tokenizer) else ""
    head = _ids(tokenizer, [lead])[0] if lead else []
    rows = _ids(tokenizer, [lead + text for text in strings])
    if any(row[: len(head)] != head for row in rows):
        rows = [head + row for row in _ids(tokenizer, strings)]  # what follows merges with the lead: it stands alone
    return [row[len(head) :] if text else [] for row, text in zip(rows, strings, strict=True)]


def _ids(tokenizer: PreTrainedTokenizerBase, strings: Sequence[str]) -> list[list[int]]:
    ids = tokenizer(list(strings), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return [[int(i) for i in row] for row in ids]


def _adds_blank(tokenizer: PreTrainedTokenizerBase) -> bool:
    return str(tokenizer.convert_ids_to_tokens(_ids(tokenizer, ["a"])[0])[0]).startswith("\u2581")  # its blank


def encode_titles(
    tokenizer: PreTrainedTokenizerBase, occupations: Occupations, options: TextOptions = EVERYTHING
) -> Ragged:
    """Each state's event [K]: the ids of its title and of the delimiter that ends it.

    RequestError where two titles become the same ids, or one event begins another: their probabilities would not be
    those of two different outcomes.
    """
    texts = titles(occupations, options)
    end = encode(tokenizer, [options.template.delimiter])[0]
    rows = encode(tokenizer, texts)
    order = sorted(range(len(rows)), key=lambda k: rows[k] + end)
    # In dictionary order whatever begins a sequence stands right before it.
    for one, other in pairwise(order):
        first, second = rows[one] + end, rows[other] + end
        if second[: len(first)] == first:
            codes, kind = occupations.codes, type(tokenizer).__name__
            raise RequestError(
                f"the language model cannot tell the states '{codes[one]}' and '{codes[other]}' apart: their titles "
                f"{occupations.titles[one]!r} and {occupations.titles[other]!r} become the same tokens ({kind}); "
                "give them titles that differ in more than blanks, or choose another base"
            )
    return Ragged.of([row + end for row in rows])


class PieceEncoder:
    """A tokenizer that remembers what it was asked for: a model is asked about one panel in many chunks.

    Whoever adds tokens to the tokenizer needs a new one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._pieces: dict[str, list[int]] = {}
        self._titles: dict[tuple[Occupations, TextOptions], Ragged] = {}

    def encode(self, strings: Sequence[str]) -> list[list[int]]:
        """As ``encode``."""
        new = [string for string in dict.fromkeys(strings) if string not in self._pieces]
        if len(self._pieces) + len(new) > MOST_PIECES:
            self._pieces.clear()
            new = list(dict.fromkeys(strings))
        self._pieces.update(zip(new, encode(self.tokenizer, new), strict=True))
        return [self._pieces[string] for string in strings]

    def titles(self, occupations: Occupations, options: TextOptions = EVERYTHING) -> Ragged:
        """As ``encode_titles``."""
        key = (occupations, options)
        if key not in self._titles:
            if len(self._titles) >= MOST_PANELS:
                self._titles.clear()
            self._titles[key] = encode_titles(self.tokenizer, occupations, options)
        return self._titles[key]

    @property
    def start(self) -> list[int]:
        """The token that begins a text, where the tokenizer has one."""
        return [] if self.tokenizer.bos_token_id is None else [int(self.tokenizer.bos_token_id)]
