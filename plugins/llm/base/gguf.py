"""GGUF files as folders that transformers opens: converted once, and kept in the cache by their content."""

from __future__ import annotations

import hashlib
import json
import struct
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.errors import RequestError
from harness.system.content import file_content
from harness.system.folders import damage, publishing
from harness.system.progress import Progress
from harness.system.sources import digest
from harness.training.libraries import silence_libraries

MAGIC = b"GGUF"
ABOUT = "gguf.json"  # beside the converted model
# What readers of GGUF raise where a file is cut off, damaged, or of an architecture they do not know.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError, struct.error)


@dataclass(frozen=True, kw_only=True)
class GgufFacts:
    """The name and license that a GGUF file gives itself, '' where it gives none."""

    name: str
    license: str


def converted(file: Path, cache: Path, progress: Progress, start: str | None = None) -> tuple[Path, GgufFacts]:
    """The folder of a GGUF file's model and tokenizer as ``save_pretrained`` writes them, and what the file says.

    start: the token that begins documents; None: the one that the file names. RequestError where the file is not there,
    is no GGUF file, is cut off or damaged, or holds an architecture that transformers does not read from GGUF.
    """
    if find_spec("gguf") is None:
        raise RequestError(f"base={file} needs gguf, which is not installed: pip install 'labor-harness[gguf]'")
    _require_gguf(file)
    # All that decides what the folder holds: the file, its beginning, and the code that reads it.
    parts = (file_content(file, cache), start, digest(__name__), version("transformers"))
    folder = cache / "llm-bases" / hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    if not folder.is_dir() or damage(folder) is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with publishing(folder, anew=True) as draft, progress.bar(f"converting {file.name}", None):
            _convert(file, draft, start)
    return folder, GgufFacts(**json.loads((folder / ABOUT).read_text(encoding="utf-8")))


def _require_gguf(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(MAGIC))
    except OSError as error:
        raise RequestError(f"base={file}: cannot be read ({error.strerror or error}): give a GGUF file") from error
    if magic != MAGIC:
        raise RequestError(f"base={file}: is no GGUF file, which begins with the letters GGUF; this one does not")


def _convert(file: Path, folder: Path, start: str | None) -> None:
    try:
        about = _facts_of(file)
        model, tokenizer, missing = _opened(file)
    except UNREADABLE as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise RequestError(
            f"base={file}: transformers cannot read this GGUF file ({reason}): it is cut off or damaged, or its "
            "architecture or quantization is not one of those that transformers reads from GGUF"
        ) from error
    if missing:
        raise RequestError(f"base={file}: has no weights for {', '.join(sorted(missing)[:3])}: it is not a whole model")
    if start is not None:
        tokenizer.bos_token = start
    _set_start(model, tokenizer.bos_token_id)
    with silence_libraries():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / ABOUT).write_text(json.dumps(asdict(about)) + "\n", encoding="utf-8")


def _opened(file: Path) -> tuple[Any, Any, set[str]]:
    """(model in float32, tokenizer, names of weights that the file lacks)."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # transformers shows a bar of its own here, which none of its settings turns off.
    with silence_libraries(), torch.random.fork_rng(), redirect_stderr(StringIO()):
        tokenizer: Any = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        opened: Any = AutoModelForCausalLM.from_pretrained(
            str(file.parent), gguf_file=file.name, dtype=torch.float32, output_loading_info=True
        )
    model, told = opened
    # The weights are plain numbers now; save_pretrained refuses a model that says it is quantized.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    return model, tokenizer, {*told["missing_keys"], *(key for key, *_ in told["mismatched_keys"])}


def _set_start(model: Any, token: int | None) -> None:
    model.config.get_text_config().bos_token_id = token
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.bos_token_id = token


def _facts_of(file: Path) -> GgufFacts:
    fields = _reader(file).fields
    said = {name: fields.get(f"general.{name}") for name in ("name", "license")}
    return GgufFacts(**{name: "" if field is None else str(field.contents()) for name, field in said.items()})


def _reader(file: Path) -> Any:
    """A GGUFReader that ends with its file: the library's own reads on and on where a list is said to be longer."""
    from gguf import GGUFReader

    class Bounded(GGUFReader):
        def _get(self, offset: int, dtype: Any, count: Any = 1, override_order: Any = None) -> Any:
            if offset + np.dtype(dtype).itemsize * int(count) > len(self.data):
                raise ValueError(f"it ends before byte {offset}, where its header has more")
            return super()._get(offset, dtype, count, override_order)

    return Bounded(file)
