"""Every planted model ends as docs/reliability.md says, in a run, in an audit and isolated; honest ones pass."""

from __future__ import annotations

import pytest

from harness.runs.isolation import sandbox
from reliability.cheats import CORPUS
from reliability.cheats.model import WAYS
from reliability.trial import try_all


def test_the_corpus_is_large_and_has_controls() -> None:
    names = [cheat.name for cheat in CORPUS]
    assert len(set(names)) == len(names)
    assert sum(not cheat.honest for cheat in CORPUS) >= 70
    assert sum(cheat.honest for cheat in CORPUS) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_planted_model_ends_as_the_page_says(way: str) -> None:
    if way == "isolated" and not sandbox.is_known():
        pytest.skip("needs a kernel with Landlock")
    trials = try_all(CORPUS, [way])  # type: ignore[list-item]
    surprises = [
        f"{t.cheat.name}: {t.verdict}, not {t.cheat.expected(t.way)} ({t.told})" for t in trials if not t.as_expected
    ]
    assert surprises == []
