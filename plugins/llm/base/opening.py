"""The base that parameters name, opened."""

from __future__ import annotations

from harness.model import Context
from harness.plugins.llm.base.pretrain import OpenedBase, builtin_base, recipe_of
from harness.plugins.llm.params import ReadingParams
from harness.plugins.llm.text.loader import load_causal_lm, load_tokenizer


def open_base(p: ReadingParams, context: Context) -> OpenedBase:
    """The base, which is pre-trained first where it is the builtin one and the cache lacks it.

    RequestError where there is none.
    """
    if p.base != "builtin":
        label = f"{p.base}/{p.subfolder}" if p.subfolder else p.base
        return OpenedBase(load_causal_lm(p.base, p.subfolder), load_tokenizer(p.base, p.subfolder), label)
    if context.open_panel is None:
        raise AssertionError("the builtin base is trained on a panel, and Context.open_panel is None")
    return builtin_base(recipe_of(p), context.open_panel(p.pool), context)
