"""Scoring of one run by several processes: each has the fit as it is kept, and answers for some of the persons.

The test split is asked about in the same chunks of persons whoever answers, and what comes back is put together in the
order of the persons: the record is that of one process.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError, RunError
from harness.model import Estimator, ModelSpec, Task
from harness.model.scoring import chunk_records, score_chunk
from harness.panel import Panel
from harness.records import predictions
from harness.runs.execute import Workshop, require_own_code
from harness.runs.fits import Fitted, folder_of, load
from harness.runs.isolation.hiding import isolation_of
from harness.runs.isolation.model import isolated
from harness.runs.isolation.wire import Arrays, packed, unpacked
from harness.runs.run import Run
from harness.runs.scoring import scored_here
from harness.runs.study.cells import Cell, Ended, run_cells
from harness.runs.study.local import SideBySide
from harness.runs.study.place import WorkPlace
from harness.stats.figures import Scores
from harness.system.hidden_files import hidden_files, named_paths
from harness.system.processors import allowed
from harness.system.progress import Progress

WORK = f"{__name__}:score_shard"
RETRIES = 2  # times that persons are asked about again whose process was lost


@dataclass(frozen=True, kw_only=True)
class ShardedScoring:
    """A ``TaskScorer`` of ``jobs`` processes at a time, among which the processors are shared.

    cache: the one that holds the run's fit. hidden: files and folders that no model may open. isolated: each process
    has the model in a further one.
    """

    jobs: int
    cache: Path
    hidden: tuple[Path, ...] = ()
    isolated: bool = False

    def __call__(self, run: Run, fitted: Fitted, task: Task, progress: Progress) -> Scores:
        """RunError as the model has it, or where the processes of the same persons were lost again and again."""
        spec, test = run.model.item, run.panel.part("test")
        size = chunk_records(spec, fitted.model)
        jobs = min(self.jobs, sum(1 for _ in test.spans(size)))
        if jobs < 2:
            return scored_here(run, fitted, task, progress)
        parts: dict[int, Scores] = {}
        with progress.bar(f"{spec.name}: {task.key}", test.n_records) as bar:
            for ended in self._ended(run, task, size=size, jobs=jobs):
                first, records = ended.cell.told["first"], ended.cell.told["records"]
                assert ended.answer is not None
                if (part := _scores_of(ended.answer)) is not None:
                    parts[first] = replace(part, person=test.person[first] + part.person)
                bar.advance(records)
        return Scores.concat(test.n_persons, [parts[first] for first in sorted(parts)])

    def _ended(self, run: Run, task: Task, size: int, jobs: int) -> Iterator[Ended]:
        """Every shard, answered. One whose process was lost is asked about again, when all others are."""
        asked = {
            "model": run.model.item.name,
            "params": run.params.model_dump(mode="json"),
            "device": run.device,
            "fit": str(folder_of(run.configuration(task), run.model.item, self.cache)),
            "cache": str(self.cache),
            "task": task.name,
            "entry": task.entry,
            "hidden": [str(path) for path in self.hidden],
            "isolated": self.isolated,
        }
        left: Iterator[Cell] | Sequence[Cell] = _cells(asked, run.panel.part("test"), size)
        for attempt in range(RETRIES + 1):
            lost = []
            with closing(run_cells(left, SideBySide(jobs, max(1, int(allowed()) // jobs)))) as cells:
                for ended in cells:
                    if ended.fault == "lost" and attempt < RETRIES:
                        lost.append(ended.cell)
                    elif ended.fault:
                        raise _error(run.model.item, ended)
                    else:
                        yield ended
            left = lost
            if not left:
                return


def scored_by(jobs: int, workshop: Workshop) -> Workshop:
    """The workshop, whose runs are scored by so many processes. RequestError for fewer than one."""
    if jobs < 1:
        raise RequestError(f"score_jobs: {jobs} processes score nothing; ask for one or more")
    isolated = workshop.isolation is not None
    scoring = ShardedScoring(jobs=jobs, cache=workshop.cache, hidden=workshop.hidden, isolated=isolated)
    return replace(workshop, scorer=scoring) if jobs > 1 else workshop


def _cells(asked: Mapping[str, Any], test: Panel, size: int) -> Iterator[Cell]:
    """A shard each, made when there is room for it."""
    for chunk, first in test.chunks(size):
        head, arrays = packed(chunk)
        told = {**asked, "first": first, "records": chunk.n_records, "head": head, "panel": _as_text(arrays)}
        yield Cell(id=str(first), name=f"records from {first}", work=WORK, told=told)


def _error(spec: ModelSpec, ended: Ended) -> RequestError | RunError:
    if ended.fault == "lost":
        return RunError(
            f"model '{spec.name}' was scored by several processes, and {RETRIES + 1} of them were lost at the same "
            f"persons: {ended.error}"
        )
    return RequestError(ended.error) if ended.fault == "request" else RunError(ended.error)


def score_shard(told: Mapping[str, Any], place: WorkPlace) -> dict[str, Any]:
    """The scores of one shard, in its process. HarnessError as the fit, the model or the contract has it."""
    registry = place.registry
    hidden = tuple(map(Path, told["hidden"]))
    entry = registry.model(told["model"])
    params = entry.item.params.model_validate(told["params"])
    task: Task = registry.task(told["task"]).with_entry(told["entry"])
    chunk = unpacked(told["head"], _as_arrays(told["panel"]))
    unseen = (*hidden, predictions.folder_of(Path(told["cache"])))
    with hidden_files(f"model '{entry.item.name}'", unseen, named_paths(params.model_dump())):
        if told["fit"] not in place.kept:
            spec = isolated(entry, isolation_of(registry, hidden)).item if told["isolated"] else entry.item
            place.kept.clear()  # one model at a time is in memory
            place.kept[told["fit"]] = load(spec, params, Path(told["fit"]), told["device"]).model
        model: Estimator = place.kept[told["fit"]]
        scores = score_chunk(entry.item, model, task, chunk)
    require_own_code(entry, registry)
    return {} if scores is None else {"persons": scores.persons, "scores": _as_text(_columns(scores))}


def _columns(scores: Scores) -> Arrays:
    found = {field.name: getattr(scores, field.name) for field in fields(scores) if field.name != "persons"}
    return {name: values for name, values in found.items() if values is not None}


def _scores_of(answer: Mapping[str, Any]) -> Scores | None:
    return Scores(answer["persons"], **_as_arrays(answer["scores"])) if answer else None


def _as_text(arrays: Arrays) -> str:
    """Arrays without objects as text: what a cell is told and answers is JSON."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return base64.b64encode(content.getvalue()).decode("ascii")


def _as_arrays(text: str) -> dict[str, Any]:
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
