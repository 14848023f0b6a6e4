"""The probe of memory on a language model, which reads all that it alters: years, occupations and their titles."""

from __future__ import annotations

from pathlib import Path

from harness.model.contract import Context
from harness.panel.careers import Panel
from harness.plugins.llm.params import LlmParams
from harness.plugins.llm.specs import build
from harness.registry import Registry
from harness.runs.memorisation import memorisation


def test_a_language_model_is_asked_about_every_alteration(
    registry: Registry, toy_llama: Path, market_60: Panel, tmp_path: Path
) -> None:
    model = build(LlmParams(base=str(toy_llama), tuning="none"))
    model.fit(
        market_60.part("train"), market_60.part("valid"), Context(seed=0, scratch=tmp_path, cache=tmp_path / "cache")
    )
    found = memorisation(registry.model("llm-lora").item, model, registry.task("next_occ"), market_60, careers=10)
    assert found is not None
    assert [line.name for line in found.lines] == ["3 years earlier", "occupations exchanged", "titles reworded"]
    assert found.left_out == ()
    assert not any(line.remembered for line in found.lines), "random weights have read nothing"
    assert all(line.test.value != 0 for line in found.lines)
