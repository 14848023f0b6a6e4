"""The schema of a record file: the request, its figures and cost, and the evidence that boards are computed from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    field_validator,
    model_validator,
)

from harness.records.evidence import SLACK, Closed, EvidenceColumns, Slices, Sparse, require_groups
from harness.stats.figures import METRICS, Evidence, Metric
from harness.system.machine import Cost, versions

SCHEMA_VERSION: Literal[1] = 1
FILE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"  # of a task: files are called after it


def _finite(value: Any) -> Any:
    """ValueError where a number anywhere in it is none that JSON has."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inside:
        _finite(part)
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no number of a record")
    return value


Content = Annotated[dict[str, Any], AfterValidator(_finite)]  # whatever a model, a panel or a plugin says


class PanelFacts(Closed):
    """The panel of a run: the name that boards use, SHA-256 of the contents, sizes, and how it came to be."""

    name: str = Field(min_length=1)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{12,64}$")
    persons: int = Field(ge=1)
    records: int = Field(ge=1)
    states: int = Field(ge=1)
    source: Content


class Configuration(Sparse):
    """The request. Its hash is the record's id, so an identical request has an identical id.

    task: the task's key. parameters: all of them, defaults included. changed: those that differ from the defaults.
    code: distribution, version and a digest of the sources that the numbers come from. train_also: further panels whose
    training careers were fitted too; pretrain: resumes that were learned from before; train_persons: how many of the
    training persons were fitted, where not all; contents: digests of what parameters only name, such as a folder, by
    parameter. What was not asked for, neither the id nor the file knows of.
    """

    unsaid = ("train_also", "pretrain", "train_persons", "contents")

    task: str = Field(pattern=FILE_NAME)
    task_version: int = Field(ge=1)
    model: str = Field(min_length=1)
    parameters: Content
    changed: Content
    panel: PanelFacts
    seed: int
    code: str
    train_also: tuple[PanelFacts, ...] = ()
    pretrain: PanelFacts | None = None
    train_persons: int | None = None
    contents: dict[str, str] = Field(default_factory=dict)

    def id(self) -> str:
        """16 hexadecimal digits over all of it, but for the panel's name and sizes: its fingerprint stands for them."""
        return digest(self._asked() | {"code": self.code})

    def key(self) -> str:
        """As ``id`` of what was asked, without the code: records with one key answer one question, the newest counts.

        A parameter at its default was not asked for: later code may have another default, or parameters that there were
        not, and its record stands in the place of the older one that boards call by the same name.
        """
        return digest(self._asked() | {"parameters": self.changed})

    def fit_id(self, scoring_params: Collection[str] = ()) -> str:
        """As ``id`` without the task and the parameters of scoring: records with one fit id share their fit."""
        fitted = {name: value for name, value in self.parameters.items() if name not in scoring_params}
        asked = self._asked() | {"code": self.code, "parameters": fitted}
        return digest({name: value for name, value in asked.items() if not name.startswith("task")})

    def _asked(self) -> dict[str, Any]:
        asked = self.model_dump(exclude={"panel", "changed", "code", *self.unsaid})
        if self.train_also:
            asked["train_also"] = [panel.fingerprint for panel in self.train_also]
        if self.pretrain:
            asked["pretrain"] = self.pretrain.fingerprint
        if self.train_persons:
            asked["train_persons"] = self.train_persons
        if self.contents:
            asked["contents"] = self.contents
        return asked | {"panel": self.panel.fingerprint}


class Mass(Closed):
    """Mean probability inside the choice set of a model whose rows may sum to less than one, over some transitions.

    standard_error: of that mean; None of a single transition, as log_error is.
    log_mean, log_error: mean ln of the same sums, in nats, and its standard error: minus what renormalising adds to the
    log-likelihood of a transition. tolerance: where every row was weighed, so that the record's figures are those of
    renormalised rows: the widest bounds on the ln of a row's sum, in nats. None where a sample was weighed and the
    figures are as the model said them.
    """

    mean: float = Field(ge=0, le=1 + SLACK)
    standard_error: float | None = Field(ge=0)
    transitions: int = Field(ge=1)
    log_mean: float | None = Field(None, le=SLACK)
    log_error: float | None = Field(None, ge=0)
    tolerance: float | None = Field(None, ge=0)


class Checked(Closed):
    """The spot check that a model passed in its run (``harness.model.spot_check``).

    transitions: how many were asked about masked; whole_rows: of these, in whole rows; alone: each by itself.
    isolated: it was fitted and asked in a process of its own, which never held the outcomes.
    """

    transitions: int = Field(ge=1)
    whole_rows: int = Field(ge=0)
    alone: int = Field(ge=0)
    isolated: bool = False

    @property
    def asked(self) -> tuple[int, int, int]:
        """The numbers of what was asked, which two runs of one request share."""
        return self.transitions, self.whole_rows, self.alone


class Measured(Sparse):
    """The cost and the machine of one run; the only part of a record that differs between two identical runs.

    fit_seconds, score_seconds: by the clock, others' work on the machine included. fit_processor_seconds,
    score_processor_seconds: of processors, of the run's process and those that it started; None in records that are
    older, and of a fit that was killed on its way. peak_memory_mb: of reading, fit and scores.
    """

    unsaid = ("fit_processor_seconds", "score_processor_seconds")

    fit_seconds: float = Field(ge=0)
    score_seconds: float = Field(ge=0)
    fit_processor_seconds: float | None = Field(None, ge=0)
    score_processor_seconds: float | None = Field(None, ge=0)
    peak_memory_mb: float = Field(ge=0)
    device: str
    cpu_count: int = Field(ge=1)
    platform: str
    versions: dict[str, str]
    started: AwareDatetime
    finished: AwareDatetime

    @field_validator("finished")
    @classmethod
    def _is_past(cls, value: datetime) -> datetime:
        """Machines' clocks may differ by a day: a later one makes a record the newest for good."""
        if value > now() + timedelta(days=1):
            raise ValueError(f"{value} is still to come")
        return value

    @classmethod
    def of(
        cls, fit: Cost, score: Cost, *, started: datetime, device: str = "cpu", needs: Sequence[str] = ()
    ) -> Measured:
        """A run on this machine that ends now.

        needs: modules, beside Python, numpy and the harness, whose versions are told.
        """
        return cls(
            fit_seconds=round(fit.seconds, 2),
            score_seconds=round(score.seconds, 2),
            fit_processor_seconds=_hundredths(fit.processor_seconds),
            score_processor_seconds=_hundredths(score.processor_seconds),
            peak_memory_mb=round((fit + score).peak_memory_mb, 1),
            device=device,
            cpu_count=os.cpu_count() or 1,
            platform=f"{platform.system()} {platform.machine()}",
            versions=versions(needs),
            started=started,
            finished=now(),
        )


def _hundredths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


class RecordHead(Sparse):
    """All of a record but its evidence: enough to say which records a board shows."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    configuration: Configuration
    outcomes: str
    sums_to_one: bool
    knows_truth: bool
    facts: Content
    figures: dict[str, float | None]
    mass: Mass | None = None
    checked: Checked | None = None
    measured: Measured


class Record(RecordHead):
    """One model, fitted and scored on one task of one panel with one seed.

    slices: the log-likelihood by what was known of a transition (``harness.records.slices``); None in records that are
    older.
    """

    unsaid = ("slices", "checked")

    evidence: EvidenceColumns
    slices: Slices | None = None

    @model_validator(mode="after")
    def _is_of_its_panel(self) -> Self:
        """ValueError for evidence of more persons or transitions than the panel has."""
        panel, here = self.configuration.panel, self.evidence
        if len(here.ids) > panel.persons:
            raise ValueError(f"evidence.ids: {len(here.ids)} persons of a panel of {panel.persons}")
        if sum(here.transitions) > panel.records:
            raise ValueError(f"evidence.transitions: {sum(here.transitions)} of a panel of {panel.records} records")
        require_groups(self.slices or {})
        return self

    def arrays(self, *only: str) -> Evidence:
        """The evidence as arrays, ready for ``harness.stats.figures`` and ``harness.stats.inference``.

        only: of what may be missing, the columns that are asked about; all of them where none is named.
        """
        wanted = only or [name for name in EvidenceColumns.model_fields if name != "ids"]
        columns = {name: getattr(self.evidence, name) for name in {"transitions", "log_likelihood", *wanted}}
        arrays: dict[str, Any] = {name: None if v is None else np.array(v) for name, v in columns.items()}
        return Evidence(ids=tuple(self.evidence.ids), **arrays)


def figures(record: Record, further: Iterable[Metric] = ()) -> dict[str, float | None]:
    """Every metric of a record, computed from the evidence as the record keeps it, to ten significant digits."""
    evidence = record.arrays()
    values = {metric.key: metric.compute(evidence) for metric in (*METRICS, *further)}
    return {key: None if value is None else float(f"{value:.10g}") for key, value in values.items()}


def digest(content: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of SHA-256 over canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def now() -> datetime:
    """The present millisecond, in UTC: of two records of one question, made in one second, one is the newer."""
    read = datetime.now(UTC)
    return read.replace(microsecond=read.microsecond // 1000 * 1000)
