"""The contract between the harness and a model, and what else the author of a plugin imports."""

from __future__ import annotations

from harness.model.contract import (
    Ablation,
    Context,
    Estimator,
    Model,
    ModelSpec,
    NoParams,
    UnnormalizedModel,
    OutcomeModel,
    Params,
    Table,
    BoundedRows,
    missing_modules,
    take_states,
)
from harness.model.dataset import DatasetSpec
from harness.model.task import EachState, Event, Partition, Task, every_transition

OpenModel = UnnormalizedModel  # former names, for plugins of before
Within = BoundedRows

__all__ = [
    "OpenModel",
    "Within",
    "Ablation",
    "Context",
    "DatasetSpec",
    "EachState",
    "Estimator",
    "Event",
    "Model",
    "ModelSpec",
    "NoParams",
    "UnnormalizedModel",
    "OutcomeModel",
    "Params",
    "Partition",
    "Table",
    "Task",
    "BoundedRows",
    "every_transition",
    "missing_modules",
    "take_states",
]
