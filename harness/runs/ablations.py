"""What the parts of a model are worth: each arm changes one thing of it, and is compared with the model as asked for.

The arms are the model's own (``ModelSpec.ablations``). Each is an ordinary run that leaves an ordinary record, so a
table that was interrupted goes on where it stopped, and every difference is paired on the same persons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.errors import HarnessError, RequestError, did_you_mean
from harness.model.contract import Ablation, ModelSpec, Params
from harness.model.params import validate
from harness.model.task import Task
from harness.panel.careers import Panel
from harness.records.record import Record
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run
from harness.stats import inference
from harness.stats.inference import Estimate
from harness.system.entry import Entry

WHOLE = Ablation("as-asked", "as asked for")


@dataclass(frozen=True)
class Request:
    """What all arms share. settings: of the model, as --set has them. also: panels that pooling arms train on.

    resumes: a panel that the model, and others of the table that can, are pre-trained on.
    """

    model: Entry[ModelSpec]
    panel: Panel
    task: Task
    settings: Mapping[str, str]
    also: tuple[Panel, ...]
    seed: int
    device: str
    resumes: Panel | None = None


HEADINGS = ("arm", "perplexity", "difference", "95% interval", "p", "record")


@dataclass(frozen=True)
class Line:
    """An arm's figures: perplexity with its standard error, and log-likelihood per transition less the first line's, in
    nats; None on the first line."""

    name: str
    record: Record
    perplexity: Estimate
    difference: Estimate | None

    def cells(self) -> list[str]:
        """As ``HEADINGS``."""
        level, gap = self.perplexity, self.difference
        told = ["–", "–", "–"]
        if gap is not None:
            told = [
                f"{gap.value:+.4f} ± {gap.standard_error:.4f}",
                f"[{gap.low:+.4f}, {gap.high:+.4f}]",
                f"{gap.p:.4f}",
            ]
        return [self.name, f"{level.value:.3f} ± {level.standard_error:.3f}", *told, self.record.id]

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
    request: Request, arms: Sequence[Ablation], rivals: Sequence[str], workshop: Workshop
) -> Iterator[tuple[str, Record]]:
    """What each arm is called in the table, and its record as soon as it is written; then those of the other models.

    An arm that changes nothing here (words, where they are asked for) is left out; so is one that cannot be had here
    (examples that are longer than the model's context), with a note that says why.
    """
    whole = _params(request, WHOLE)
    for arm in arms:
        try:
            params = _params(request, arm)
            if arm is WHOLE or arm.pools or params != whole:
                also = request.also if arm.pools else ()
                name = f"{arm.summary} {', '.join(panel.name for panel in also)}".strip()
                for record in execute(_run(request, request.model, params, also), workshop):
                    yield name, record
        except HarnessError as error:
            if arm is WHOLE:
                raise
            workshop.progress.note(f"the arm '{arm.name}' is left out: {error}")
    for rival in rivals:
        entry = workshop.registry.model(rival)
        for record in execute(_run(request, entry, validate(entry.item.params, {}, rival), ()), workshop):
            yield rival, record


def _params(request: Request, arm: Ablation) -> Params:
    spec = request.model.item
    return validate(spec.params, {**request.settings, **arm.changes}, spec.name)


def _run(request: Request, model: Entry[ModelSpec], params: Params, also: tuple[Panel, ...]) -> Run:
    resumes = request.resumes if model.item.pretrains else None
    return Run(model, params, (request.task,), request.panel, request.seed, request.device, also, resumes)


def lines(found: Sequence[tuple[str, Record]]) -> list[Line]:
    """The table: every record against the first, paired on persons."""
    records = [record for _, record in found]
    sums = np.column_stack([record.evidence.log_likelihood for record in records]).astype(np.float64)
    transitions = records[0].evidence.counted
    levels = inference.perplexities(sums, transitions)
    gaps: list[Estimate | None] = [None]
    if len(records) > 1:
        gaps += inference.differences(sums[:, 1:], sums[:, 0], transitions)
    return [Line(name, record, level, gap) for (name, record), level, gap in zip(found, levels, gaps, strict=True)]
