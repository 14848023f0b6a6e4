"""Facts of a career in words, for the head of a line: how long in the job before, and how often held before that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from harness.plugins.llm.text.texts import Texts

if TYPE_CHECKING:
    from harness.panel import Panel

CareerFacts: TypeAlias = Literal["none", "tenure", "all"]
NO_FACTS: CareerFacts = "none"


def facts(panel: Panel, wanted: CareerFacts) -> Texts:
    """The facts of every record [N]; the empty string, which is always string 0, where a career begins.

    'after 3 years': the record before is the third year in a row in its state. 'held 2 times before': it was taken up
    and left twice before that. Both are of the record before, never of the record itself. wanted: the first alone, or
    both.
    """
    if wanted == "none":
        return Texts.empty(panel.n_records)
    from harness import features

    table = features.build(panel, np.arange(panel.n_records, dtype=np.int64), ["tenure", "origin_spells"])
    tenure, spells = (np.nan_to_num(table[name]).astype(np.int64) for name in ("tenure", "origin_spells"))
    before = np.maximum(spells - 1, 0) if wanted == "all" else np.zeros_like(spells)
    width = int(before.max(initial=0)) + 1
    keys, index = np.unique(tenure * width + before, return_inverse=True)
    strings = [_said(*divmod(key, width)) for key in keys.tolist()]
    if strings[:1] != [""]:
        strings, index = ["", *strings], index + 1
    return Texts(tuple(strings), index.reshape(-1).astype(np.int64))


def _said(tenure: int, before: int) -> str:
    if not tenure:
        return ""
    said = f"after {tenure} year{'' if tenure == 1 else 's'}"
    return f"{said}, held {before} time{'' if before == 1 else 's'} before" if before else said
