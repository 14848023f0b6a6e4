"""In-context learning: other people's whole careers, written before the one that is asked about.

LABOR-LLM (Athey et al. 2024) compares tuned models with models as they come, which read some resumes of the training
split as examples and then the history. The examples are the same for every target: one fixed prefix.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.errors import RequestError
from harness.panel import Panel
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import EVERYTHING, TextOptions, written_resume
from harness.plugins.llm.text.tokens import Resumes
from harness.types import IntArray

UNBOUNDED = 2**62  # tokens: the examples are whole, however long


def drawn(train: Panel, shots: int, seed: int) -> Panel:
    """The careers of so many persons, in the order drawn; one without a transition only where there is no other.

    RequestError where the split has fewer persons.
    """
    if shots > train.n_persons:
        raise RequestError(
            f"llm-lora.shots={shots}: the training split of '{train.name}' has {train.n_persons} persons to show; ask "
            "for no more"
        )
    order = np.random.default_rng(seed).permutation(train.n_persons)
    alone = np.diff(train.offsets)[order] < 2
    return train.select(np.concatenate([order[~alone], order[alone]])[:shots])


def written_prompt(examples: Panel, options: TextOptions = EVERYTHING) -> str:
    """Their whole careers as text, however short a history the options ask for."""
    whole = replace(options, history=None)
    return "".join(written_resume(examples, person, whole) for person in range(examples.n_persons))


def prompt_ids(examples: Panel, pieces: PieceEncoder, options: TextOptions = EVERYTHING) -> IntArray:
    """int64 [p]: the same as token ids, without the token that begins a text."""
    resumes = Resumes(examples, pieces, UNBOUNDED, replace(options, history=None))
    tokens = resumes.windows(np.arange(examples.n_records, dtype=np.int64), end=True).tokens
    parts = [tokens[i][resumes.start :] for i in range(len(tokens))]
    return np.concatenate([*parts, np.zeros(0, dtype=np.int64)])
