"""Ablations of a model: each arm changes one thing of it, and is compared with the model as asked for.

The arms are the model's own (``ModelSpec.ablations``). Each is an ordinary run that leaves an ordinary record, so a
table that was interrupted goes on where it stopped, and every difference is paired on the same persons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.errors import HarnessError, RequestError, did_you_mean
from harness.model import Ablation, ModelSpec, Params, Task
from harness.model.params import validate
from harness.records.paired import Paired
from harness.records.record import Record
from harness.runs.execute import Workshop, execute
from harness.runs.request import Panels, RunRequest
from harness.stats.inference import Estimate

WHOLE = Ablation("as-asked", "as asked for")


@dataclass(frozen=True, kw_only=True)
class AblationRequest:
    """The model whose arms are compared, with the request, the task and the panels that all arms share.

    Of ``panels``, those to train on as well are for the arms that pool; other models of the table get no parameters.
    """

    model: str
    request: RunRequest
    task: Task
    panels: Panels


@dataclass(frozen=True)
class ArmResult:
    """An arm's figures: perplexity with its standard error, and log-likelihood per transition less the first line's, in
    nats; None on the first line."""

    name: str
    record: Record
    perplexity: Estimate
    difference: Estimate | None

    def plain(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "arm": self.name,
            "record": self.record.id,
            "perplexity": asdict(self.perplexity),
            "difference": None if self.difference is None else asdict(self.difference),
        }


def chosen(spec: ModelSpec, names: Sequence[str], pools: bool) -> list[Ablation]:
    """The arms of these names, all of them where there are none; the first is always what the others change.

    pools: whether there is a panel for the arms that pool. RequestError for a name that is none.
    """
    known = {arm.name: arm for arm in spec.ablations}
    if not known:
        raise RequestError(f"model '{spec.name}' names no ablations; 'harness run --set' changes one thing at a time")
    for name in names:
        if name not in known:
            raise RequestError(f"'{spec.name}' has no arm '{name}'; {did_you_mean(name, known)}")
        if known[name].pools and not pools:
            raise RequestError(f"the arm '{name}' needs a panel to train on as well: --train-also PANEL")
    asked = [arm for name, arm in known.items() if not names or name in names]
    return [WHOLE, *(arm for arm in asked if pools or not arm.pools)]


def run_arms(
    asked: AblationRequest, arms: Sequence[Ablation], rivals: Sequence[str], workshop: Workshop
) -> Iterator[tuple[str, Record]]:
    """The name of each arm in the table, and its record as soon as it is written; then those of the other models.

    An arm that changes nothing here (words, where they are asked for) is left out; so is one that cannot be had here
    (examples that are longer than the model's context), with a note that says why.
    """
    whole = _params(asked, WHOLE, workshop)
    for arm in arms:
        try:
            if arm is WHOLE or arm.pools or _params(asked, arm, workshop) != whole:
                also = asked.panels.also if arm.pools else ()
                name = f"{arm.summary} {', '.join(panel.name for panel in also)}".strip()
                for record in _records(asked, asked.model, arm, workshop):
                    yield name, record
        except HarnessError as error:
            if arm is WHOLE:
                raise
            workshop.progress.note(f"the arm '{arm.name}' is left out: {error}")
    for rival in rivals:
        for record in _records(asked, rival, None, workshop):
            yield rival, record


def _values(asked: AblationRequest, arm: Ablation) -> dict[str, str]:
    return {**asked.request.models.get(asked.model, {}), **arm.changes}


def _params(asked: AblationRequest, arm: Ablation, workshop: Workshop) -> Params:
    return validate(workshop.registry.model(asked.model).item.params, _values(asked, arm), asked.model)


def _records(asked: AblationRequest, model: str, arm: Ablation | None, workshop: Workshop) -> Iterator[Record]:
    values = {} if arm is None else _values(asked, arm)
    also = asked.panels.also if arm is not None and arm.pools else ()
    panels = replace(asked.panels, also=also)
    request = asked.request.model_copy(update={"models": {model: values}})
    yield from execute(
        request.run(model, None, tasks=(asked.task,), panels=panels, registry=workshop.registry), workshop
    )


def lines(found: Sequence[tuple[str, Record]]) -> list[ArmResult]:
    """The table: every record against the first, paired on persons."""
    drawn = Paired.of([record for _, record in found]).drawn
    levels = drawn.perplexities()
    gaps: list[Estimate | None] = [None, *drawn.differences(0)[1:]]
    return [ArmResult(name, record, level, gap) for (name, record), level, gap in zip(found, levels, gaps, strict=True)]
