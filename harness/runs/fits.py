"""The fit that all tasks of a run share: made once, kept in the cache under the run's fit name, loaded from there."""

from __future__ import annotations

import gc
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import RunError
from harness.model import Context, Estimator, ModelSpec
from harness.model.answers import blaming
from harness.model.contract import unreported
from harness.model.probe import Probe
from harness.panel import Corpus, Panel, in_memory
from harness.panel.pooling import open_apart, pool, require_apart
from harness.records.record import Configuration, now
from harness.runs.run import Run, fit_name
from harness.system import processes
from harness.system.cache import models_cache
from harness.system.files import unfinished
from harness.system.folders import damage, publishing, standing
from harness.system.machine import Cost, measured
from harness.system.progress import Progress, Silent
from harness.types import FloatArray


class DamagedFitError(RunError):
    """A fit of the cache that lost a file, or has another one than it was kept with."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model ready to be scored, with the cost of its fit.

    cost: its seconds count killed attempts up to their last checkpoint; its processor seconds are those of all
    processes of a launch, and not known where an attempt was killed, nor of fits that earlier versions kept.
    """

    model: Estimator
    cost: Cost
    facts: dict[str, Any]
    started: datetime
    isolated: bool = False


@dataclass(frozen=True, kw_only=True)
class Fits:
    """The fits of one cache folder.

    open_panel: opens the panel of a name or a path, for models that need a further one. anew: make a fit that is there
    once more. isolated: models live in processes of their own, and a fit must have been made in one. report: takes the
    validation losses of fits under way (``Context.report``).
    """

    cache: Path
    open_panel: Callable[[str], Panel]
    progress: Progress = field(default_factory=Silent)
    anew: bool = False
    isolated: bool = False
    report: Callable[[int, float], None] = unreported

    def folder(self, run: Run) -> Path:
        return self.cache / "fits" / run.fit_name

    def holds(self, run: Run) -> bool:
        """The run's fit is in the cache."""
        return self.folder(run).exists()

    def fit(self, run: Run, shared: bool = False) -> Fitted:
        """Load the run's fit from the cache, or make it, keep it there and read it back.

        So the model that is scored is always the one that is kept. shared: all processes of a launch make it together.
        RunError where the model breaks its contract, or answers otherwise once it is read back.
        """
        gc.collect()  # one model at a time is in memory: not that of the run before, whose parts may know each other
        name, folder = run.model.item.name, self.folder(run)
        stood = standing(folder)
        if stood is not None and not self.anew:
            try:
                kept = load(run.model.item, run.params, folder, run.device)
                if kept.isolated or not self.isolated:
                    return kept
                self.progress.note(f"{folder}: the fit kept there was not made isolated: it is made again")
            except DamagedFitError as error:
                self.progress.note(f"{error}: it is made again")
        probe = Probe(run.model.item, run.learned("valid"))
        made, before = self._make(run, probe, stood, shared)
        gc.collect()
        fitted = load(run.model.item, run.params, folder, run.device)
        # Of two processes at one fit the first one's is kept, and the second's goes unused: it has nothing to answer.
        if standing(folder) == made and (moved := probe.difference(before, fitted.model)) is not None:
            shutil.rmtree(folder)
            raise RunError(f"model '{name}' {moved}")
        if self.isolated and not fitted.isolated:
            raise RunError(f"{folder}: another process made this fit meanwhile, and not isolated; run it again")
        return fitted

    def _make(self, run: Run, probe: Probe, stood: int | None, shared: bool) -> tuple[int | None, FloatArray | None]:
        """Make a fit and keep it in place of what stood there; the folder that it is in, and its answers."""
        name, started = run.model.item.name, now()
        model = run.model.item.build(run.params)
        with unfinished(self.cache, run.fit_name, anew=self.anew) as scratch:
            with measured() as cost, blaming(name, "fit"):
                self._train(model, run, scratch.folder, shared)
            if shared:
                cost.processor_seconds = processes.total(cost.processor_seconds or 0.0)
            with blaming(name, "facts"):
                facts = json.loads(json.dumps(dict(model.facts())))
            fitted = Fitted(
                model=model,
                cost=Cost(scratch.seconds, None if scratch.seconds else 0.0) + cost,
                facts=facts,
                started=started,
                isolated=self.isolated,
            )
            made = _keep(name, fitted, self.folder(run), stood)
        return made, probe.answers(model)

    def help(self, run: Run) -> None:
        """Do this process's part of a fit that the main one keeps."""
        model = run.model.item.build(run.params)
        with (
            tempfile.TemporaryDirectory(prefix="harness-") as scratch,
            measured() as cost,
            blaming(run.model.item.name, "fit"),
        ):
            self._train(model, run, Path(scratch), shared=True)
        processes.total(cost.processor_seconds or 0.0)

    def _train(self, model: Estimator, run: Run, scratch: Path, shared: bool) -> None:
        also = pool(run.panel, run.train_also)
        if not run.model.item.streaming:
            also = tuple(map(in_memory, also))
        context = Context(
            seed=run.seed,
            scratch=scratch,
            cache=models_cache(self.cache),
            device=run.device,
            progress=self.progress,
            also=also,
            shared=shared,
            resumes=self._resumes(run),
            open_panel=partial(open_apart, self.open_panel, run.panel),
            teacher=None if run.teacher is None else run.teacher.item,
            report=self.report,
        )
        model.fit(run.learned("train"), run.learned("valid"), context)

    def _resumes(self, run: Run) -> Panel | Corpus | None:
        """The resumes of a run, none of which ``--data`` holds out; whole, where the model does not stream them.

        Of a corpus every shard is checked when it is read.
        """

        def check(resumes: Panel) -> None:
            require_apart(run.panel, resumes.part("train"), "--pretrain")

        if isinstance(run.resumes, Corpus):
            corpus = run.resumes.checked(check)
            return corpus if run.model.item.streaming else corpus.whole()
        if run.resumes is not None:
            check(run.resumes)
        return run.resumes


def _keep(name: str, fitted: Fitted, folder: Path, stood: int | None) -> int | None:
    """Save a fit beside its place and move it there, so that a half-written one is never loaded.

    In place of what stood there when it was begun, by ``standing``; what another process has put there since stays.
    The number of the folder that it was saved in.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with publishing(folder, instead_of=stood) as draft:
        made = standing(draft)
        (draft / "model").mkdir()
        with blaming(name, "save"):
            fitted.model.save(draft / "model")
        kept = asdict(fitted.cost) | {"facts": fitted.facts} | ({"isolated": True} if fitted.isolated else {})
        (draft / "fit.json").write_text(json.dumps(kept | {"started": fitted.started.isoformat()}), encoding="utf-8")
    return made


def load(spec: ModelSpec, params: Any, folder: Path, device: str) -> Fitted:
    """The fit that a folder of the cache holds, on a device.

    DamagedFitError where it is not as it was kept; RunError where the model cannot read it.
    """
    if (problem := damage(folder)) is not None:
        raise DamagedFitError(f"{folder}: the fit kept there is damaged ({problem})")
    kept = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    model = spec.build(params)
    with blaming(spec.name, "load"):
        model.load(folder / "model")
        model.place(device)
    started = datetime.fromisoformat(kept["started"])
    return Fitted(
        model=model,
        cost=Cost(kept["seconds"], kept.get("processor_seconds"), kept["peak_memory_mb"]),
        facts=kept["facts"],
        started=started,
        isolated=kept.get("isolated", False),
    )


def folder_of(configuration: Configuration, spec: ModelSpec, cache: Path) -> Path:
    """The folder of the fit behind a record, there or not."""
    return cache / "fits" / fit_name(configuration, spec)
