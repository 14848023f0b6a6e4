"""Where ``harness tune`` looks for a parameter's value, as the author of a model says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchRange:
    """The values of a parameter that a search tries, beside its type in the schema.

    ``depth: Annotated[int, SearchRange(2, 12)] = Field(6, ge=1)``. low, high: the ends, both included. log: even in the
    logarithm, for what matters by its order of magnitude. choices: these values alone, as --set takes them. Without
    ends and choices, what the schema allows: the two values of a boolean, the choices of a Literal, numbers between
    both bounds. ValueError where it makes no sense.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None) or (self.low is not None and self.choices):
            raise ValueError("a search has two ends, or choices, or neither")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"{self.low:g} to {self.high:g} is no range: give the lower end first")
        if self.log and not (self.low or 0.0) > 0:
            raise ValueError("a logarithm needs ends above zero")
