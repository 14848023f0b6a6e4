"""Versions of distributions: the one that is installed, its release, and which of two is newer.

The version of the harness itself is that of the last tag (``tool.setuptools_scm`` in ``pyproject.toml``), as the
metadata of the installation say it.
"""

from __future__ import annotations

import importlib.metadata
import re

DISTRIBUTION = "labor-harness"
RELEASE = re.compile(r"v?((?:\d+!)?\d+(?:\.\d+)*)")  # the beginning of a version of PEP 440
UNKNOWN = "0+unknown"


def installed_version(distribution: str = DISTRIBUTION) -> str:
    """The version that is installed, whole; ``0+unknown`` where the distribution is not (a folder on the path)."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def version(distribution: str) -> str:
    """The release that is installed, as a record names it."""
    return release(installed_version(distribution))


def release(version: str) -> str:
    """A version without what marks a development version, candidate or build: 0.2.0 of 0.2.0rc1 and 0.2.0.dev17+g1f.

    So ids stay the same from commit to commit, and a candidate's records are those of its release. A version that does
    not begin as PEP 440 has it stays as it is.
    """
    found = RELEASE.match(version)
    return found[1] if found else version


def is_newer(version: str, other: str) -> bool:
    """True where the first is of a later release, as PEP 440 orders releases: 0.10 is after 0.9, and 1.0 is 1."""
    return _order(version) > _order(other)


def _order(version: str) -> tuple[int, ...]:
    epoch, _, numbers = release(version).rpartition("!")
    parts = [int(part) for part in numbers.split(".")] if RELEASE.fullmatch(numbers) else []
    while parts and parts[-1] == 0:
        parts.pop()
    return int(epoch or 0), *parts
