"""The content of a base as ids have it, read without opening the base."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.plugins.llm.base.named import NAMED
from harness.system.cache import models_folder
from harness.system.content import file_content, folder_content, model_content

if TYPE_CHECKING:
    from harness.plugins.llm.params import BaseParams

NEARLY = 0.8  # of difflib's likeness: 'smollm3' and 'built-in', not 'gpt2'


def base_content(p: BaseParams) -> Mapping[str, str]:
    """``base``: SHA-256 of a GGUF file or of a folder's parts, or the commit of a hub name.

    ``pool``, of the builtin base, whose recipe is in the parameters: SHA-256 of the files, where it is a path. Nothing
    of what is not there: opening it says so.
    """
    found: str | None = None
    if p.base == "builtin":
        return _pool_content(Path(p.pool).expanduser())
    if p.base in NAMED:
        found = NAMED[p.base].sha256
    elif p.base.endswith(".gguf"):
        file = Path(p.base).expanduser()
        found = file_content(file, models_folder()) if file.is_file() else None
    else:
        _require_no_misspelling(p.base)
        found = model_content(p.base, p.subfolder, models_folder())
    return {} if found is None else {"base": found}


def _require_no_misspelling(base: str) -> None:
    """RequestError for what is nearly one of our names, before a hub is asked for it."""
    near = difflib.get_close_matches(base, ["builtin", *NAMED], n=1, cutoff=NEARLY)
    if near and "/" not in base and not Path(base).exists():
        raise RequestError(
            f"base={base}: there is no such folder; did you mean '{near[0]}'? A name of a hub is written OWNER/NAME"
        )


def _pool_content(path: Path) -> Mapping[str, str]:
    if not path.exists():  # the name of a data set, whose version is in the code
        return {}
    cache = models_folder()
    return {"pool": file_content(path, cache) if path.is_file() else folder_content(path, cache, parts=("",))}
