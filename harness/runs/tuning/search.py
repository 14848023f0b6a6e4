"""A search: trial after trial by Optuna, kept in the cache under a name that follows from the request.

The first trial is the model as it comes. What is tried next depends on the seed and on the trials that are done, not on
the process that asks, so that a search that was stopped goes on as it would have (with one job: to the same trials).
Only this process reads and writes the search; those that make its trials know nothing of it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.errors import HarnessError, RequestError
from harness.runs.request import RunRequest
from harness.runs.tuning.makers import ChildProcess, OwnProcess, TrialMaker
from harness.runs.tuning.space import ChoiceAxis, NumberAxis, Space, as_text, held_by
from harness.runs.tuning.trial import FitGivenUpError, Trials
from harness.system.files import locked

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

ONLY, TRIED = "only", "values"  # attributes of a trial: the parameters that it is to try, and what it did try
STARTUP = 10  # trials at random, before the sampler learns from those that are done


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """One trial of a search as it is told.

    state: done; given up, because its validation curve was poor; or failed, for the reason in ``error``. values: the
    parameters that were tried, as --set takes them. Perplexity of the validation split with its standard error, and
    seconds of the fit and the scoring, of those that are done.
    """

    number: int
    state: Literal["done", "given up", "failed"]
    values: Mapping[str, str]
    perplexity: float | None = None
    standard_error: float | None = None
    seconds: float | None = None
    error: str | None = None


Tell = Callable[[TrialOutcome], None]


@dataclass(frozen=True, kw_only=True)
class ParameterSearch:
    """A search of a space. count: trials in all, those of earlier commands included. seconds: after which none begins.

    jobs: trials at a time. prune: whether poor validation curves end a trial.
    """

    trials: Trials
    space: Space
    count: int
    seconds: float | None = None
    jobs: int = 1
    prune: bool = True
    tell: Tell = field(default=lambda outcome: None)
    _lock: Lock = field(default_factory=Lock)  # between threads that wait for trials

    @cached_property
    def name(self) -> str:
        """The search's name: the same request, data and code have the same."""
        trials = self.trials
        axes = {name: str(axis) for name, axis in sorted(self.space.items())}
        asked = [trials.run({}).configuration(trials.task).id(), axes, self.prune]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        return f"{trials.spec.name}-{trials.task.key}-{digest[:16]}"

    @property
    def path(self) -> Path:
        """The file that keeps it."""
        return self.trials.workshop.cache / "searches" / f"{self.name}.log"

    def run(self) -> list[TrialOutcome]:
        """Make the trials that are missing; all of them, in their order.

        RequestError where another process is at this search.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.with_suffix(".lock")) as alone:
            if not alone:
                raise RequestError(f"another process is at this search ({self.path}): wait for it, or ask for another")
            study = self._opened()
            self._requeue(study)
            with self._makers() as makers:
                self._make_all(study, makers)
            return [_outcome(trial) for trial in _finished(study)]

    def _opened(self) -> Study:
        """The search as it was left. RequestError where its file is damaged."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _mend(self.path)
        # A curve is compared with those of five trials, from its second validation on.
        pruner = optuna.pruners.MedianPruner(5, 1) if self.prune else optuna.pruners.NopPruner()
        try:
            storage = JournalStorage(JournalFileBackend(str(self.path)))
            return optuna.create_study(study_name=self.name, storage=storage, pruner=pruner, load_if_exists=True)
        except (ValueError, KeyError, TypeError) as error:
            raise RequestError(f"{self.path}: damaged ({error}); remove it to search anew") from error

    def _requeue(self, study: Study) -> None:
        """Close what was under way when the search was stopped, and try it once more: its fit may have checkpoints.

        One whose values were not all drawn is drawn again, as it would have been, but for one that was asked for.
        """
        from optuna.trial import TrialState

        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
            if "error" in trial.user_attrs:  # it had failed, and only its end was not yet written
                continue
            if trial.params.keys() >= set(trial.user_attrs.get(ONLY, self.space)):
                _enqueue(study, trial.params)
            elif ONLY in trial.user_attrs:
                _enqueue(study, trial.system_attrs["fixed_params"])

    @contextmanager
    def _makers(self) -> Iterator[list[TrialMaker]]:
        jobs = min(self.jobs, self.count)
        makers: list[TrialMaker] = [ChildProcess(self.trials, jobs) for _ in range(jobs)] if jobs > 1 else []
        makers = makers or [OwnProcess(self.trials)]
        try:
            yield makers
        finally:
            for maker in makers:
                maker.close()

    def _make_all(self, study: Study, makers: list[TrialMaker]) -> None:
        """One trial for each maker at a time, until there are as many as were asked for, or no time is left."""
        end = None if self.seconds is None else time.monotonic() + self.seconds
        done = len(_finished(study))
        with self.trials.workshop.progress.bar(f"tuning {self.trials.spec.name}", self.count) as bar:
            bar.advance(done)
            if len(makers) == 1:  # in this thread, where an interrupt arrives
                while done < self.count and not _is_over(end):
                    self._make(study, makers[0], self._asked(study, done))
                    done += 1
                    bar.advance()
                return
            with ThreadPoolExecutor(len(makers)) as pool:
                try:
                    free, under_way = list(makers), dict[Future[None], TrialMaker]()
                    while under_way or (done < self.count and not _is_over(end)):
                        while free and done + len(under_way) < self.count and not _is_over(end):
                            maker = free.pop()
                            trial = self._asked(study, done + len(under_way))
                            under_way[pool.submit(self._make, study, maker, trial)] = maker
                        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                            free.append(under_way.pop(future))
                            future.result()
                            done += 1
                            bar.advance()
                finally:  # threads wait for what these answer
                    for maker in makers:
                        maker.close()

    def _asked(self, study: Study, before: int) -> Trial:
        """The next trial. before: how many are done or under way."""
        import optuna
        from optuna.trial import TrialState

        with self._lock:
            seed = int(np.random.SeedSequence((self.trials.request.seed, before)).generate_state(1)[0])
            study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=self.jobs > 1)
            if before == 0 and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                _enqueue(study, self._defaults())
            trial = study.ask()
            for name in trial.user_attrs.get(ONLY, self.space):
                _suggest(trial, name, self.space[name])
            return trial

    def _defaults(self) -> dict[str, Any]:
        """The values of the model as it comes that lie in the space."""
        plain = self.trials.run({}).params.model_dump(mode="json")
        held = {name: held_by(axis, plain[name]) for name, axis in self.space.items()}
        return {name: value for name, value in held.items() if value is not None}

    def _make(self, study: Study, maker: TrialMaker, trial: Trial) -> None:
        """Make a trial, keep it and tell of it."""
        from optuna.trial import TrialState

        values = {name: as_text(value, self.space[name]) for name, value in trial.params.items()}

        def report(step: int, loss: float) -> bool:
            with self._lock:
                trial.report(loss, step)
                return not trial.should_prune()

        state, loss = TrialState.COMPLETE, None
        attributes: dict[str, Any] = {TRIED: values}
        try:
            result = maker.measure(values, report)
            loss = result.loss
            attributes |= {name: getattr(result, name) for name in ("perplexity", "standard_error", "seconds")}
        except FitGivenUpError:
            state = TrialState.PRUNED
        except HarnessError as error:
            state, attributes["error"] = TrialState.FAIL, str(error)
        with self._lock:
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            kept = study.tell(trial, loss, state=state)
            self.tell(_outcome(kept))


def _mend(path: Path) -> None:
    """Remove what a kill left of a line that was being written, and of the lock that it was written under."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def _is_over(end: float | None) -> bool:
    return end is not None and time.monotonic() >= end


def _enqueue(study: Study, values: Mapping[str, Any]) -> None:
    """Have these values tried next, and of no other parameter any."""
    study.enqueue_trial(dict(values), user_attrs={ONLY: list(values)})


def _suggest(trial: Trial, name: str, axis: ChoiceAxis | NumberAxis) -> None:
    if isinstance(axis, ChoiceAxis):
        trial.suggest_categorical(name, axis.values)
    elif axis.whole:
        trial.suggest_int(name, int(axis.low), int(axis.high), log=axis.log)
    else:
        trial.suggest_float(name, axis.low, axis.high, log=axis.log)


def _finished(study: Study) -> list[FrozenTrial]:
    """Trials that came to an end of their own: one that failed says why, and one that was interrupted does not."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished() and _ended(trial)]


def _ended(trial: FrozenTrial) -> bool:
    return trial.state.name != "FAIL" or "error" in trial.user_attrs


def _outcome(trial: FrozenTrial) -> TrialOutcome:
    known = {"COMPLETE": "done", "PRUNED": "given up"}
    return TrialOutcome(
        number=trial.number,
        state=known.get(trial.state.name, "failed"),  # type: ignore[arg-type]
        values=trial.user_attrs[TRIED],
        **{name: trial.user_attrs.get(name) for name in ("perplexity", "standard_error", "seconds", "error")},
    )


def best_of(outcomes: list[TrialOutcome]) -> TrialOutcome | None:
    """The trial of the lowest validation perplexity, the first of several; None where none came to an end."""
    done = [one for one in outcomes if one.perplexity is not None]
    return min(done, key=lambda one: one.perplexity or 0.0, default=None)


def request_of(trials: Trials, best: TrialOutcome) -> RunRequest:
    """The request that runs a trial's parameters on the whole panel, for ``harness run --config``."""
    asked = trials.request
    return RunRequest(
        panel=asked.panel,
        tasks=(asked.task,),
        task_parameters=asked.task_parameters,
        models={asked.model: {**asked.parameters, **best.values}},
        seed=asked.seed,
        device=asked.device,
    )
