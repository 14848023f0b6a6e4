"""The fixture of pytest-benchmark with types, which it has none of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Benchmark(Protocol):
    """Times a function; ``pedantic`` so many rounds of it, and both hand on the answer of the last."""

    stats: Mapping[str, float]
    extra_info: dict[str, Any]

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any: ...

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        rounds: int = 1,
        iterations: int = 1,
        warmup_rounds: int = 0,
    ) -> Any: ...
