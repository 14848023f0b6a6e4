"""Entry points of installed distributions, by which plugins are found."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from harness.system.version import DISTRIBUTION, release


def points_by_distribution(group: str) -> dict[tuple[str, str], list[importlib.metadata.EntryPoint]]:
    """The entry points of the group by distribution and release, those of the harness first, then by name.

    A distribution that is twice on sys.path counts once. Only the metadata of those that have such points are read:
    of all that are installed that takes most of a second.
    """
    found: dict[int, tuple[Any, list[importlib.metadata.EntryPoint]]] = {}
    for point in importlib.metadata.entry_points(group=group):
        if point.dist is not None:
            found.setdefault(id(point.dist), (point.dist, []))[1].append(point)
    named = {(dist.name, release(dist.version)): points for dist, points in found.values()}
    return dict(sorted(named.items(), key=lambda item: (item[0][0] != DISTRIBUTION, item[0][0])))
