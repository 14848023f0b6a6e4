"""Faults of a model's description that show before anything is fitted, each with what would be right."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from harness.errors import did_you_mean
from harness.model.contract import ModelSpec, Params

NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")  # of files, of --set NAME.PARAMETER=VALUE and of panel/task/NAME
NAMES = ("needs", "code", "scoring_params", "runtime_params")  # fields that hold several names
PARAMETERS = ("scoring_params", "runtime_params")  # those of them that name parameters


def fault_of(spec: ModelSpec) -> str | None:
    """A sentence on the first fault of a model's description, or None."""
    if not NAME.fullmatch(str(spec.name)):
        return "its name may have letters, digits, '-', '_', '.' and '+', and no blanks"
    if not (inspect.isclass(spec.params) and issubclass(spec.params, Params)):
        return f"params is {spec.params!r}: give a class that derives from harness.model.Params"
    for field in NAMES:
        names = getattr(spec, field)
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            return f"{field} is {names!r}: give names, as ({str(names)!r},)"
    for field in PARAMETERS:
        known = spec.params.model_fields
        if astray := [name for name in getattr(spec, field) if name not in known]:
            return f"{field} names '{astray[0]}', which is no parameter; {did_you_mean(astray[0], known)}"
    return _fault_of_build(spec.build)


def _fault_of_build(build: Callable[[Any], Any]) -> str | None:
    if not callable(build):
        return f"build is {build!r}: give the model's class, or a function that makes it of the parameters"
    name = getattr(build, "__name__", "build")
    if lacking := sorted(getattr(build, "__abstractmethods__", ())):
        return f"{name} lacks {', '.join(lacking)}, which every model has (harness.model.Model)"
    try:
        inspect.signature(build).bind(None)
    except TypeError:
        return f"{name} is to take the parameters as its one argument, as def __init__(self, params)"
    except ValueError:  # written in C, so without a signature
        return None
    return None
