"""The space that a search covers: from a model's schema, or as the user gives it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from harness.errors import RequestError, did_you_mean
from harness.model import ModelSpec, Params, SearchRange
from harness.model.params import validate

EMPTY = (
    "model '{name}' does not say where its parameters are to be searched: give the values to try, "
    "such as --try {example}"
)


@dataclass(frozen=True, slots=True)
class ChoiceAxis:
    """Values to choose from, as --set takes them."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return " or ".join(self.values)


@dataclass(frozen=True, slots=True)
class NumberAxis:
    """NumberAxis from low to high, both included. log: even in the logarithm. whole: integers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{' (log)' if self.log else ''}"


Space = Mapping[str, ChoiceAxis | NumberAxis]


def space_of(spec: ModelSpec, fixed: Mapping[str, str]) -> Space:
    """The model's own space, without the parameters that are fixed. RequestError where nothing is left."""
    kept = {name: axis for name, axis in own_space(spec).items() if name not in fixed}
    if not kept:
        example = f"{next(iter(spec.params.model_fields), 'NAME')}=1..10"
        raise RequestError(EMPTY.format(name=spec.name, example=example))
    return kept


def own_space(spec: ModelSpec) -> Space:
    """The space of a model's schema.

    Parameters with a ``SearchRange``. In a schema that has none: booleans, choices, and numbers with two bounds, but
    for those that change no fit.
    """
    fields = spec.params.model_fields
    declared = {name: one for name, info in fields.items() if (one := declared_range(info)) is not None}
    unsaid = () if declared else (*spec.runtime_params, *spec.scoring_params)
    ranges = declared or {name: SearchRange() for name in fields if name not in unsaid}
    return {name: made for name, one in ranges.items() if (made := _axis(fields[name], one)) is not None}


def declared_range(info: FieldInfo) -> SearchRange | None:
    """The ``SearchRange`` of a field, if it has one."""
    return next((one for one in info.metadata if isinstance(one, SearchRange)), None)


def _axis(info: FieldInfo, wanted: SearchRange) -> ChoiceAxis | NumberAxis | None:
    """The values of a field that are searched; None where neither says how far."""
    if wanted.choices:
        return ChoiceAxis(tuple(wanted.choices))
    kinds = _kinds(info.annotation)
    number = next((kind for kind in kinds if kind in (int, float)), None)
    if wanted.low is not None and wanted.high is not None:
        return NumberAxis(wanted.low, wanted.high, wanted.log, whole=number is int)
    if bool in kinds:
        return ChoiceAxis(("true", "false"))
    words = [str(word) for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    if len(words) > 1:
        return ChoiceAxis(tuple(words))
    low, high = _bounds(info, whole=number is int)
    return None if number is None or low is None or high is None else NumberAxis(low, high, whole=number is int)


def _kinds(annotation: Any) -> list[Any]:
    """The types of a field, unions and annotations taken apart."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    return _kinds(get_args(annotation)[0]) if get_origin(annotation) is Annotated else [annotation]


def _bounds(info: FieldInfo, whole: bool) -> tuple[float | None, float | None]:
    """The ends of what the schema takes; of an open interval of numbers, points a thousandth of the way inside."""
    low = high = None
    inside: list[str] = []
    for one in info.metadata:
        if isinstance(one, Ge | Gt):
            low = float(one.ge if isinstance(one, Ge) else one.gt)  # type: ignore[arg-type]
            inside += ["low"] if isinstance(one, Gt) else []
        elif isinstance(one, Le | Lt):
            high = float(one.le if isinstance(one, Le) else one.lt)  # type: ignore[arg-type]
            inside += ["high"] if isinstance(one, Lt) else []
    if low is None or high is None:
        return None, None
    step = 1.0 if whole else (high - low) / 1000
    return low + step * ("low" in inside), high - step * ("high" in inside)


def given_space(spec: ModelSpec, given: Mapping[str, Any], fixed: Mapping[str, str]) -> Space:
    """The space that a user gives. given: parameter -> text (``1..9``, ``1e-4..1e-1:log``, ``a,b``), or what a YAML
    file has: a list of choices, or ``low``, ``high`` and perhaps ``log``.

    RequestError for what is no parameter, is fixed as well, cannot be read, or lies outside what the schema takes.
    """
    found: dict[str, ChoiceAxis | NumberAxis] = {}
    for name, value in given.items():
        info = spec.params.model_fields.get(name)
        if info is None:
            known = did_you_mean(name, spec.params.model_fields) if spec.params.model_fields else "it has none"
            raise RequestError(f"'{spec.name}' has no parameter '{name}'; {known}")
        if name in fixed:
            raise RequestError(f"'{name}' of {spec.name} is to be searched and set to {fixed[name]}: leave one out")
        found[name] = _read(name, value, whole=int in _kinds(info.annotation))
        _require_taken(spec.params, spec.name, name, found[name])
    return found


def _read(name: str, value: Any, whole: bool) -> ChoiceAxis | NumberAxis:
    """One entry of a space. RequestError where it says nothing to try."""
    right = f"write {name}=low..high, {name}=low..high:log, or {name}=a,b,c"
    try:
        if isinstance(value, Mapping):
            one = SearchRange(float(value["low"]), float(value["high"]), bool(value.get("log", False)))
            if set(value) - {"low", "high", "log"}:
                raise ValueError("a range has low, high and log")
        elif isinstance(value, list):
            return _choices([_word(word) for word in value])
        elif ".." in str(value):
            ends, _, log = str(value).partition(":")
            low, _, high = ends.partition("..")
            one = SearchRange(float(low), float(high), _is_log(log))
        else:
            return _choices([word.strip() for word in str(value).split(",")])
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"--try {name}: {value}: {error or 'no range'}; {right}") from error
    assert one.low is not None
    assert one.high is not None
    if whole and not (one.low.is_integer() and one.high.is_integer()):
        raise RequestError(f"--try {name}: {value}: it is a whole number; {right}")
    return NumberAxis(one.low, one.high, one.log, whole)


def _choices(words: list[str]) -> ChoiceAxis:
    if len(words) < 2 or len(set(words)) < len(words) or not all(words):
        raise ValueError("give two values or more, each once")
    return ChoiceAxis(tuple(words))


def _word(word: Any) -> str:
    """As ``--set`` takes it."""
    return str(word).lower() if isinstance(word, bool) else str(word)


def _is_log(text: str) -> bool:
    if text not in ("", "log"):
        raise ValueError(f"'{text}' is no scale")
    return text == "log"


def _require_taken(schema: type[Params], owner: str, name: str, axis: ChoiceAxis | NumberAxis) -> None:
    """RequestError where the schema does not take a choice or an end; two values that do not go together may be met."""
    ends = axis.values if isinstance(axis, ChoiceAxis) else tuple(as_text(end, axis) for end in (axis.low, axis.high))
    for value in ends:
        try:
            validate(schema, {name: value}, owner)
        except RequestError as error:
            if str(error).startswith(f"{owner}.{name}="):
                raise


def as_text(value: Any, axis: ChoiceAxis | NumberAxis) -> str:
    """A value of the space as --set takes it: numbers with five digits, which is what the model is given."""
    if isinstance(axis, ChoiceAxis):
        return str(value)
    return str(int(value)) if axis.whole else f"{float(value):.5g}"


def held_by(axis: ChoiceAxis | NumberAxis, value: Any) -> Any:
    """A parameter's value, as JSON has it, as a search of this axis has it; None where it does not lie on it."""
    if isinstance(axis, NumberAxis):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number and axis.low <= value <= axis.high else None
    words = [_word(part) for part in value] if isinstance(value, list) else [_word(value)]
    return next((choice for choice in axis.values if _words(choice) == [*map(_comparable, words)]), None)


def _words(choice: str) -> list[float | str]:
    return [_comparable(part.strip()) for part in choice.split(",")]


def _comparable(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def describe(space: Space) -> Iterable[str]:
    """A phrase for each parameter."""
    return (f"{name} {axis}" for name, axis in space.items())
