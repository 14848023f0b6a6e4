"""A running average of weights: where training wanders about, its middle is better than its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Average:
    """A running average of parameters, each step's weight fading by ``keep``."""

    def __init__(self, parameters: list[Any], keep: float) -> None:
        self.parameters = parameters
        self.keep = keep
        self.values = [p.detach().clone() for p in parameters]

    def update(self) -> None:
        for value, parameter in zip(self.values, self.parameters, strict=True):
            value.lerp_(parameter.detach(), 1 - self.keep)

    def copy(self) -> list[Any]:
        return [value.clone() for value in self.values]

    def copy_to(self, kept: list[Any]) -> None:
        for value, own in zip(kept, self.values, strict=True):
            value.copy_(own)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters have the average's values meanwhile."""
        own = [p.detach().clone() for p in self.parameters]
        self.put(self.values)
        try:
            yield
        finally:
            self.put(own)

    def put(self, values: list[Any]) -> None:
        """Copy values into the parameters."""
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.detach().copy_(value)
