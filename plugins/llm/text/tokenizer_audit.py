"""Proves of a loaded tokenizer that what the model reads is what the resume says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.plugins.llm.text.pieces import encode
from harness.plugins.llm.text.resume import DELIMITER, END, ResumeText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def audit(tokenizer: PreTrainedTokenizerBase, text: ResumeText) -> None:
    """RequestError where the ids of the pieces, put one after another, do not say the text of the pieces.

    Every header, line head and title of the panel is tried once, titles with the delimiter that ends them. A blank that
    the tokenizer itself puts before a text, or takes from its front, is no difference. ``pieces.encode_titles``
    refuses two titles that become the same ids.
    """
    end = encode(tokenizer, [DELIMITER])[0]
    heads = encode(tokenizer, text.full_heads.strings[:1])[0]
    first = text.full_heads.strings[0]
    for strings, after, before in (
        (text.headers.strings, "", ""),
        (text.full_heads.strings, "", ""),
        (text.heads.strings, "", ""),
        ((END,), "", ""),
        (text.titles, DELIMITER, first),
    ):
        rows = encode(tokenizer, strings)
        for string, row in zip(strings, rows, strict=True):
            ids = [*(heads if before else []), *row, *(end if after else [])]
            _require(tokenizer, ids, before + string + after)


def _require(tokenizer: PreTrainedTokenizerBase, ids: list[int], text: str) -> None:
    kind = type(tokenizer).__name__
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
        raise RequestError(
            f"the tokenizer of this base ({kind}) has no token for a part of {text!r}: different titles could become "
            "the same; choose a base whose tokenizer falls back to bytes"
        )
    said = str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
    if said.removeprefix(" ") != text.removeprefix(" "):
        raise RequestError(
            f"the tokenizer of this base ({kind}) does not give back what it was given: {text!r} became {said!r}; "
            "choose another base"
        )
