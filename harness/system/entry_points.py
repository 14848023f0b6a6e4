"""Entry points of installed distributions, by which plugins are found."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from harness.system.version import DISTRIBUTION, release

Points: TypeAlias = Mapping[tuple[str, str], Sequence[importlib.metadata.EntryPoint]]


def points_by_distribution(group: str) -> Points:
    """The entry points of the group by distribution and release, those of the harness first, then by name.

    A distribution that is twice on sys.path counts once. They are read again where a folder of sys.path has changed, as
    one that something is installed in does: to read those of a few hundred distributions takes 20 ms.
    """
    return _points(group, tuple((place, _changed(place)) for place in sys.path))


def _changed(place: str) -> int:
    """When a folder was last changed, in nanoseconds; zero where there is none."""
    try:
        return os.stat(place or os.curdir).st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=4)
def _points(group: str, places: tuple[tuple[str, int], ...]) -> Points:
    """As ``points_by_distribution``. places: of sys.path with their changes, for which an answer is kept.

    Only the metadata of distributions that have such points are read: of all it takes most of a second.
    """
    found: dict[int, tuple[Any, list[importlib.metadata.EntryPoint]]] = {}
    for point in importlib.metadata.entry_points(group=group):
        if point.dist is not None:
            found.setdefault(id(point.dist), (point.dist, []))[1].append(point)
    named = {(dist.name, release(dist.version)): tuple(points) for dist, points in found.values()}
    return dict(sorted(named.items(), key=lambda item: (item[0][0] != DISTRIBUTION, item[0][0])))
