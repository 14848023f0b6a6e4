"""The base of a saved fit: kept whole where no name brings it back, and else opened again by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import PreTrainedTokenizerBase

from harness.errors import RequestError
from harness.plugins.llm.base.content import base_content
from harness.plugins.llm.base.open import OpenedBase, open_base
from harness.plugins.llm.params import BaseParams
from harness.plugins.llm.text.loader import load_causal_lm, load_tokenizer
from harness.system.cache import models_folder


def keep_base(folder: Path, config: Any, weights: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> None:
    """Write a base as ``save_pretrained`` does, into a new or empty folder. weights: each once, by name."""
    folder.mkdir(exist_ok=True)
    config.save_pretrained(folder)
    whole = {name: value.contiguous() for name, value in weights.items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save_pretrained(folder)


def is_kept(folder: Path) -> bool:
    """True where ``keep_base`` wrote one there."""
    return (folder / "config.json").is_file()


def kept_base(folder: Path, p: BaseParams, content: Mapping[str, str]) -> OpenedBase:
    """The base that ``keep_base`` wrote there; without one, the base that the parameters name.

    content: of that one, as ids had it when the fit was made. RequestError where the name stands for another now.
    """
    if is_kept(folder):
        return OpenedBase(model=load_causal_lm(folder), tokenizer=load_tokenizer(folder), label=p.base)
    if base_content(p) != content:
        raise RequestError(
            f"base={p.base} is another model than the one that this fit was made with: put that one back, or run again"
        )
    return open_base(p.base, p.subfolder, models_folder())
