"""Proves of a base, before anything rests on it, that what stands before a token decides its score, and nothing else.

What holds of twelve tokens need not hold of a thousand: attention may be local, positions may be scaled by the length
of the text. So a base is tried at the lengths that the careers have, and what is found is kept by the base's content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from harness.errors import RequestError
from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.choice_sets import follows_tree
from harness.plugins.llm.scoring.head import read_everywhere, reading
from harness.plugins.llm.scoring.reader import Reader
from harness.plugins.llm.scoring.ways import ReadingWays, made_up
from harness.plugins.llm.text.loader import causal_of
from harness.plugins.llm.tuning.packing import packs
from harness.system.files import write_atomically
from harness.system.sources import digest

OPENING = 48  # tokens that every base reads when it is opened
MOVED = 1e-4  # of the largest logit: more than rounding


class BaseAudit:
    """Findings about one base at the greatest length asked about so far.

    content: digests of the base, as ids have them; empty where it is known to nobody else. cache: the folder that
    keeps what was found.
    """

    def __init__(self, content: Mapping[str, str], cache: Path) -> None:
        self.content, self.cache = dict(content), cache
        self._length = 0
        self._ways: ReadingWays | None = None

    def ways(self, model: Any, longest: int, context: int) -> ReadingWays:
        """The ways to read sequences of at most ``longest`` tokens; RequestError as of ``require_causal``.

        model: in evaluation mode. context: the most tokens it may be given.
        """
        length = min(context, max(64, 1 << (longest - 1).bit_length()))  # so that panels alike share one audit
        if self._ways is None or length > self._length:
            self._ways, self._length = self._found(model, length), length
        return self._ways

    def _found(self, model: Any, length: int) -> ReadingWays:
        asked = (sorted(self.content.items()), length, digest(__name__), version("transformers"), version("torch"))
        key = hashlib.sha256(repr(asked).encode()).hexdigest()[:32]
        kept = self.cache / "llm-audits" / f"{key}.json"
        if self.content:
            with suppress(OSError, ValueError, TypeError):
                return ReadingWays(**json.loads(kept.read_text(encoding="utf-8")))
        ways = audited(model, length)
        if self.content:
            write_atomically(kept, json.dumps(asdict(ways)) + "\n")
        return ways


def audited(model: Any, length: int) -> ReadingWays:
    """The ways that say the same as plain text of ``length`` tokens; RequestError as of ``require_causal``."""
    training = model.training
    model.eval()
    require_causal(model, length)
    ways = ReadingWays(
        branches=Scorer(model, 0).try_branches(length),
        tree=follows_tree(Reader(model, 0), length),
        packed=packs(model, reading(model), length),
    )
    model.train(training)
    return ways


def require_causal(model: Any, length: int = OPENING) -> None:
    """RequestError where a score depends on what stands after it, or on how much does, or is no number.

    Tried on made-up tokens: the second half of a text is exchanged, then left out.
    """
    table = model.get_input_embeddings().weight
    ids = torch.from_numpy(made_up(length, int(table.shape[0]))).to(table.device)[None]
    half = length // 2
    other = torch.cat([ids[:, :half], ids[:, half:].flip(1)], dim=1)
    with torch.inference_mode():
        whole, changed, alone = (
            read_everywhere(model, row, torch.ones_like(row, dtype=torch.bool))[:half].float()
            for row in (ids, other, ids[:, :half])
        )
    if not all(bool(torch.isfinite(said).all()) for said in (whole, changed, alone)):
        raise RequestError(
            f"this base ({_kind(model)}) says what is no number: its weights are damaged; choose another"
        )
    size = float(whole.abs().max())
    if float((whole - changed).abs().max()) > MOVED * size:
        raise RequestError(
            f"this base ({_kind(model)}) sees what comes after a token: what it says of a career's early records "
            "moves with the later ones; choose a causal language model"
        )
    if float((whole - alone).abs().max()) > 10 * MOVED * size:
        raise RequestError(
            f"this base ({_kind(model)}) scores the first {half} tokens of a text otherwise where {length} are "
            f"read: set max_context={half}, or choose another base"
        )


def require_tokens(model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """RequestError where the tokenizer has tokens that the model has no row for.

    Special ones may be, but for the one that begins a text: no career has any other.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    unread = (special | set(tokenizer.all_special_tokens)) - {tokenizer.bos_token}
    beyond = {token for token, i in tokenizer.get_vocab().items() if i >= rows} - unread
    if beyond:
        raise RequestError(
            f"the tokenizer of this base is larger than its model: {len(beyond)} tokens, such as "
            f"{min(map(str, beyond))!r}, have no row among the model's {rows}; take the one that it was made with"
        )


def _kind(model: Any) -> str:
    return type(causal_of(model)).__name__
