"""A panel as a model is shown it when it is scored: nothing in it can be changed, and nothing says where it lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from harness.panel.careers import Panel

Array = TypeVar("Array", bound="np.ndarray[Any, Any]")

SHOWN_SOURCE = (
    "generator",  # of a simulated panel: which market it is, and not which draw
    "version",
    "population",
    "time_unit",  # of its records, which a model may write out
)


def model_view(panel: Panel) -> Panel:
    """A copy without weights, survey design and source, whose arrays refuse to be written to.

    A model that could write into the panel could change the outcomes that it is scored on.
    """
    return replace(
        panel,
        persons=locked(panel.persons),
        offsets=locked(panel.offsets),
        year=locked(panel.year),
        state=locked(panel.state),
        split=locked(panel.split),
        covariates={name: replace(c, values=locked(c.values)) for name, c in panel.covariates.items()},
        source={name: panel.source[name] for name in SHOWN_SOURCE if name in panel.source},
        weight=None,
        units=None,
        strata=None,
    )


def locked(array: Array) -> Array:
    """A copy over memory that numpy cannot be told to write to; of one row that stands for many, that row alone."""
    if array.ndim > 1 and len(array) > 1 and array.strides[0] == 0:
        return np.broadcast_to(locked(array[0]), array.shape)  # type: ignore[return-value]
    if array.dtype.hasobject or not array.size:
        copy = array.copy()
        copy.flags.writeable = False
        return copy
    return np.frombuffer(array.tobytes(), dtype=array.dtype).reshape(array.shape)  # type: ignore[return-value]
