"""The probability that a run gave to every transition at risk: ensembles of finished runs are made from these.

Kept in the cache, one file a record, and never beside the records: these are published, what happened to a person in a
survey is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np

from harness.errors import RequestError, RunError
from harness.model.task import Task
from harness.panel.careers import Panel
from harness.records.evidence import EvidenceColumns, freeze
from harness.records.record import Record
from harness.records.slices import Levels, Slicing
from harness.stats.figures import Scores, gather
from harness.system.files import replacing
from harness.types import BoolArray, FloatArray, IntArray, StrArray

HELD_OUT: tuple[Literal["valid", "test"], ...] = ("valid", "test")  # the splits that predictions are kept of
ROUNDING = 1e-5  # nats that a person's log-likelihood may differ from what the record kept of it, to six decimals


@dataclass(frozen=True)
class Predictions:
    """The predictions of one run for the n transitions at risk of one split, in the panel's order.

    ids: str [P], the persons at risk. person: int64 [n], position among them. year: int32 [n], of the target record.
    log_prob: float64 [n], ln P(observed outcome). log_event, happened: float64 and bool [n], ln P(event) and whether it
    did; of binary tasks alone. weight: float64 [n], what each transition counts for; of weighted panels alone.
    origin, state: int32 [n], where each transition came from (-1: nowhere) and went to, positions among the K
    ``titles``; slicing: what else is known of it; kept of the test split.
    """

    ids: StrArray
    person: IntArray
    year: IntArray
    log_prob: FloatArray
    log_event: FloatArray | None = None
    happened: BoolArray | None = None
    weight: FloatArray | None = None
    origin: IntArray | None = None
    state: IntArray | None = None
    titles: StrArray | None = None
    slicing: Slicing | None = None

    @classmethod
    def of(cls, task: Task, panel: Panel, scores: Scores, slicing: Slicing | None = None) -> Predictions:
        """The predictions behind the scores of a whole split. RunError where these are of other transitions.

        slicing: of the transitions at risk in the split, where what is known of each is to be kept as well.
        """
        transitions = task.transitions(panel)
        if not np.array_equal(panel.person[transitions], scores.person):
            raise RunError(
                f"task '{task.key}' puts other transitions at risk when it is shown fewer persons at a time: its "
                "at_risk rule must look at each transition's own career alone"
            )
        here, person = np.unique(scores.person, return_inverse=True)
        ids = panel.persons[here].astype(str)
        year = panel.year[transitions].astype(np.int32)
        known = {} if slicing is None else _known(panel, transitions, slicing, here)
        return cls(
            ids=ids,
            person=person.astype(np.int64),
            year=year,
            log_prob=scores.log_prob,
            log_event=scores.log_event,
            happened=scores.happened,
            weight=scores.weight,
            **known,
        )

    def scores(self) -> Scores:
        """Scores as ``harness.stats.figures`` takes them, with ``ids`` for the panel's persons."""
        return Scores(
            persons=len(self.ids),
            log_prob=self.log_prob,
            person=self.person,
            log_event=self.log_event,
            happened=self.happened,
            weight=self.weight,
        )

    def evidence(self) -> EvidenceColumns:
        """The evidence that a record keeps of them, ranks apart."""
        return freeze(gather(self.scores(), self.ids.tolist()))

    def counts(self) -> FloatArray:
        """float64 [n]: the weight that each transition counts with."""
        return np.ones(len(self.person)) if self.weight is None else self.weight

    def same_transitions(self, other: Predictions) -> bool:
        """True where both are of the same transitions, which count for the same and ended in the same."""
        names = ("ids", "person", "year", "happened", "weight")
        return all(_equal(getattr(self, name), getattr(other, name)) for name in names)


def _known(split: Panel, transitions: IntArray, slicing: Slicing, here: IntArray) -> dict[str, Any]:
    """Fields on the transitions of a split, beside their probabilities. here: positions of the persons at risk."""
    return {
        "origin": split.origin(transitions).astype(np.int32),
        "state": split.state[transitions].astype(np.int32),
        "titles": np.array(split.occupations.titles, dtype=str),
        "slicing": replace(slicing, group=slicing.group[here]),
    }


def _equal(mine: Any, other: Any) -> bool:
    return np.array_equal(mine, other) if mine is not None and other is not None else mine is other


def folder_of(cache: Path) -> Path:
    """The folder of a cache that keeps the predictions of all runs."""
    return cache / "probabilities"


def path_of(cache: Path, record_id: str) -> Path:
    """The file of a run's predictions in the cache, there or not."""
    return folder_of(cache) / f"{record_id}.npz"


def covers_valid(cache: Path, record: Record) -> bool:
    """True where the cache keeps predictions of the validation split too: of a run once a mixture has asked for them,
    of a submission where its file covered it. A file that cannot be read counts, so that reading it says what is wrong.
    """
    try:
        with ZipFile(path_of(cache, record.id)) as file:
            return any(name.startswith("valid.") for name in file.namelist())
    except Exception:  # noqa: BLE001 - as in ``load``, which says so
        return True


def save(cache: Path, record: Record, predictions: Mapping[str, Predictions]) -> None:
    """Keep predictions of the test split, and of the validation split where they are there; whole or not at all.

    RunError where the cache cannot be written.
    """
    path = path_of(cache, record.id)
    content: dict[str, Any] = {"about": np.array(json.dumps(_about(record)))}
    for split, of in predictions.items():
        for field in fields(Predictions):
            values = getattr(of, field.name)
            if isinstance(values, Slicing):
                content |= {f"{split}.{name}": array for name, array in _of_slicing(values).items()}
            elif values is not None:
                content[f"{split}.{field.name}"] = values
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez_compressed(file, **content)
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written ({error.strerror}); HARNESS_CACHE names another folder for the cache"
        ) from error


def load(cache: Path, record: Record) -> dict[str, Predictions]:
    """The predictions of the record's run: 'test', and 'valid' where the cache has them (``covers_valid``).

    RequestError where the cache does not hold it, where the file is damaged or another run's, and where it does not
    add up to the record's evidence.
    """
    path = path_of(cache, record.id)
    if not path.exists():
        raise RequestError(f"{path}: what run {record.id} said of each transition is not on this machine; run it again")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        about = json.loads(str(content.pop("about")))
        splits = [split for split in HELD_OUT if split == "test" or any(n.startswith(f"{split}.") for n in content)]
        predictions: dict[str, Predictions] = {split: _read(content, split) for split in splits}
    except Exception as error:
        why = "no file of arrays" if "pickle" in str(error) else error  # numpy goes on to say how to trust it
        raise RequestError(f"{path}: damaged ({why}); remove it and run it again") from error
    if about != _about(record):
        raise RequestError(f"{path}: says it is of {about}, not of {_about(record)}; remove it and run it again")
    if not _adds_up(predictions["test"].evidence(), record.evidence):
        raise RequestError(
            f"{path}: its probabilities do not add up to the evidence of record {record.id}, so one of the two files "
            "was changed; run it again with --force"
        )
    return predictions


def _about(record: Record) -> dict[str, Any]:
    asked = record.configuration
    return {
        "record": record.id,
        "panel": asked.panel.fingerprint,
        "task": asked.task,
        "task_version": asked.task_version,
    }


def _of_slicing(slicing: Slicing) -> dict[str, Any]:
    """As arrays with names of their own."""
    arrays: dict[str, Any] = {"group": slicing.group}
    for i, (dimension, levels) in enumerate(slicing.levels.items()):
        arrays[f"slice.{i}.names"] = np.array([dimension, *levels.names], dtype=str)
        arrays[f"slice.{i}.of"] = levels.of
    return arrays


def _slicing(columns: dict[str, Any]) -> Slicing | None:
    """The slicing among the arrays, which are taken out of them; None where there is none."""
    group, levels = columns.pop("group", None), {}
    for i in range(sum(name.startswith("slice.") for name in columns) // 2):
        dimension, *names = columns.pop(f"slice.{i}.names").tolist()
        levels[dimension] = Levels(tuple(names), columns.pop(f"slice.{i}.of"))
        if len(levels[dimension].of) and not 0 <= levels[dimension].of.min() <= levels[dimension].of.max() < len(names):
            raise ValueError(f"a transition has no level of {dimension}")
    return None if group is None else Slicing(levels, group)


def _read(content: Mapping[str, Any], split: str) -> Predictions:
    """The predictions of one split. ValueError or KeyError where the arrays are none."""
    columns = {name.split(".", 1)[1]: values for name, values in content.items() if name.startswith(f"{split}.")}
    missing = {"ids", "person", "year", "log_prob"} - set(columns)
    if missing:
        raise ValueError(f"no {', '.join(sorted(missing))} of the {split} split")
    slicing = _slicing(columns)
    made = Predictions(**{field.name: columns.get(field.name) for field in fields(Predictions)} | {"slicing": slicing})  # type: ignore[arg-type]
    lengths = {len(values) for name, values in columns.items() if name not in ("ids", "titles")}
    if slicing is not None:
        lengths |= {len(levels.of) for levels in slicing.levels.values()}
    if len(lengths) != 1 or (len(made.person) and not 0 <= made.person.min() <= made.person.max() < len(made.ids)):
        raise ValueError(f"the columns of the {split} split do not fit one another")
    if not np.isfinite(made.log_prob).all():
        raise ValueError(f"a log-probability of the {split} split is not finite")
    return made


def _adds_up(mine: EvidenceColumns, kept: EvidenceColumns) -> bool:
    if not mine.model_copy(update=kept.drawn).same_transitions(kept):
        return False
    return np.allclose(mine.log_likelihood, kept.log_likelihood, rtol=1e-9, atol=ROUNDING)
