"""Proves of a loaded tokenizer that what the model reads is what the resume says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.plugins.llm.text.pieces import MOST_PIECES, encode
from harness.plugins.llm.text.resume import ResumeText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def audit(tokenizer: PreTrainedTokenizerBase, text: ResumeText, tried: set[tuple[str, ...]] | None = None) -> None:
    """RequestError where the ids of the pieces, put one after another, do not say the text of the pieces.

    Every header, line head and title of the panel is tried once, titles with the delimiter that ends them, and so is a
    resume of every kind of piece. A blank that the tokenizer itself puts before a text, or takes from its front, is no
    difference. ``pieces.encode_titles`` refuses two titles that become the same ids. tried: the pieces of texts that
    were good in panels before this one, which this one's join.
    """
    tried = set() if tried is None else tried
    head, title = text.full_heads.strings[0], text.titles[0]
    rows = [text.headers.strings, text.full_heads.strings, text.heads.strings, (text.end,)]
    whole = [
        text.headers.strings[0],
        head,
        title,
        text.delimiter,
        text.heads.strings[0],
        title,
        text.delimiter,
        text.end,
    ]
    every = list(dict.fromkeys([*(string for strings in rows for string in strings), *text.titles, text.delimiter]))
    known = dict(zip(every, encode(tokenizer, every), strict=True))
    resumes = [[string] for strings in rows for string in strings]
    resumes += [[head, title, text.delimiter] for title in text.titles]
    for pieces in [*resumes, whole]:
        if (key := tuple(pieces)) not in tried:
            _require(tokenizer, [i for piece in pieces for i in known[piece]], "".join(pieces))
            tried.add(key)
    if len(tried) > MOST_PIECES:
        tried.clear()


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
