"""The base that parameters name, opened: the builtin one, or one that was made elsewhere."""

from __future__ import annotations

from harness.model import Context
from harness.plugins.llm.base.open import OpenedBase, open_base
from harness.plugins.llm.base.pretrain import builtin_base, recipe_of
from harness.plugins.llm.params import BaseParams
from harness.system.cache import models_folder


def open_named(p: BaseParams, context: Context) -> OpenedBase:
    """The base, which is pre-trained first where it is the builtin one and the cache lacks it.

    RequestError where there is none.
    """
    if p.base != "builtin":
        # Bases of others lie in the user's cache, whichever cache this fit is kept in.
        return open_base(p.base, p.subfolder, models_folder(), context.progress)
    if context.open_panel is None:
        raise AssertionError("the builtin base is trained on a panel, and Context.open_panel is None")
    return builtin_base(recipe_of(p), context.open_panel(p.pool), context)
