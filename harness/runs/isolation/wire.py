"""Messages between the two processes: a head in JSON and arrays without objects, so that reading one runs no code."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from harness.panel.careers import Covariate, Panel
from harness.panel.model_view import SHOWN_SOURCE
from harness.panel.occupations import Occupations, Status

Arrays = Mapping[str, "np.ndarray[Any, Any]"]
COLUMNS = ("persons", "offsets", "year", "state", "split")  # of every panel
DESIGN = ("weight", "units", "strata")  # of some
LENGTHS = struct.Struct("<QQ")  # bytes of the head, and of the arrays


class ClosedError(Exception):
    """The other process has ended."""


def send(stream: IO[bytes], head: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message. ValueError where an array holds objects."""
    packed = io.BytesIO()
    if arrays:
        np.savez(packed, allow_pickle=False, **arrays)
    text = json.dumps(head).encode()
    try:
        stream.write(LENGTHS.pack(len(text), packed.tell()) + text)
        stream.write(packed.getbuffer())
        stream.flush()
    except BrokenPipeError as error:
        raise ClosedError from error


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Arrays]:
    """The next message. ClosedError at the end."""
    text, packed = LENGTHS.unpack(_exactly(stream, LENGTHS.size))
    head = json.loads(_exactly(stream, text))
    if not packed:
        return head, {}
    with np.load(io.BytesIO(_exactly(stream, packed)), allow_pickle=False) as arrays:
        return head, {name: arrays[name] for name in arrays.files}


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise ClosedError
    return found


def packed(panel: Panel, prefix: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """A panel as the head and the arrays of a message; the names of arrays begin with ``prefix``."""
    head = {
        "name": panel.name,
        "occupations": asdict(panel.occupations),
        "covariates": {n: [c.kind, list(c.levels), c.fixed] for n, c in panel.covariates.items()},
        "source": {name: panel.source[name] for name in SHOWN_SOURCE if name in panel.source},
    }
    columns = {name: getattr(panel, name) for name in ("persons", "offsets", "year", "state", "split")}
    columns |= {
        name: getattr(panel, name) for name in ("weight", "units", "strata") if getattr(panel, name) is not None
    }
    columns |= {f"covariate:{name}": covariate.values for name, covariate in panel.covariates.items()}
    return head, {f"{prefix}{name}": values for name, values in columns.items()}


def unpacked(head: Mapping[str, Any], arrays: Arrays, prefix: str = "") -> Panel:
    """The panel that ``packed`` took apart."""
    told = head["occupations"]
    statuses = tuple(Status(status) for status in told["statuses"])
    names = {name: tuple(told[name]) for name in ("codes", "titles", "groups", "minors")}
    columns: dict[str, Any] = {name: arrays[f"{prefix}{name}"] for name in COLUMNS}
    columns |= {name: arrays.get(f"{prefix}{name}") for name in DESIGN}
    return Panel(
        name=head["name"],
        occupations=Occupations(**names, statuses=statuses),
        covariates={
            name: Covariate(kind, arrays[f"{prefix}covariate:{name}"], tuple(levels), fixed)
            for name, (kind, levels, fixed) in head["covariates"].items()
        },
        source=head["source"],
        **columns,
    )
