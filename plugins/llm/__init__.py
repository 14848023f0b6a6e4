"""llm-lora: a causal language model that reads careers as resume text, fine-tuned by low-rank adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.model import ModelSpec


@hookimpl
def harness_models() -> list[ModelSpec]:
    from harness.plugins.llm.specs import specs  # here, so that the commands beside it load no parameters

    return specs()
