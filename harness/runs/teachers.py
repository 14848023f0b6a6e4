"""The model that teaches another's fit: found by its name, and refused where it cannot."""

from __future__ import annotations

import hashlib

from harness.errors import RequestError
from harness.model import ModelSpec, Params
from harness.registry import Registry
from harness.runs.identity import code_version
from harness.system.entry import Entry

TEACHER = "teacher"  # among the contents of a run: the code of the model that teaches its fit


def teacher_of(spec: ModelSpec, params: Params, registry: Registry) -> Entry[ModelSpec] | None:
    """The model that teaches a fit with these parameters, or None.

    RequestError where there is no such model, or one that gives no whole rows of probabilities.
    """
    name = spec.teacher(params)
    if not name:
        return None
    entry = registry.model(name)
    if fault := _fault_of(entry.item):
        raise RequestError(f"{spec.name}: teacher={name} {fault}; choose a model of every next state")
    return entry


def teacher_content(teacher: Entry[ModelSpec]) -> str:
    """64 hexadecimal digits: of its code, and of what its defaults only name, such as an encoder."""
    contents = teacher.item.contents(teacher.item.params())
    said = " ".join([code_version(teacher), *(f"{name} {digest}" for name, digest in sorted(contents.items()))])
    return hashlib.sha256(said.encode()).hexdigest()


def _fault_of(teacher: ModelSpec) -> str | None:
    if teacher.only_task is not None:
        return f"predicts {teacher.only_task} alone"
    if not (teacher.sums_to_one and teacher.whole_rows):
        return "has no whole rows of probabilities that sum to one"
    if teacher.simulated_only:
        return "knows how the careers were simulated"
    if teacher.teacher(teacher.params()):
        return "learns from a teacher of its own"
    return None
