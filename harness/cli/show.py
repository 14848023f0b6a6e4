"""harness list and harness show: what is installed, and what it takes."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from harness.cli import complete, console
from harness.cli.options import JsonOption
from harness.errors import RequestError, did_you_mean, install_line
from harness.model.contract import ModelSpec, Params
from harness.model.dataset import DatasetSpec
from harness.registry import NO_MODEL, Registry
from harness.runs.tuning.space import Space, own_space
from harness.system.entry import Entry


class Kind(StrEnum):
    """Kinds of things that can be listed."""

    MODELS = "models"
    TASKS = "tasks"
    DATASETS = "datasets"
    FEATURES = "features"


def list_all(
    context: typer.Context,
    kind: Annotated[
        Kind | None, typer.Argument(help="models, tasks, datasets or features; the first three if left out.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="A panel whose covariates are features too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List models, tasks and data sets, and missing libraries.

    Each stands with its plugin. 'list features' lists the features of a transition that models of the shared design
    read, with units.
    """
    registry: Registry = context.obj
    if kind is Kind.FEATURES:
        _list_features(data, registry, as_json)
        return
    if data is not None:
        raise RequestError("--data is for 'harness list features', to add those of the panel's covariates")
    kinds = [kind] if kind else [Kind.MODELS, Kind.TASKS, Kind.DATASETS]
    content = {k.value: [_entry(e) for e in getattr(registry, k.value).values()] for k in kinds}
    if as_json:
        console.emit_json(content | {"broken": registry.broken})
        return
    for name, entries in content.items():
        rows = [[e["name"], e["summary"], e["owner"], e["available"] or "yes"] for e in entries]
        console.table([name, "", "plugin of", "available"], rows)
        console.result("")
    for plugin, reason in registry.broken.items():
        console.say(f"plugin '{plugin}' could not be loaded: {reason}")


def _list_features(data: str | None, registry: Registry, as_json: bool) -> None:
    from harness.features.catalogue import known

    found = known(None if data is None else registry.open_panel(data))
    if as_json:
        console.emit_json({"features": [asdict(feature) for feature in found.values()]})
        return
    rows = [[f.name, f.values, f.unit, f.summary] for f in found.values()]
    console.table(["feature", "kind", "unit", ""], rows)


def _entry(entry: Entry[Any]) -> dict[str, str]:
    """available: empty, or what to type to make it so."""
    item = entry.item
    missing = item.missing() if isinstance(item, (ModelSpec, DatasetSpec)) else ()
    line = f"no: {install_line(missing, item.install)}" if missing else ""
    return {"name": item.name, "summary": item.summary, "owner": entry.owner, "available": line}


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model, task or data set.", autocompletion=complete.whatever)],
    as_json: JsonOption = False,
) -> None:
    """Describe a model, task or data set, and its parameters.

    Parameters have their defaults, units and bounds; a description names its source.
    """
    registry: Registry = context.obj
    every: dict[str, Entry[Any]] = {**registry.tasks, **registry.datasets, **registry.models}
    if name == "mix" and name not in every:
        raise RequestError(NO_MODEL)
    if name not in every:
        raise RequestError(f"nothing is called '{name}'; {did_you_mean(name, every)}")
    entry = every[name]
    facts = _facts(entry)
    searched = own_space(entry.item) if isinstance(entry.item, ModelSpec) else {}
    parameters = _parameters(getattr(entry.item, "params", Params), searched)
    if as_json:
        console.emit_json(facts | {"parameters": parameters})
        return
    for key, value in facts.items():
        if value:
            console.result(f"{key}: {value}")
    if parameters:
        console.result("")
        names = ["name", "type", "default", "tuned", "description"]
        names = [name for name in names if name != "tuned" or any(p["tuned"] for p in parameters)]
        headings = {"name": "parameter", "tuned": "harness tune", "description": ""}
        rows = [[p[name] for name in names] for p in parameters]
        console.table([headings.get(name, name) for name in names], rows)


def _facts(entry: Entry[Any]) -> dict[str, str]:
    item = entry.item
    facts = _entry(entry) | {"plugin": f"{entry.module} ({entry.owner} {entry.version})"}
    for key in ("outcomes", "cite", "license"):
        facts[key] = getattr(item, key, "")
    if isinstance(item, ModelSpec):
        facts["rows"] = "sum to one" if item.sums_to_one else "may sum to less than one; the board shows the mass"
        used = (
            "each record counts for its weight in the fit"
            if item.uses_weights
            else "not used in the fit, in scoring alone"
        )
        facts["weights"] = used
        facts["predicts"] = f"the event of {item.only_task}" if item.only_task else "the next state"
    return facts


def _parameters(schema: type[Params], searched: Space) -> list[dict[str, str]]:
    properties = schema.model_json_schema().get("properties", {})
    return [
        {
            "name": name,
            "type": _type(properties[name]),
            "default": str(info.default),
            "tuned": str(searched.get(name, "")),
            "description": info.description or "",
        }
        for name, info in schema.model_fields.items()
    ]


def _type(described: dict[str, Any]) -> str:
    """The type and its bounds, as in 'integer, 1 to 64' or 'titles | all'."""
    if "enum" in described:
        return " | ".join(map(str, described["enum"]))
    if "anyOf" in described:
        return " or ".join(_type(option) for option in described["anyOf"])
    low = described.get("minimum", described.get("exclusiveMinimum"))
    high = described.get("maximum", described.get("exclusiveMaximum"))
    kind = "none" if described.get("type") == "null" else str(described.get("type", "any"))
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    if low is not None:
        return f"{kind}, {low} or more" if "minimum" in described else f"{kind} above {low}"
    return kind
