"""The parameters of a model that learns from another one's probabilities (``harness.model.soft_targets``)."""

from __future__ import annotations

from pydantic import Field

from harness.model.contract import Params

FOLDS = 5  # parts of the training persons


class TeacherParams(Params):
    """The model that teaches, and how much it counts."""

    teacher: str = Field(
        "",
        description="model whose probabilities are learned from beside the outcomes (distillation), fitted at its "
        f"defaults to {FOLDS - 1} of {FOLDS} parts of the training persons and asked about the others, so that it "
        "knows no outcome that it stands beside. It takes two bytes of memory for each training transition and state. "
        "Unset: none",
    )
    teacher_share: float = Field(
        0.5, gt=0, le=1, description="weight of the teacher's probabilities; that of the outcomes is the rest"
    )


def teacher_name(params: TeacherParams) -> str:
    """The name of the model that teaches (``ModelSpec.teacher``)."""
    return params.teacher
