"""Opens the base that a name, a GGUF file, a folder or a hub name stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from harness.errors import RequestError
from harness.plugins.llm.base.audit import OPENING, require_causal, require_tokens
from harness.plugins.llm.base.gguf import converted
from harness.plugins.llm.base.named import NAMED
from harness.plugins.llm.text.loader import context_length, load_causal_lm, load_tokenizer
from harness.system.content import PATHS, require_content
from harness.system.hub import hub_place
from harness.system.progress import Progress, Silent
from harness.types import IntArray


@dataclass(frozen=True)
class OpenedBase:
    """A base model ready to be tuned, and its name on boards, with its license where that is known.

    any_title: int64 [t], tokens that stood for titles in its training, for any title at best, so that a new one can
    start as a mixture of them; None where nobody knows.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    label: str
    any_title: IntArray | None = None


@dataclass(frozen=True, kw_only=True)
class BasePlace:
    """The folder or hub name that transformers opens for a base, and the base's name on boards.

    revision: the commit of a hub name; None where the hub is to say, and of a folder.
    """

    source: str | Path
    label: str
    subfolder: str = ""
    revision: str | None = None


def open_base(source: str, subfolder: str, cache: Path, progress: Progress | None = None) -> OpenedBase:
    """A base that was made elsewhere: a name of ``NAMED``, a GGUF file, a folder, or a hub name.

    subfolder: inside a folder or hub repository. cache: where GGUF files are converted to, once. RequestError, in one
    line, where there is no such base, or it cannot be used.
    """
    place = locate_base(source, subfolder, cache, progress or Silent())
    model = load_causal_lm(place.source, place.subfolder, place.revision)
    tokenizer = load_tokenizer(place.source, place.subfolder, place.revision)
    require_tokens(model, tokenizer)
    require_causal(model, min(OPENING, context_length(model)))
    return OpenedBase(model=model, tokenizer=tokenizer, label=place.label)


def locate_base(source: str, subfolder: str, cache: Path, progress: Progress) -> BasePlace:
    """The place of a base, a GGUF file being converted first; errors as of ``open_base``."""
    if subfolder and (source in NAMED or source.endswith(".gguf")):
        raise RequestError(f"base={source} is one file: leave out subfolder={subfolder}")
    if source in NAMED:
        base = NAMED[source]
        file = base.file_at(cache)
        require_content(file, base.sha256, f"base={source}: {file}", cache)
        folder, _ = converted(file, cache, progress, base.start)
        return BasePlace(source=folder, label=f"{base.title} ({base.license})")
    if source.endswith(".gguf"):
        file = Path(source).expanduser()
        folder, about = converted(file, cache, progress)
        name = about.name or file.name
        return BasePlace(source=folder, label=f"{name} ({about.license})" if about.license else name)
    label = f"{source}/{subfolder}" if subfolder else source
    folder = Path(source).expanduser()
    if folder.is_dir() or source.startswith(PATHS):
        return BasePlace(source=folder, subfolder=subfolder, label=label)
    place = hub_place(source, subfolder)
    return BasePlace(source=place.source, subfolder=subfolder, revision=place.revision, label=label)
