"""Pooling: the requests that make no sense, and its facts for the record."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import RequestError
from harness.panel import Corpus, Panel, same_titles
from harness.plugins.llm.params import LlmParams


def require_poolable(params: LlmParams) -> None:
    """RequestError where a model of these parameters cannot learn from further panels."""
    if params.tuning == "none":
        raise RequestError("llm-lora.tuning=none trains nothing: leave out --train-also, or tune")
    if params.titles == "codes":
        raise RequestError(
            "--train-also matches occupations by title, and a code may stand for another occupation in another "
            "panel: leave out llm-lora.titles=codes"
        )


def pooled_facts(train: Panel, also: Sequence[Panel | Corpus]) -> dict[str, int]:
    """Facts of pooling: persons, and of the further panels' titles those that the main one has. Nothing of nothing."""
    if not also:
        return {}
    same = [same_titles(panel.occupations, train.occupations) >= 0 for panel in also]
    return {
        "persons_pooled": sum(panel.n_persons for panel in also),
        "titles_pooled": sum(len(found) for found in same),
        "titles_matched": sum(int(found.sum()) for found in same),
    }
