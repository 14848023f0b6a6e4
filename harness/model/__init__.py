"""The contract between the harness and a model, and what else the author of a plugin imports."""

from __future__ import annotations

from harness.model.contract import (
    Ablation,
    BoundedRows,
    Context,
    Estimator,
    Model,
    ModelSpec,
    NoParams,
    OutcomeModel,
    Params,
    Table,
    UnnormalizedModel,
    missing_modules,
    take_states,
)
from harness.model.dataset import DatasetSpec
from harness.model.encoder import CareerEncoder, EncoderSpec
from harness.model.search import SearchRange
from harness.model.task import EachState, Event, Partition, Task, every_transition

OpenModel = UnnormalizedModel  # former names, for plugins of before
Within = BoundedRows

__all__ = [
    "Ablation",
    "BoundedRows",
    "CareerEncoder",
    "Context",
    "DatasetSpec",
    "EachState",
    "EncoderSpec",
    "Estimator",
    "Event",
    "Model",
    "ModelSpec",
    "NoParams",
    "OpenModel",
    "OutcomeModel",
    "Params",
    "Partition",
    "SearchRange",
    "Table",
    "Task",
    "UnnormalizedModel",
    "Within",
    "every_transition",
    "missing_modules",
    "take_states",
]
