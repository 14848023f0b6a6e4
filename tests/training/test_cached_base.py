"""A base is learned once, and its key says of what, how and by which code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.model import Context
from harness.training import cached_base
from harness.training.cached_base import CachedBase, base_key


@dataclass(frozen=True)
class Cooking:
    minutes: int


def test_a_key_is_of_recipe_content_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_base, "digest", lambda module: "one" if module == "here" else "two")
    key = base_key("here", Cooking(3), "flour", b"water")
    assert len(key) == 16
    assert base_key("here", Cooking(3), "flour", b"water") == key
    others = [
        base_key("there", Cooking(3), "flour", b"water"),
        base_key("here", Cooking(4), "flour", b"water"),
        base_key("here", Cooking(3), "flourw", b"ater"),
    ]
    assert len({key, *others}) == 4


def test_what_was_learned_is_not_learned_again_and_never_half_there(tmp_path: Path) -> None:
    place = CachedBase(kind="cakes", key="0" * 16)
    context = Context(seed=0, scratch=tmp_path / "other", cache=tmp_path)
    scratches: list[Path] = []

    def learn(own: Context) -> str:
        scratches.append(own.scratch)
        (own.scratch / "half").write_text("done")
        if len(scratches) == 1:
            raise KeyboardInterrupt
        return "cake"

    def write(cake: str, folder: Path, seconds: float) -> None:
        (folder / "cake").write_text(f"{cake} {seconds >= 0}")

    with pytest.raises(KeyboardInterrupt):
        place.learned(context, learn, write)
    assert not place.folder(tmp_path).exists()
    for _ in range(2):
        folder = place.learned(context, learn, write)
        assert (folder / "cake").read_text() == "cake True"
    assert len(scratches) == 2
    assert scratches[0] == scratches[1] != context.scratch
    assert folder == tmp_path / "cakes" / ("0" * 16)
