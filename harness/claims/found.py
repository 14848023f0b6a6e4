"""The claims as record files bear them out: no model, no panel, and no memory of what was asked for.

A panel's fine-tuned language model is the configuration of it that most other arms differ from in what makes them arms
alone: in the tuning, in codes for titles, in the base, in further panels. Where two have as many, the newest counts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.claims.paper import (
    CLAIMS,
    CODES,
    LANGUAGE_MODEL,
    LARGER,
    POOLED,
    PRIOR,
    SHOTS,
    TUNED,
    UNTUNED,
    is_of_base,
)
from harness.claims.verdict import Verdict, judge
from harness.records.kinds import is_submitted, label
from harness.records.record import Configuration, Head, PanelFacts, Record
from harness.records.store import Store, panel_folder, slug

NO_RECORD = "no record of it"
Key = tuple[str, str]
AnyRecord = TypeVar("AnyRecord", bound=Head)


@dataclass(frozen=True)
class Page:
    """The verdicts on a panel. folder: of its boards. language_model: the fine-tuned one, as boards call it.
    base: what it starts from.
    """

    panel: PanelFacts
    folder: str
    language_model: str
    base: str | None
    seed: int
    verdicts: tuple[Verdict, ...]


def from_records(records: Iterable[Record]) -> list[Page]:
    """A page for every panel that a fine-tuned language model was run on beside something that a claim compares.

    Of records of one request the newest counts, as does a task's newest version; runs on some of the training persons,
    and what was submitted, do not. Prior models are those run with their defaults, or else the newest.
    """
    return [_page(folder, found) for folder, found in _compared(records)]


def in_store(store: Store) -> list[Page]:
    """As ``from_records`` of all records of a folder, of which those alone are read whole that a page compares."""
    paths = store.paths()
    of_model = {path.parent for path in paths if f"-{slug(LANGUAGE_MODEL)}-" in path.name}
    heads = {path: store.head(path) for path in paths if path.parent in of_model}
    path_of = {id(head): path for path, head in heads.items()}
    return [
        _page(folder, {key: store.read(path_of[id(head)]) for key, head in found.items()})
        for folder, found in _compared(heads.values())
    ]


def _compared(records: Iterable[AnyRecord]) -> Iterator[tuple[str, dict[Key, AnyRecord]]]:
    """The folder of each page, and (arm, task) -> record of what it compares."""
    panels: dict[Key, list[AnyRecord]] = defaultdict(list)
    prints: dict[str, set[str]] = defaultdict(set)
    for record in records:
        panel = record.configuration.panel
        prints[panel.name].add(panel.fingerprint)
        if record.configuration.train_persons is None and not is_submitted(record):
            panels[panel.name, panel.fingerprint].append(record)
    for (name, _), group in sorted(panels.items()):
        newest = _newest(group)
        found = max(_candidates(newest), key=_completeness, default={})
        alone = len(found)
        if tuned := next((record for (arm, _), record in found.items() if arm == TUNED.name), None):
            found = {**_prior(newest, tuned.configuration.seed), **found}
        if len(found) > alone or any(arm != TUNED.name for arm, _ in found):
            yield panel_folder(group[0].configuration.panel, alone=len(prints[name]) == 1), found


def _newest(records: Iterable[AnyRecord]) -> list[AnyRecord]:
    """The newest record of each request, of the newest version of each task, the newest of all last."""
    ordered = sorted(records, key=_age)
    latest: dict[str, AnyRecord] = {}
    versions: dict[str, int] = {}
    for asked in (record.configuration for record in ordered):
        versions[asked.task] = max(asked.task_version, versions.get(asked.task, 0))
    for record in ordered:
        if record.configuration.task_version < versions[record.configuration.task]:
            continue
        key = record.configuration.key()
        latest.pop(key, None)
        latest[key] = record
    return list(latest.values())


def _age(record: Head) -> tuple[Any, str]:
    return record.measured.finished, record.id


def _page(folder: str, found: Mapping[Key, Record]) -> Page:
    own = max((record for (arm, _), record in found.items() if arm == TUNED.name), key=_age)
    whole: dict[Key, Record | str] = {
        (arm.name, claim.task): found.get((arm.name, claim.task), NO_RECORD) for claim in CLAIMS for arm in claim.arms()
    }
    asked, verdicts = own.configuration, tuple(judge(claim, whole) for claim in CLAIMS)
    return Page(asked.panel, folder, label(own), own.facts.get("base"), asked.seed, verdicts)


def _completeness(found: Mapping[Key, Head]) -> tuple[Any, ...]:
    """How many arms there are, in how many tasks, and how new the fine-tuned model is."""
    newest = max(_age(record) for (arm, _), record in found.items() if arm == TUNED.name)
    return len({arm for arm, _ in found}), len(found), newest


def _candidates(records: Sequence[AnyRecord]) -> Iterator[dict[Key, AnyRecord]]:
    """For every fine-tuned language model (arm, task) -> record, of its arms and itself; the newest where several may.

    Arms of one model agree in all that is not an arm's to change, so only those that do are held against each other.
    """
    alike: dict[str, list[AnyRecord]] = defaultdict(list)
    for record in records:
        asked = record.configuration
        if asked.model == LANGUAGE_MODEL and asked.pretrain is None:
            kept = {name: value for name, value in asked.parameters.items() if not _is_an_arms(name)}
            alike[json.dumps([asked.seed, kept], sort_keys=True)].append(record)
    for group in alike.values():
        tuned = {json.dumps(r.configuration.parameters, sort_keys=True): r for r in group if _is_tuned(r.configuration)}
        for reference in tuned.values():
            found: dict[Key, AnyRecord] = {}
            for record in group:
                if role := _role(record, reference):
                    found[role, record.configuration.task] = record
            yield found


def _is_tuned(asked: Configuration) -> bool:
    return (
        asked.parameters.get("tuning") != "none" and asked.parameters.get("titles") != "codes" and not asked.train_also
    )


def _is_an_arms(name: str) -> bool:
    return is_of_base(name) or any(name in arm.changes for arm in (UNTUNED, SHOTS, CODES))


def _role(record: Head, reference: Head) -> str | None:
    """The arm that a record of the language model is beside this fine-tuned one, or None."""
    mine, theirs = record.configuration.parameters, reference.configuration.parameters
    differs = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
    if not differs:
        return POOLED.name if record.configuration.train_also else TUNED.name
    if record.configuration.train_also:
        return None
    for arm in (UNTUNED, SHOTS, CODES):
        same = all(mine.get(name) == value for name, value in arm.changes.items() if name != "shots")
        if differs == set(arm.changes) and same:
            return arm.name
    small, large = (r.facts.get("parameters") for r in (reference, record))
    if isinstance(small, int) and isinstance(large, int) and small < large and all(map(is_of_base, differs)):
        return LARGER.name
    return None


def _prior(records: Sequence[AnyRecord], seed: int) -> dict[Key, AnyRecord]:
    """(arm, task) -> record of the prior models."""
    found: dict[Key, AnyRecord] = {}
    for record in records:
        asked = record.configuration
        for arm in PRIOR:
            same = asked.model == arm.model and (asked.pretrain is not None) == arm.pretrained and asked.seed == seed
            if same and not asked.train_also:
                before = found.get((arm.name, asked.task))
                if before is None or before.configuration.changed or not asked.changed:
                    found[arm.name, asked.task] = record
    return found
