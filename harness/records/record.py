"""Record files: what a run leaves behind, and all that leaderboards are computed from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import SerializerFunctionWrapHandler, ValidationError, model_serializer

from harness.errors import RequestError, RunError
from harness.records.evidence import Closed, EvidenceColumns, Slices
from harness.stats.figures import METRICS, Evidence, Metric
from harness.system.files import replacing

Known = TypeVar("Known", bound="Head")
SCHEMA_VERSION: Literal[1] = 1
OPTIONAL = ("train_also", "pretrain", "train_persons")  # of a configuration


class PanelFacts(Closed):
    """Which data: the name boards use, SHA-256 of the contents, sizes, and how the panel came to be."""

    name: str
    fingerprint: str
    persons: int
    records: int
    states: int
    source: dict[str, Any]


class Configuration(Closed):
    """What was asked. Its hash is the record's id, so an identical request has an identical id.

    task: the task's key. parameters: all of them, defaults included. changed: those that differ from the defaults.
    code: distribution, version and a digest of the sources that the numbers come from. train_also: further panels whose
    training careers were fitted too; pretrain: resumes that were learned from before; train_persons: how many of the
    training persons were fitted, where not all. What was not asked for, neither the id nor the file knows of.
    """

    task: str
    task_version: int
    model: str
    parameters: dict[str, Any]
    changed: dict[str, Any]
    panel: PanelFacts
    seed: int
    code: str
    train_also: tuple[PanelFacts, ...] = ()
    pretrain: PanelFacts | None = None
    train_persons: int | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name in OPTIONAL:  # what was not asked for is not said: older records read the same
            if not getattr(self, name):
                written.pop(name, None)
        return written

    def id(self) -> str:
        """16 hexadecimal digits over all of it, but for the panel's name and sizes: its fingerprint stands for them."""
        return digest(self._asked() | {"code": self.code})

    def key(self) -> str:
        """As ``id`` without the code's version: records with one key answer the same question, the newest counts."""
        return digest(self._asked())

    def fit_id(self, scoring_params: Collection[str] = ()) -> str:
        """As ``id`` without the task and the parameters of scoring: records with one fit id share their fit."""
        fitted = {name: value for name, value in self.parameters.items() if name not in scoring_params}
        asked = self._asked() | {"code": self.code, "parameters": fitted}
        return digest({name: value for name, value in asked.items() if not name.startswith("task")})

    def _asked(self) -> dict[str, Any]:
        asked = self.model_dump(exclude={"panel", "changed", "code", *OPTIONAL})
        if self.train_also:
            asked["train_also"] = [panel.fingerprint for panel in self.train_also]
        if self.pretrain:
            asked["pretrain"] = self.pretrain.fingerprint
        if self.train_persons:
            asked["train_persons"] = self.train_persons
        return asked | {"panel": self.panel.fingerprint}


class Mass(Closed):
    """Mean probability inside the choice set of a model whose rows may sum to less than one, over some transitions.

    log_mean, log_error: mean ln of the same sums, in nats, and its standard error: minus what renormalising adds to the
    log-likelihood of a transition. tolerance: where every row was weighed, so that the record's figures are those of
    renormalised rows: the widest bounds on the ln of a row's sum, in nats. None where a sample was weighed and the
    figures are as the model said them.
    """

    mean: float
    standard_error: float
    transitions: int
    log_mean: float | None = None
    log_error: float | None = None
    tolerance: float | None = None


class Measured(Closed):
    """What one run on one machine cost; the only part of a record that differs between two identical runs."""

    fit_seconds: float
    score_seconds: float
    peak_memory_mb: float
    device: str
    cpu_count: int
    platform: str
    versions: dict[str, str]
    started: datetime
    finished: datetime


class Head(Closed):
    """All of a record but its evidence: enough to say which records a board shows."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    configuration: Configuration
    outcomes: str
    sums_to_one: bool
    knows_truth: bool
    facts: dict[str, Any]
    figures: dict[str, float | None]
    mass: Mass | None = None
    measured: Measured


class Record(Head):
    """One model, fitted and scored on one task of one panel with one seed.

    slices: the log-likelihood by what was known of a transition (``harness.records.slices``); None in records that are
    older.
    """

    evidence: EvidenceColumns
    slices: Slices | None = None

    @model_serializer(mode="wrap")
    def _without_slices(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.slices is None:
            written.pop("slices", None)
        return written

    def arrays(self, *only: str) -> Evidence:
        """The evidence as arrays, ready for ``harness.stats.figures`` and ``harness.stats.inference``.

        only: of what may be missing, the columns that are asked about; all of them where none is named.
        """
        wanted = only or [name for name in EvidenceColumns.model_fields if name != "ids"]
        columns = {name: getattr(self.evidence, name) for name in {"transitions", "log_likelihood", *wanted}}
        arrays: dict[str, Any] = {name: None if v is None else np.array(v) for name, v in columns.items()}
        return Evidence(ids=tuple(self.evidence.ids), **arrays)


def is_submitted(record: Head) -> bool:
    """Whether the record's probabilities were made elsewhere, and read from a file."""
    return bool(record.facts.get("submitted"))


def figures(record: Record, further: Iterable[Metric] = ()) -> dict[str, float | None]:
    """Every metric of a record, computed from the evidence as the record keeps it, to ten significant digits."""
    evidence = record.arrays()
    values = {metric.key: metric.compute(evidence) for metric in (*METRICS, *further)}
    return {key: None if value is None else float(f"{value:.10g}") for key, value in values.items()}


def digest(content: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of SHA-256 over canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def slug(text: str) -> str:
    """A name as a file name: letters, digits, '.', '_' and '-', never empty and never hidden."""
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in text).strip(".-")
    return kept or "unnamed"


def panel_folder(panel: PanelFacts, alone: bool) -> str:
    """Where tables of a panel lie: its name, with how its fingerprint begins where another panel is called the same."""
    return slug(panel.name) if alone else f"{slug(panel.name)}-{panel.fingerprint[:8]}"


def now() -> datetime:
    """The present second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a crash leaves the old file. RunError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


class Store:
    """A folder of record files, one folder a panel: ``<folder>/<panel>/<task>-<model>-<id>.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, configuration: Configuration) -> Path:
        name = f"{configuration.task}-{slug(configuration.model)}-{configuration.id()}.json"
        return self.folder / slug(configuration.panel.name) / name

    def find(self, configuration: Configuration) -> Record | None:
        """The record of an identical request, or None."""
        path = self.path(configuration)
        return self.read(path) if path.exists() else None

    def write(self, record: Record) -> Path:
        path = self.path(record.configuration)
        write_atomically(path, to_text(record))
        return path

    def read(self, path: Path) -> Record:
        """RequestError where the file is no record, was edited, or has a schema this version does not know."""
        return _checked(path, Record, _bytes(path))

    def head(self, path: Path) -> Head:
        """As ``read``, of all but the evidence, which may be damaged still: in a tenth of the time.

        A file that was laid out by other hands is read whole.
        """
        content = _bytes(path)
        before, found, _ = content.partition(b',\n  "evidence": ')
        return _checked(path, Head, before + b"}") if found else self.read(path)

    def paths(self) -> list[Path]:
        """The record files, in order."""
        return sorted(self.folder.glob("*/*.json"))

    def all(self) -> list[Record]:
        """Every record in the folder, in the order of their paths."""
        return [self.read(path) for path in self.paths()]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: not a record file ({error.strerror})") from error


def _checked(path: Path, kind: type[Known], content: bytes) -> Known:
    """The content as what it should be. RequestError, naming the path and the first thing that is wrong, otherwise."""
    try:
        record = kind.model_validate_json(content)
    except ValidationError as error:
        raise RequestError(f"{path}: {_what_is_wrong(content, error)}") from error
    if record.id != record.configuration.id():
        raise RequestError(f"{path}: id {record.id} is not that of its configuration, {record.configuration.id()}")
    return record


def _what_is_wrong(content: bytes, error: ValidationError) -> str:
    try:
        plain = json.loads(content)
    except ValueError as broken:
        return f"not a record file ({broken})"
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if version != SCHEMA_VERSION:
        return f"record schema {version!r}; this version of harness reads {SCHEMA_VERSION}"
    first = error.errors()[0]
    return f"not a valid record: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def find_record(records: Iterable[Record], prefix: str) -> Record:
    """The one record whose id begins so. RequestError where there is none, or more than one."""
    matches = [record for record in records if record.id.startswith(prefix)]
    if len(matches) != 1:
        what = "no record's id begins" if not matches else f"{len(matches)} records' ids begin"
        raise RequestError(f"{what} with '{prefix}'; the boards' json lists the ids")
    return matches[0]


def to_text(record: Record) -> str:
    """JSON with a line for every entry and every list on one line, so that a difference can be read."""
    return _lines(record.model_dump(mode="json"), "") + "\n"


def _lines(value: object, indent: str) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    inner = indent + "  "
    entries = [f"{inner}{json.dumps(key)}: {_lines(item, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
