"""Encoders of careers: what one plugin knows of a history, as numbers for the models of another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model.contract import Context, Params
from harness.panel.careers import Panel
from harness.types import FloatArray


class CareerEncoder(ABC):
    """A reader of careers that learns nothing here: a vector for every transition, of what is known before its outcome.

    Of a history it sees what an ``Estimator`` may: every record up to the origin, the target's year and covariates.
    """

    @abstractmethod
    def open(self, context: Context) -> None:
        """Make it ready to read."""

    @abstractmethod
    def require_readable(self, panel: Panel) -> None:
        """RequestError where it cannot tell the panel's careers apart."""

    @abstractmethod
    def vectors(self, panel: Panel, context: Context | None = None) -> FloatArray:
        """float32 [T, e]: of all transitions of the panel. context: with it, they are kept in its cache."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into an empty folder what ``load`` needs; never a pickle."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Become the encoder that ``save`` wrote there. RequestError where what it names is another one now."""

    def place(self, device: str) -> None:
        """Read on this device from now on; called after ``load``, as of an ``Estimator``."""
        return

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """JSON-able facts for the record of a model that uses it, such as ``base``."""


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder as its plugin describes it, before anything heavy is imported.

    build: from an instance of ``params`` to the encoder, not yet open. contents: as of a ``ModelSpec``. module: the one
    whose code the vectors depend on; a model that uses them names it in ``ModelSpec.code``. needs, install, cite: as of
    a ``ModelSpec``.
    """

    name: str
    summary: str
    build: Callable[[Any], CareerEncoder]
    params: type[Params]
    contents: Callable[[Any], Mapping[str, str]]
    module: str
    needs: tuple[str, ...] = ()
    install: str = ""
    cite: str = ""
