"""``--set name=value``: whose parameter it is, and whether its schema takes the value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.errors import RequestError, did_you_mean
from harness.model.contract import Params

TASK, DATA = "task", "data"
ParamsT = TypeVar("ParamsT", bound=Params)


@dataclass(frozen=True)
class Settings:
    """The values of one request, sorted by owner: model name -> {parameter: text}, and so for the task and the data."""

    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    task: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)


def parse(pairs: Iterable[str], models: Iterable[str], first: str | None = None) -> Settings:
    """Sort ``owner.name=value`` by owner: ``task``, ``data`` or a model of the request.

    Without an owner, the parameter is that of ``first``, or of the only model. RequestError where there are several and
    none comes first, and where a parameter is given twice.
    """
    names = list(models)
    unnamed = first if first is not None else names[0] if len(names) == 1 else None
    sorted_values: dict[str, dict[str, str]] = {owner: {} for owner in [TASK, DATA, *names]}
    for pair in pairs:
        left, equals, value = pair.partition("=")
        if not equals or not left:
            raise RequestError(f"--set {pair}: write name=value, such as --set task.entry=true or --set gbm.rounds=300")
        owner, dot, name = left.rpartition(".")
        if not dot:
            if unnamed is None:
                whose = " or ".join(f"{model}.{name}" for model in names) or f"data.{name}"
                raise RequestError(f"--set {pair}: say whose parameter it is, {whose}")
            owner = unnamed
        if owner not in sorted_values:
            raise RequestError(f"--set {pair}: nothing here is called '{owner}'; {did_you_mean(owner, sorted_values)}")
        if name in sorted_values[owner]:
            raise RequestError(
                f"--set {pair}: '{name}' of {owner} is given twice, as {sorted_values[owner][name]} before"
            )
        sorted_values[owner][name] = value
    return Settings({name: sorted_values[name] for name in names}, sorted_values[TASK], sorted_values[DATA])


def validate(schema: type[ParamsT], values: Mapping[str, str], owner: str) -> ParamsT:
    """The values as an instance of the schema. RequestError for an unknown name or a value it does not take."""
    for name in values:
        if name not in schema.model_fields:
            known = did_you_mean(name, schema.model_fields) if schema.model_fields else "it has none"
            raise RequestError(f"'{owner}' has no parameter '{name}'; {known}")
    given = {name: None if _means_unset(schema, name, value) else value for name, value in values.items()}
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # two values that do not go together
            raise RequestError(f"{owner}: {first['msg'].removeprefix('Value error, ')}") from error
        name = str(first["loc"][0])
        raise RequestError(f"{owner}.{name}={values.get(name)}: {first['msg']}") from error


def pairs(options: Iterable[str], option: str = "--column") -> dict[str, str]:
    """``what=value`` of a repeatable option as a mapping. RequestError without a '=' or with one name twice."""
    found: dict[str, str] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise RequestError(f"{option} {text}: write {option} name=value")
        if name in found:
            raise RequestError(f"{option} {text}: '{name}' is given twice")
        found[name] = value
    return found


def _means_unset(schema: type[Params], name: str, value: str) -> bool:
    """True where a value says None: 'none' and 'null' do, except for a parameter with a choice of that name."""
    if value.lower() not in ("none", "null"):
        return False
    choices = str(schema.model_fields[name].annotation)
    return f"'{value.lower()}'" not in choices


def listed(value: Any) -> Any:
    """'a,b' of a command line as a list: for parameters that are tuples, before pydantic sees them."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
