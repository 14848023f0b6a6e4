"""The kind of thing that a record is of: a model, the truth, an ensemble of finished runs, or a submitted file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from harness.records.evidence import EvidenceColumns
from harness.records.record import Record, RecordHead
from harness.stats.resampling import SurveyDesign

MIX = "mix"  # what the records of ensembles of finished runs call their model
CAUTIONS = "cautions"  # the fact that holds sentences on a panel whose figures may look better than models are
UNCHECKED_PARTS = "unchecked_parts"  # the fact of an ensemble that names those of its parts that are not checked


def is_submitted(record: RecordHead) -> bool:
    """True where the record's probabilities were made elsewhere, and read from a file."""
    return bool(record.facts.get("submitted"))


def is_run(record: RecordHead) -> bool:
    """True where a model was fitted and asked; neither submitted nor a mix."""
    return record.configuration.model != MIX and not is_submitted(record)


def is_mix_of_board(record: RecordHead) -> bool:
    """True of a mix of all the rows that its board had."""
    return record.configuration.model == MIX and record.configuration.parameters.get("of") == "board"


def is_checked(record: RecordHead) -> bool:
    """True where this harness asked a model for the probabilities, and showed it nothing of what it was asked about.

    False of what was submitted, which may have been made by anyone who had read the answers, and of an ensemble that
    has some of it among its parts.
    """
    return not is_submitted(record) and not record.facts.get(UNCHECKED_PARTS)


def unchecked_among(records: Iterable[RecordHead]) -> frozenset[str]:
    """Ids of the records that are not checked, and of the ensembles that one of these is a part of."""
    every = list(records)
    own = {record.id for record in every if not is_checked(record)}
    return frozenset(own | {record.id for record in every if own & set(record.facts.get("weights", ()))})


def is_mixable(record: RecordHead) -> bool:
    """True of what an ensemble can be made of: neither an ensemble itself, nor told the truth."""
    return record.configuration.model != MIX and not record.knows_truth


def is_ranked(record: RecordHead) -> bool:
    """True of a model that others are ranked against.

    False of an ensemble of finished runs, of a model that was told the truth, and of what nobody here checked.
    """
    return is_mixable(record) and is_checked(record)


def survey_design_of(record: Record) -> SurveyDesign | None:
    """The survey design that the record's persons were drawn by; None where each was drawn alone."""
    return design_of(record.evidence)


def design_of(evidence: EvidenceColumns) -> SurveyDesign | None:
    """The survey design that the persons of an evidence were drawn by; None where each was drawn alone."""
    if evidence.units is None and evidence.strata is None:
        return None
    units = evidence.units if evidence.units is not None else list(range(len(evidence.ids)))
    return SurveyDesign.of(units, evidence.strata)


def label(record: RecordHead, sizes: bool = True, seeded: bool = True) -> str:
    """The model, and in brackets the parameters that are not defaults, the seed and further panels included.

    sizes: also how many training persons, where not all. seeded: False of one that stands for several seeds.
    """
    asked = record.configuration
    changed = dict(asked.changed)
    if asked.seed and seeded:
        changed["seed"] = asked.seed
    parts = [f"{k}={in_a_line(v)}" for k, v in sorted(changed.items())] + [
        f"train also {p.name}" for p in asked.train_also
    ]
    parts += [f"{asked.train_persons:,} training persons"] if sizes and asked.train_persons else []
    parts += [f"pretrained on {asked.pretrain.name}"] if asked.pretrain else []
    return f"{asked.model} ({', '.join(parts)})" if parts else asked.model


def label_over_seeds(records: Sequence[RecordHead], sizes: bool = True) -> str:
    """The label of records that differ in their seed alone, which it says where there is one of them."""
    return label(records[0], sizes, seeded=len(records) == 1)


def in_a_line(value: Any) -> str:
    """A parameter's value in a line of text: a text of several lines by their number and 8 digits of its SHA-256."""
    said = str(value)
    lines = said.splitlines()
    return said if len(lines) < 2 else f"{len(lines)} lines, {hashlib.sha256(said.encode()).hexdigest()[:8]}"
