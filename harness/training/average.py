"""A running average of weights: where training wanders about, its middle is better than its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter


class AveragedWeights:
    """A running average of parameters, and a copy of it as it was when it was best.

    keep: how much of the average a step leaves as it was; None for no average and no copy: the weights themselves are
    validated, and those of the last step stay.
    """

    def __init__(self, parameters: Mapping[str, Parameter], keep: float | None) -> None:
        self.keep = keep
        self.parameters = list(parameters.values()) if keep is not None else []
        self.average = [p.detach().clone() for p in self.parameters]
        self.best = [value.clone() for value in self.average]

    def update(self) -> None:
        """Let the average follow a step."""
        for value, parameter in zip(self.average, self.parameters, strict=True):
            value.lerp_(parameter.detach(), 1 - (self.keep or 0.0))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters have the average's values meanwhile."""
        own = [p.detach().clone() for p in self.parameters]
        self._put(self.average)
        try:
            yield
        finally:
            self._put(own)

    def keep_best(self) -> None:
        """The average as it is now is the best so far."""
        for value, own in zip(self.best, self.average, strict=True):
            value.copy_(own)

    def put_best(self) -> None:
        """Give the parameters the values of the best average."""
        self._put(self.best)

    def copies(self) -> dict[str, list[Tensor]]:
        """The tensors of a checkpoint beside the parameters themselves, by kind."""
        return {"average": self.average, "kept": self.best} if self.parameters else {}

    def _put(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.detach().copy_(value)
