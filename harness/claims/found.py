"""The claims as record files bear them out: no model, no panel, and no memory of what was asked for.

A panel's reference is the configuration of the paper's model that most other arms differ from in the changes that make
them arms alone. Where two have as many, the newest counts. Records that differ in their seed alone are one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.claims.verdict import Verdict, judge
from harness.model.paper import Paper
from harness.records.current import Folder, age, by_panel, current, over_seeds
from harness.records.kinds import is_submitted, label_over_seeds
from harness.records.record import Configuration, PanelFacts, Record, RecordHead
from harness.records.store import AnyHead, slug

NO_RECORD = "no record of it"
Key = tuple[str, str]
Seeds = tuple[AnyHead, ...]  # records that differ in their seed alone, by seed


@dataclass(frozen=True)
class Page:
    """The verdicts on a panel. folder: of its boards. model: the paper's own, as boards call it. base: of that.

    seed: the first that it was run with; seeds: how many there are of it.
    """

    paper: Paper
    panel: PanelFacts
    folder: str
    model: str
    base: str | None
    seed: int
    verdicts: tuple[Verdict, ...]
    seeds: int = 1


def from_records(records: Iterable[Record], paper: Paper) -> list[Page]:
    """A page for every panel that the paper's model was run on beside something that a claim compares.

    Of records of one request the newest counts, as does a task's newest version; runs on some of the training persons,
    and what was submitted, do not. Prior models are those run with their defaults, or else the newest.
    """
    return [_page(paper, folder, found) for folder, found in _compared(records, paper)]


def in_folder(folder: Folder, paper: Paper) -> list[Page]:
    """As ``from_records`` of all records of a folder, of which those alone are read whole that a page compares."""
    paths = folder.store.paths()
    of_model = {path.parent for path in paths if f"-{slug(paper.model)}-" in path.name}
    heads = folder.heads([path for path in paths if path.parent in of_model])
    return [
        _page(paper, name, {key: tuple(map(folder.read, heads)) for key, heads in found.items()})
        for name, found in _compared(heads, paper)
    ]


def _compared(records: Iterable[AnyHead], paper: Paper) -> Iterator[tuple[str, dict[Key, Seeds[AnyHead]]]]:
    """The folder of each page, and (arm, task) -> records of what it compares."""
    own = paper.reference.name
    for panel in by_panel(records):
        newest = _by_age([record for record in current(panel.records) if _is_asked_about(record)])
        found = max(_candidates(newest, paper), key=lambda one: _completeness(one, paper), default={})
        alone = len(found)
        if tuned := next((seeds for (arm, _), seeds in found.items() if arm == own), None):
            found = {**_prior(newest, paper, _seeds(tuned)), **found}
        if len(found) > alone or any(arm != own for arm, _ in found):
            yield panel.folder, found


def _is_asked_about(record: RecordHead) -> bool:
    """False of a run on some of the training persons, and of a submission."""
    return record.configuration.train_persons is None and not is_submitted(record)


def _by_age(records: Sequence[AnyHead]) -> list[Seeds[AnyHead]]:
    """The seeds of each model and task, those whose newest is the newest of all last."""
    return sorted(over_seeds(records), key=_age)


def _age(seeds: Sequence[RecordHead]) -> tuple[Any, ...]:
    return max(map(age, seeds))


def _page(paper: Paper, folder: str, found: Mapping[Key, Seeds[Record]]) -> Page:
    own = max((seeds for (arm, _), seeds in found.items() if arm == paper.reference.name), key=_age)
    whole: dict[Key, Seeds[Record] | str] = {
        (arm.name, claim.task): found.get((arm.name, claim.task), NO_RECORD)
        for claim in paper.claims
        for arm in claim.arms()
    }
    asked, verdicts = own[0].configuration, tuple(judge(claim, whole) for claim in paper.claims)
    return Page(
        paper=paper,
        panel=asked.panel,
        folder=folder,
        model=label_over_seeds(own),
        base=own[0].facts.get("base"),
        seed=asked.seed,
        verdicts=verdicts,
        seeds=len(own),
    )


def _completeness(found: Mapping[Key, Sequence[RecordHead]], paper: Paper) -> tuple[Any, ...]:
    """A key to sort by: the numbers of arms and of (arm, task) pairs, and the age of the newest fine-tuned model."""
    newest = max(_age(seeds) for (arm, _), seeds in found.items() if arm == paper.reference.name)
    return len({arm for arm, _ in found}), len(found), newest


def _candidates(models: Sequence[Seeds[AnyHead]], paper: Paper) -> Iterator[dict[Key, Seeds[AnyHead]]]:
    """For every reference (arm, task) -> records, of its arms and itself; the newest where several may.

    Arms of one model agree in all that is not an arm's to change, and were asked for with a seed in common, so only
    those that do are held against each other.
    """
    alike: dict[str, list[Seeds[AnyHead]]] = defaultdict(list)
    for seeds in models:
        asked = seeds[0].configuration
        if asked.model == paper.model and asked.pretrain is None:
            kept = {name: value for name, value in asked.parameters.items() if not _is_an_arms(name, paper)}
            alike[json.dumps(kept, sort_keys=True)].append(seeds)
    for group in alike.values():
        tuned = {
            json.dumps([seeds[0].configuration.parameters, sorted(_seeds(seeds))], sort_keys=True): seeds
            for seeds in group
            if _is_reference(seeds[0].configuration, paper)
        }
        for reference in tuned.values():
            found: dict[Key, Seeds[AnyHead]] = {}
            for seeds in group:
                if _seeds(seeds) & _seeds(reference) and (role := _role(seeds[0], reference[0], paper)):
                    found[role, seeds[0].configuration.task] = seeds
            yield found


def _is_reference(asked: Configuration, paper: Paper) -> bool:
    varied = any(str(asked.parameters.get(name)) == value for name, value in paper.fixed.items())
    return not varied and not asked.train_also


def _is_an_arms(name: str, paper: Paper) -> bool:
    return paper.is_of_base(name) or any(name in arm.changes for arm in paper.variants)


def _role(record: RecordHead, reference: RecordHead, paper: Paper) -> str | None:
    """The arm that a record of the paper's model is beside this reference, or None."""
    mine, theirs = record.configuration.parameters, reference.configuration.parameters
    differs = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
    if not differs:
        if not record.configuration.train_also:
            return paper.reference.name
        return None if paper.pooled is None else paper.pooled.name
    if record.configuration.train_also:
        return None
    for arm in paper.variants:
        same = all(str(mine.get(name)) == value for name, value in arm.changes.items() if name not in arm.free)
        if differs == set(arm.changes) and same:
            return arm.name
    small, large = (r.facts.get("parameters") for r in (reference, record))
    if paper.larger is None or not (isinstance(small, int) and isinstance(large, int) and small < large):
        return None
    return paper.larger.name if all(map(paper.is_of_base, differs)) else None


def _seeds(records: Sequence[RecordHead]) -> set[int]:
    return {record.configuration.seed for record in records}


def _prior(models: Sequence[Seeds[AnyHead]], paper: Paper, asked_for: set[int]) -> dict[Key, Seeds[AnyHead]]:
    """(arm, task) -> records of the prior models, those with one of the seeds asked for."""
    found: dict[Key, Seeds[AnyHead]] = {}
    for seeds in models:
        asked = seeds[0].configuration
        for arm in paper.prior:
            same = asked.model == arm.model and (asked.pretrain is not None) == arm.pretrained
            if same and not asked.train_also and _seeds(seeds) & asked_for:
                before = found.get((arm.name, asked.task))
                if before is None or before[0].configuration.changed or not asked.changed:
                    found[arm.name, asked.task] = seeds
    return found
