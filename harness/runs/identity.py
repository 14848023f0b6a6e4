"""The code that a run's numbers depend on, as part of what identifies it.

Counted is the import closure (``harness.system.sources``) of the module that brings the model, of those that it names
in ``ModelSpec.code``, and of the modules that fit it, ask it and make its record. So a comment, a docstring, a rename
or a move of a module leaves ids as they are, and a changed constant in any of these files does not.
"""

from __future__ import annotations

from harness.model import ModelSpec
from harness.system.entry import Entry
from harness.system.sources import digest

SCORED_BY = ("harness.runs.fits", "harness.runs.scoring")


def code_version(entry: Entry[ModelSpec]) -> str:
    """Distribution, version, and 12 hexadecimal digits of SHA-256 over the code that the model's numbers depend on."""
    return f"{entry.owner} {entry.version} {digest(entry.module, *entry.item.code, *SCORED_BY)[:12]}"
