"""Another model at the same path: neither the record of the first nor its adapters are taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.tiny_llm import saved_llm
from helpers.toys import run_all, run_on

from harness.errors import RequestError
from harness.panel.careers import Panel
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.params import LlmParams
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.runs.fits import folder_of, load
from harness.runs.verify import run_of


@pytest.fixture(scope="module")
def tokenizer(market_30: Panel) -> Any:
    return train_tokenizer(market_30, 400, 1024)


@pytest.fixture
def base(tokenizer: Any, tmp_path: Path) -> Path:
    return saved_llm(tmp_path / "base", "Llama", tokenizer, context=1024)


def test_another_base_at_the_same_path_is_another_request(
    base: Path, tokenizer: Any, registry: Registry, workshop: Workshop, market_30: Panel
) -> None:
    entry = registry.model("llm-lora")
    params = LlmParams(base=str(base), epochs=1, rank=1, dropout=0.0, batch_tokens=4096)
    first = run_on(registry, market_30, "switch", entry=entry, params=params)
    [record] = run_all(first, workshop)
    assert set(record.configuration.contents) == {"base"}
    assert run_on(registry, market_30, "switch", entry=entry, params=params).fit_name == first.fit_name
    saved_llm(base, "Llama", tokenizer, context=1024, seed=1)
    second = run_on(registry, market_30, "switch", entry=entry, params=params)
    assert second.configuration(second.tasks[0]).id() != record.id
    assert not workshop.fits.holds(second)
    with pytest.raises(RequestError, match="another model than the one"):
        load(entry.item, params, folder_of(record.configuration, entry.item, workshop.cache), "cpu")
    with pytest.raises(RequestError, match="has another content here"):
        run_of(record, registry, market_30, "cpu")
    older = of_before(record)
    assert run_of(older, registry, market_30, "cpu").params == params


@pytest.mark.parametrize(("base", "near"), [("smollm3", "smollm2"), ("built-in", "builtin")])
def test_what_is_nearly_a_name_of_ours_is_no_name_of_a_hub(
    base: str, near: str, registry: Registry, market_30: Panel
) -> None:
    entry = registry.model("llm-titles")
    params = entry.item.params.model_validate({"base": base})
    with pytest.raises(RequestError, match=f"base={base}: there is no such folder; did you mean '{near}'"):
        run_on(registry, market_30, "switch", entry=entry, params=params)


def of_before(record: Any) -> Any:
    """A record of before, which says nothing of contents."""
    return record.model_copy(update={"configuration": record.configuration.model_copy(update={"contents": {}})})


def test_a_folder_of_an_encoder_counts_by_its_content(registry: Registry, tmp_path: Path) -> None:
    entry = registry.model("career-titles")
    asked = entry.item.params.model_validate({"encoder": str(tmp_path)})
    (tmp_path / "config.json").write_text("{}")
    before = entry.item.contents(asked)
    (tmp_path / "config.json").write_text("{} ")
    assert before["encoder"] != entry.item.contents(asked)["encoder"]
    assert not entry.item.contents(entry.item.params())


def test_a_pool_counts_by_its_content_and_a_data_set_by_its_name(tmp_path: Path) -> None:
    from harness.plugins.llm.specs import contents

    (tmp_path / "careers.csv").write_text("person,year,occupation\n")
    before = contents(LlmParams(pool=str(tmp_path)))
    (tmp_path / "careers.csv").write_text("person,year,occupation\n1,2000,x\n")
    assert before["pool"] != contents(LlmParams(pool=str(tmp_path)))["pool"]
    assert not contents(LlmParams())
