"""The part of a record that a tracker of experiments has a place for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.records.record import Record

COSTS = ("fit_seconds", "score_seconds", "fit_processor_seconds", "score_processor_seconds", "peak_memory_mb")


@dataclass(frozen=True, kw_only=True)
class ToldRun:
    """One record for a tracker.

    parameters: of the request: model, task, panel, seed, code and every parameter of the model, as text. figures: of
    the board and of cost, by name. curves: those that the model's facts hold, a value for each step: validation losses
    from before training on, in nats a transition.
    """

    name: str
    board: str
    parameters: Mapping[str, str]
    figures: Mapping[str, float]
    curves: Mapping[str, list[float]]

    @classmethod
    def of(cls, record: Record) -> ToldRun:
        """The parameters, figures and curves of a record."""
        asked, cost = record.configuration, record.measured
        parameters: dict[str, Any] = {
            "model": asked.model,
            "task": asked.task,
            "panel": asked.panel.name,
            "panel_fingerprint": asked.panel.fingerprint,
            "seed": asked.seed,
            "code": asked.code,
            "device": cost.device,
        }
        if asked.train_persons is not None:
            parameters["train_persons"] = asked.train_persons
        if asked.train_also:
            parameters["train_also"] = ", ".join(panel.name for panel in asked.train_also)
        if asked.pretrain is not None:
            parameters["pretrain"] = asked.pretrain.name
        parameters |= {f"{asked.model}.{name}": value for name, value in asked.parameters.items()}
        figures = {name: value for name, value in record.figures.items() if value is not None}
        costs = {name: value for name, value in cost.model_dump().items() if name in COSTS}
        numbers = {name: value for name, value in record.facts.items() if _is_number(value)}
        return cls(
            name=f"{asked.model} {record.id}",
            board=f"{asked.panel.name} {asked.task}",
            parameters={name: str(value) for name, value in parameters.items()},
            figures={name: float(value) for name, value in {**figures, **costs, **numbers}.items()},
            curves={name: curve for fact, value in record.facts.items() for name, curve in _curves(fact, value)},
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _curves(name: str, value: Any) -> list[tuple[str, list[float]]]:
    """The curves of a fact: one, or one for each member of an ensemble."""
    if not isinstance(value, list) or not value:
        return []
    if all(map(_is_number, value)):
        return [(name, [float(one) for one in value])]
    return [
        (f"{name}.member-{i}", [float(one) for one in part])
        for i, part in enumerate(value, 1)
        if isinstance(part, list) and part and all(map(_is_number, part))
    ]
