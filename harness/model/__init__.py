"""The contract between the harness and a model, and what else the author of a plugin imports."""

from __future__ import annotations

from harness.model.contract import (
    Ablation,
    Context,
    Estimator,
    Model,
    ModelSpec,
    NoParams,
    OpenModel,
    OutcomeModel,
    Params,
    Table,
    Within,
    missing_modules,
    take_states,
)
from harness.model.dataset import DatasetSpec
from harness.model.task import EachState, Event, Partition, Task, every_transition

__all__ = [
    "Ablation",
    "Context",
    "DatasetSpec",
    "EachState",
    "Estimator",
    "Event",
    "Model",
    "ModelSpec",
    "NoParams",
    "OpenModel",
    "OutcomeModel",
    "Params",
    "Partition",
    "Table",
    "Task",
    "Within",
    "every_transition",
    "missing_modules",
    "take_states",
]
