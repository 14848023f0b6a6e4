"""Objects of R as R itself writes them in text (``saveRDS(x, ascii = TRUE)``), with any attributes and classes."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NOTHING = "254"
LIST, STRING, NUMBERS, INTEGERS, WORDS, OBJECTS = 2, 9, 14, 13, 16, 19
OBJECT, ATTRIBUTES, TAG, UTF_8 = 1 << 8, 1 << 9, 1 << 10, 1 << 15


@dataclass(frozen=True)
class Vector:
    """A vector of R, ``values`` all of one kind, with its attributes by name."""

    values: Sequence[float] | Sequence[int] | Sequence[str] | Sequence[Vector]
    attributes: Mapping[str, Vector] = field(default_factory=dict)


def frame(columns: Mapping[str, Vector], classes: Sequence[str] = ("data.frame",), **attributes: Vector) -> Vector:
    """A data frame, or what is one and more."""
    told = {"names": Vector([*columns]), "class": Vector([*classes]), **attributes}
    return Vector([*columns.values()], told)


def write(path: Path, one: Vector) -> Path:
    """Write an ``.rds`` file of the object."""
    path.write_bytes(gzip.compress("\n".join(["A", "2", "197888", "131840", *_lines(one), ""]).encode()))
    return path


def _text(value: str) -> list[str]:
    return [str(STRING | UTF_8 << 4), str(len(value)), value.replace(" ", "\\040")]


def _lines(one: Vector) -> list[str]:
    first = one.values[0]
    kind = {str: WORDS, int: INTEGERS, float: NUMBERS}.get(type(first), OBJECTS)
    flags = kind | (ATTRIBUTES if one.attributes else 0) | (OBJECT if "class" in one.attributes else 0)
    lines = [str(flags), str(len(one.values))]
    for value in one.values:
        if isinstance(value, Vector):
            lines += _lines(value)
        else:
            lines += _text(value) if isinstance(value, str) else [repr(value)]
    for name, attribute in one.attributes.items():
        lines += [str(LIST | TAG), "1", *_text(name), *_lines(attribute)]
    return [*lines, NOTHING] if one.attributes else lines
