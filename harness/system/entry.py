"""A named thing with its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A named thing and the plugin that brought it; version: the release of the plugin's distribution."""

    item: T
    owner: str
    version: str
    module: str
