"""Libraries that read other programs' files, which come with the extra ``files``."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from harness.errors import require_installed


def imported(module: str, path: Path) -> Any:
    """A library that reads such a file; RequestError, with the command that brings it, where it is not installed."""
    missing = [] if importlib.util.find_spec(module) else [module]
    require_installed(f"{path.name}: reading {path.suffix} files", missing, "pip install 'labor-harness[files]'")
    return importlib.import_module(module)
