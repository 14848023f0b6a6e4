"""The paper's ablations on one panel: each arm changes one thing of a model of resume text, and is compared with it.

Athey et al. (2024), LABOR-LLM, ask what the titles' words, the demographics, the length of the history, the tuning and
the pooling of surveys are worth. Every arm is an ordinary run that leaves an ordinary record, so a table that was
interrupted goes on where it stopped, and every difference is paired on the same persons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from harness import inference
from harness.errors import RequestError, did_you_mean
from harness.inference import Estimate
from harness.model import Params
from harness.panel import Panel
from harness.records import Record
from harness.run import Run
from harness.runner import Workshop, execute
from harness.settings import validate
from harness.task import Task

MODEL = "llm-lora"


@dataclass(frozen=True)
class Arm:
    """What is changed. name: for --arm. summary: for the table. pools: whether further panels are trained on."""

    name: str
    summary: str
    changes: Mapping[str, str] = field(default_factory=dict)
    pools: bool = False


WHOLE = Arm("as-asked", "as asked for")
ARMS = (
    WHOLE,
    Arm("words", "titles in words", {"titles": "words", "extend_vocabulary": "words"}),
    Arm("whole-titles", "a token for each title", {"titles": "words", "extend_vocabulary": "titles"}),
    Arm("codes", "codes in place of titles", {"titles": "codes", "extend_vocabulary": "words"}),
    Arm("no-demographics", "without demographics and birth year", {"demographics": "false", "birth_year": "false"}),
    Arm("history-1", "history of 1 record", {"history": "1"}),
    Arm("history-3", "history of 3 records", {"history": "3"}),
    Arm("not-tuned", "base as it is, not tuned", {"tuning": "none"}),
    Arm("loss-all", "loss on all tokens", {"loss": "all"}),
    Arm("pooled", "pooled with", pools=True),
)


@dataclass(frozen=True)
class Request:
    """What all arms share. settings: of ``llm-lora``, as --set has them. also: panels that the pooled arm trains on."""

    panel: Panel
    task: Task
    settings: Mapping[str, str]
    also: tuple[Panel, ...]
    seed: int
    device: str


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


def chosen(names: Sequence[str], pools: bool) -> list[Arm]:
    """The arms of these names, all of them where there are none; the first is always what the others change.

    pools: whether there is a panel for the pooled arm. RequestError for a name that is none.
    """
    known = [arm.name for arm in ARMS]
    for name in names:
        if name not in known:
            raise RequestError(f"no arm '{name}'; {did_you_mean(name, known)}")
    if "pooled" in names and not pools:
        raise RequestError("the arm 'pooled' needs a panel to train on as well: --train-also PANEL")
    asked = [arm for arm in ARMS if not names or arm.name in names]
    return [WHOLE, *(arm for arm in asked if arm is not WHOLE and (pools or not arm.pools))]


def run_arms(
    request: Request, arms: Sequence[Arm], rivals: Sequence[str], workshop: Workshop
) -> Iterator[tuple[str, Record]]:
    """What each arm is called in the table, and its record as soon as it is written; then those of the other models.

    An arm that changes nothing here (words, where they are asked for) is left out.
    """
    whole = _settings_of(request, WHOLE, workshop)
    for arm in arms:
        params = _settings_of(request, arm, workshop)
        if arm is WHOLE or arm.pools or params != whole:
            also = request.also if arm.pools else ()
            name = f"{arm.summary} {', '.join(panel.name for panel in also)}".strip()
            for record in execute(_run(request, MODEL, params, also, workshop), workshop):
                yield name, record
    for model in rivals:
        params = validate(workshop.registry.model(model).item.params, {}, model)
        for record in execute(_run(request, model, params, (), workshop), workshop):
            yield model, record


def _settings_of(request: Request, arm: Arm, workshop: Workshop) -> Params:
    return validate(workshop.registry.model(MODEL).item.params, {**request.settings, **arm.changes}, MODEL)


def _run(request: Request, model: str, params: Params, also: tuple[Panel, ...], workshop: Workshop) -> Run:
    entry = workshop.registry.model(model)
    return Run(entry, params, (request.task,), request.panel, request.seed, request.device, also)


def lines(found: Sequence[tuple[str, Record]]) -> list[Line]:
    """The table: every record against the first, paired on persons."""
    records = [record for _, record in found]
    sums = np.column_stack([record.evidence.log_likelihood for record in records]).astype(np.float64)
    transitions = np.array(records[0].evidence.transitions, dtype=np.int64)
    levels = inference.perplexities(sums, transitions)
    gaps: list[Estimate | None] = [None]
    if len(records) > 1:
        gaps += inference.differences(sums[:, 1:], sums[:, 0], transitions)
    return [Line(name, record, level, gap) for (name, record), level, gap in zip(found, levels, gaps, strict=True)]
