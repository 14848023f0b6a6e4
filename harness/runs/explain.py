"""Estimates of the fit behind a record, as the model's own tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RequestError, did_you_mean
from harness.model.answers import blaming
from harness.model.contract import Estimator, ModelSpec, Table
from harness.records.kinds import is_submitted
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.fits import folder_of
from harness.runs.identity import code_version

MANY = 3  # tables of a stage, one an outcome, above which they are printed on request alone


@dataclass(frozen=True)
class Explainer:
    """The source of explanations: plugins, and the cache of fits."""

    registry: Registry
    cache: Path

    def tables(self, record: Record, again: str) -> list[Table]:
        """Every table of the record's model, read from the fit that this machine's cache holds.

        again: the line that makes the record, for errors. RequestError where the model explains nothing, where the
        code that made the fit is not the code that is here, and where the fit is not in the cache.
        """
        spec = self._spec(record, again)
        model = spec.build(spec.params(**record.configuration.parameters))
        folder = folder_of(record.configuration, spec, self.cache)
        if not folder.exists():
            raise RequestError(f"the fit of {record.id} is not in this machine's cache, {self.cache}; make it: {again}")
        with blaming(spec.name, "load"):
            model.load(folder / "model")
        with blaming(spec.name, "explain"):
            tables = list(model.explain())
        if not tables:
            raise RequestError(f"{record.id}: this fit of '{spec.name}' had nothing to estimate: too few transitions")
        return tables

    def _spec(self, record: Record, again: str) -> ModelSpec:
        """The record's model, whose code is that of the record's fit and whose libraries are here."""
        asked = record.configuration
        if is_submitted(record):
            raise RequestError(f"{record.id} ('{asked.model}') was submitted: there is no fit here to explain")
        if asked.model not in self.registry.models:
            raise RequestError(f"{record.id} is of '{asked.model}', no model that is installed; {self._able()}")
        entry = self.registry.model(asked.model)
        if not _explains(entry.item.build(entry.item.params())):
            raise RequestError(f"model '{asked.model}' has no estimates to print; {self._able()}")
        here = code_version(entry)
        if asked.code != here:
            raise RequestError(
                f"{record.id} was made by other code ({asked.code}; here is {here}), whose fits are not read; to have "
                f"it with this code: {again}"
            )
        return entry.item

    def _able(self) -> str:
        """A sentence that names the models that explain. Each is built with its defaults; nothing is fitted."""
        specs = [entry.item for entry in self.registry.models.values() if not entry.item.missing()]
        able = sorted(spec.name for spec in specs if _explains(spec.build(spec.params())))
        return f"models that explain: {', '.join(able) or 'none is installed'}"


def _explains(model: Estimator) -> bool:
    return type(model).explain is not Estimator.explain


def stages(tables: Sequence[Table]) -> dict[str, list[Table]]:
    """Tables by the stage they are of, in order; a table of none by its title."""
    found: dict[str, list[Table]] = {}
    for table in tables:
        found.setdefault(table.stage or table.title, []).append(table)
    return found


def select(tables: Sequence[Table], stage: str | None, outcome: str | None) -> list[Table]:
    """The tables of a stage, and of an outcome, named whole or by its first word. RequestError where there is none."""
    by_stage = stages(tables)
    if stage is not None and stage not in by_stage:
        raise RequestError(f"--stage {stage}: there is no such stage; {did_you_mean(stage, by_stage)}")
    chosen = list(tables) if stage is None else by_stage[stage]
    if outcome is None:
        return chosen
    named_so = [t for t in chosen if t.outcome and outcome in (t.outcome, t.outcome.split(" ")[0])]
    if not named_so:
        names = sorted({t.outcome for t in chosen if t.outcome})
        hint = did_you_mean(outcome, names) if names else "the tables asked for have no equations by outcome"
        raise RequestError(f"--outcome {outcome}: there is no equation of it (a reference category has none); {hint}")
    return named_so


def brief(tables: Sequence[Table]) -> tuple[list[Table], list[str]]:
    """The tables without those of stages that have one for each of many outcomes, and a line on each such stage."""
    shown: list[Table] = []
    lines = []
    for stage, own in stages(tables).items():
        equations = [table.outcome for table in own if table.outcome]
        if len(equations) <= MANY:
            shown += own
            continue
        shown += [table for table in own if not table.outcome]
        lines.append(
            f"stage '{stage}' has an equation for each of {len(equations)} outcomes: --stage {stage} prints them all, "
            f"--outcome NAME one of {', '.join(equations)}"
        )
    return shown, lines
