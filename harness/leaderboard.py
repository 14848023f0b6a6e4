"""From record files to ranked rows. Everything here is computed from the records' evidence, nothing from a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness import inference
from harness.errors import RequestError
from harness.inference import Estimate
from harness.records import Mass, Measured, Record, figures, slug
from harness.types import FloatArray

MIX = "mix"  # what the records of ensembles of finished runs call their model
LARGE = 0.01  # the weight from which a part of an ensemble is named
NULL_MODEL = "marginal"  # the constants-only model that McFadden's R2 is measured against


@dataclass(frozen=True)
class Row:
    """One model's line.

    label: the model and the parameters it was run with where they differ from the defaults. perplexity: with its
    person-clustered standard error. mcfadden_r2: 1 - log-likelihood / that of ``marginal``. regret: log-likelihood of
    the true probabilities less the model's, in nats per transition, paired on persons. train_also: further panels that
    the model was trained on, each with how its fingerprint begins. pretrained_on: so, what it learned from before.
    records_unseen, transitions_cut_short: what of the scored careers the model had no room for (``contract.unseen``).
    fitted_without_weights: whether the panel has weights, and the fit did not use them. mix_of: of an ensemble, its
    parts and their weights over 1%. mix_superseded: how many of its parts a newer record stands before. mix_without:
    the rows that a mix of the board could have had and does not. None: not defined here.
    """

    rank: int
    record: str
    model: str
    label: str
    base: str | None
    figures: Mapping[str, float | None]
    perplexity: Estimate
    mcfadden_r2: float | None
    regret: Estimate | None
    mass: Mass | None
    sums_to_one: bool
    knows_truth: bool
    parameters_trained: int | None
    seed: int
    code: str
    measured: Measured
    train_also: str | None = None
    pretrained_on: str | None = None
    records_unseen: int | None = None
    transitions_cut_short: int | None = None
    fitted_without_weights: bool | None = None
    mix_of: str | None = None
    mix_superseded: int | None = None
    mix_without: str | None = None


# Fields of a row that are left out of tables where nothing is to be said, so that older tables stay as they are.
OPTIONAL = (
    "train_also",
    "pretrained_on",
    "records_unseen",
    "transitions_cut_short",
    "fitted_without_weights",
    "mix_of",
    "mix_superseded",
    "mix_without",
)


@dataclass(frozen=True)
class Board:
    """One panel and one task, best model first.

    superseded: how many records answer a question that a newer record here answers, and are not shown.
    """

    panel: str
    folder: str
    fingerprint: str
    source: Mapping[str, Any]
    panel_persons: int
    panel_records: int
    states: int
    task: str
    task_version: int
    outcomes: str
    persons: int
    transitions: int
    rows: tuple[Row, ...]
    superseded: int = 0

    @property
    def weights(self) -> str | None:
        """The column whose values transitions count for, in every figure; None where each counts one."""
        return self.source.get("weights")


def boards(records: Iterable[Record]) -> list[Board]:
    """Every board that the records make, by panel and task.

    Records are on one board when panel contents, task, and task version agree; where several answer the same question
    (same model, parameters and seed) the newest stands, as does the newest mix of all of a board's rows. RequestError
    where two records that claim the same panel and task disagree on who is at risk.
    """
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    prints: dict[str, set[str]] = defaultdict(set)
    for record in records:
        panel = record.configuration.panel
        groups[panel.name, panel.fingerprint, record.configuration.task].append(record)
        prints[panel.name].add(panel.fingerprint)
    made = []
    for (name, fingerprint, _), group in sorted(groups.items()):
        alone = len(prints[name]) == 1
        folder = slug(name) if alone else f"{slug(name)}-{fingerprint[:8]}"
        made.append(_board(group, folder))
    return made


def _board(group: list[Record], folder: str) -> Board:
    version = max(record.configuration.task_version for record in group)
    newest: dict[str, Record] = {}
    for record in sorted(group, key=lambda r: (r.measured.finished, r.id)):
        if record.configuration.task_version == version:
            newest[MIX if _is_of_board(record) else record.configuration.key()] = record
    whole = [record for record in newest.values() if record.configuration.train_persons is None]
    shown = sorted(whole or newest.values(), key=lambda r: r.id)
    _require_same_transitions(shown)
    head, panel = shown[0], shown[0].configuration.panel
    return Board(
        panel=panel.name,
        folder=folder,
        fingerprint=panel.fingerprint,
        source=panel.source,
        panel_persons=panel.persons,
        panel_records=panel.records,
        states=panel.states,
        task=head.configuration.task,
        task_version=version,
        outcomes=head.outcomes,
        persons=len(head.evidence.ids),
        transitions=sum(head.evidence.transitions),
        rows=_rows(shown),
        superseded=len(group) - len(shown),
    )


def _require_same_transitions(records: list[Record]) -> None:
    first = records[0]
    for other in records[1:]:
        if not other.evidence.same_transitions(first.evidence):
            raise RequestError(
                f"records {first.id} and {other.id} claim task '{first.configuration.task}' on the same panel, but do "
                "not count the same transitions at risk: one of the files was edited; run it again with --force"
            )


def _rows(records: list[Record]) -> tuple[Row, ...]:
    transitions = records[0].evidence.counted
    sums = np.column_stack([record.evidence.log_likelihood for record in records]).astype(np.float64)
    perplexities = inference.perplexities(sums, transitions)
    null = _find(records, lambda r: r.configuration.model == NULL_MODEL)
    truth = _find(records, lambda r: r.knows_truth)
    regrets: list[Estimate] | None = None
    if truth is not None:
        regrets = inference.differences(-sums, -sums[:, truth], transitions)
    order = np.argsort([estimate.value for estimate in perplexities], kind="stable")
    rows = []
    for rank, i in enumerate(order, start=1):
        r2 = None if null is None else _mcfadden_r2(sums[:, i], sums[:, null])
        regret = None if regrets is None or i == truth else regrets[i]
        rows.append(replace(_row(rank, records[i], perplexities[i], r2, regret), **_of_mix(records[i], records)))
    return tuple(rows)


def _mcfadden_r2(model: FloatArray, null: FloatArray) -> float | None:
    """From persons' log-likelihoods; None where the null model is certain of all, as of where the movers go to between
    two states: there is nothing to be a share of.
    """
    return 1 - float(model.sum() / null.sum()) if null.any() else None


def can_be_part(record: Record) -> bool:
    """Whether the record is of a run that an ensemble can be made of: no ensemble itself, and not told the truth."""
    return record.configuration.model != MIX and not record.knows_truth


def _is_of_board(record: Record) -> bool:
    """Whether the record is a mix of all the rows that its board had."""
    return record.configuration.model == MIX and record.configuration.parameters.get("of") == "board"


def _of_mix(record: Record, shown: list[Record]) -> dict[str, Any]:
    """What a row says of an ensemble; nothing of any other record. shown: the records on its board."""
    if record.configuration.model != MIX:
        return {}
    weights, names = record.facts["weights"], record.facts["parts"]
    large = sorted((run for run in weights if weights[run] >= LARGE), key=lambda run: (-weights[run], run))
    told = ", ".join(f"{names[run]} {weights[run]:.2f}" for run in large)
    small = len(weights) - len(large)
    without = [label(other) for other in shown if can_be_part(other) and other.id not in weights]
    return {
        "mix_of": told + (f"; {small} more of less than {LARGE:.0%}" if small else ""),
        "mix_superseded": len(set(weights) - {other.id for other in shown}) or None,
        "mix_without": ", ".join(sorted(without)) or None if _is_of_board(record) else None,
    }


def _find(records: list[Record], wanted: Any) -> int | None:
    return next((i for i, record in enumerate(records) if wanted(record)), None)


def _row(rank: int, record: Record, perplexity: Estimate, r2: float | None, regret: Estimate | None) -> Row:
    asked = record.configuration
    return Row(
        rank=rank,
        record=record.id,
        model=asked.model,
        label=label(record),
        base=record.facts.get("base"),
        figures=_with_newer(record),
        perplexity=perplexity,
        mcfadden_r2=r2,
        regret=regret,
        mass=record.mass,
        sums_to_one=record.sums_to_one,
        knows_truth=record.knows_truth,
        parameters_trained=record.facts.get("parameters_trained"),
        seed=asked.seed,
        code=asked.code,
        measured=record.measured,
        fitted_without_weights=record.facts.get("fitted_without_weights"),
        records_unseen=record.facts.get("records_unseen"),
        transitions_cut_short=record.facts.get("transitions_cut_short"),
        train_also=", ".join(f"{p.name} {p.fingerprint[:12]}" for p in asked.train_also) or None,
        pretrained_on=f"{asked.pretrain.name} {asked.pretrain.fingerprint[:12]}" if asked.pretrain else None,
    )


def _with_newer(record: Record) -> dict[str, float | None]:
    """A record's figures, and those that it is older than, from its evidence."""
    newer = {key: value for key, value in figures(record).items() if key not in record.figures and value is not None}
    return record.figures | newer


def label(record: Record) -> str:
    """The model, and in brackets what it was asked for beyond the defaults, the seed and further panels included."""
    asked = record.configuration
    changed = dict(asked.changed)
    if asked.seed:
        changed["seed"] = asked.seed
    parts = [f"{k}={v}" for k, v in sorted(changed.items())] + [f"train also {p.name}" for p in asked.train_also]
    parts += [f"pretrained on {asked.pretrain.name}"] if asked.pretrain else []
    return f"{asked.model} ({', '.join(parts)})" if parts else asked.model
