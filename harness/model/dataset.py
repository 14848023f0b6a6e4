"""A data set as its plugin describes it, before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.model.contract import NoParams, Params, missing_modules
from harness.panel.careers import Panel


@dataclass(frozen=True)
class DatasetSpec:
    """A data set that can be named: ``load`` takes an instance of ``params`` and returns the panel.

    cite, license: where it comes from and on what terms. needs, install: as for a model. simulated: its generator is
    known, so ``oracle`` can be scored on it. part: from an instance of ``params``, a number and how many parts there
    are, the panel of one part, of whole careers; all parts together are the panel of ``load``. So a data set of any
    size is written in shards, a part in memory at a time; a function of a module, since other processes call it.
    """

    name: str
    summary: str
    load: Callable[[Any], Panel]
    params: type[Params] = NoParams
    cite: str = ""
    license: str = ""
    needs: tuple[str, ...] = ()
    install: str = ""
    simulated: bool = False
    part: Callable[[Any, int, int], Panel] | None = None

    def missing(self) -> tuple[str, ...]:
        """The needed modules that are not installed; nothing is imported to find out."""
        return missing_modules(self.needs)
