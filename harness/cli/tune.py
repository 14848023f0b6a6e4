"""harness tune: a model's parameters, searched on the validation split."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import console
from harness.cli.options import (
    AlsoOption,
    DeviceOption,
    JsonOption,
    PretrainOption,
    SeedOption,
    SetOption,
    TimeLimitOption,
)
from harness.cli.panels import reads_careers
from harness.cli.workshop import workshop_of
from harness.errors import RequestError, RunError, require_installed
from harness.model import ModelSpec, missing_modules
from harness.model.params import pairs, parse
from harness.registry import Registry
from harness.runs.isolation.hiding import hidden_paths
from harness.runs.request import PanelRequest, entries_of, to_yaml
from harness.system.files import require_writable_folder, write_atomically
from harness.system.words import counted

if TYPE_CHECKING:
    from harness.runs.tuning.search import ParameterSearch, TrialOutcome
    from harness.runs.tuning.space import Space

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # seconds
SHOWN = 5  # of the best trials
INSTALL = "pip install 'labor-harness[tune]'"
OPTIMISM = (
    "the validation figure of the best of many trials is too good: part of its lead is luck, and the model may have "
    "stopped its training on the same persons; the test split, which no trial has read, measures its worth"
)


@reads_careers
def tune(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    model: Annotated[str, typer.Argument(help="The model's name.")],
    task: Annotated[str, typer.Option(help="The task whose validation perplexity is made small.")] = "next_occ",
    trials: Annotated[int, typer.Option(help="Trials in all, those of earlier commands included.", min=1)] = 50,
    timeout: Annotated[
        str | None,
        typer.Option(help="Begin no trial after so much time: 30m, 2h, seconds without a unit.", metavar="TIME"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="Trials at a time, each in a process; processors are shared out.", min=1)
    ] = 1,
    search: Annotated[
        Path | None, typer.Option(help="YAML file of the values to try, in place of the model's own ranges.")
    ] = None,
    attempt: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            help="Values to try, in place of the model's own ranges: NAME=low..high, NAME=low..high:log, NAME=a,b,c. "
            "Repeatable.",
            metavar="NAME=VALUES",
        ),
    ] = None,
    settings: SetOption = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    time_limit: TimeLimitOption = None,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Let every trial end, however poor it looks.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The request file of the best parameters; MODEL-TASK-tuned.yaml where left out."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search a model's parameters on the validation split.

    They are judged by its perplexity; the test split is never read. The same command goes on where it was stopped. The
    best parameters are left in a request file for harness run --config.
    """
    registry: Registry = context.obj
    require_installed("harness tune", missing_modules(("optuna",)), INSTALL)
    from harness.runs.tuning.search import ParameterSearch, best_of, request_of
    from harness.runs.tuning.space import describe
    from harness.runs.tuning.trial import Trials, TuneRequest

    given = parse(settings or [], [model])
    spec, fixed = registry.model(model).item, dict(given.models[model])
    space = _space(spec, search, attempt or [], fixed)
    also = {"train_also": tuple(train_also or ()), "pretrain": pretrain, "parameters": dict(given.data)}
    asked = TuneRequest(
        panel=panel.model_copy(update=also),
        task=task,
        task_parameters=dict(given.task),
        model=model,
        parameters=fixed,
        seed=seed,
        device=device,
    )
    hidden = hidden_paths(registry, asked.panel.sources)
    workshop = replace(workshop_of(context, records), time_limit=time_limit, hidden=hidden)
    made = ParameterSearch(
        trials=Trials.of(asked, workshop),
        space=space,
        count=trials,
        seconds=None if timeout is None else seconds_of(timeout),
        jobs=jobs,
        prune=not no_prune,
        tell=lambda outcome: console.say(_line(outcome)),
    )
    target = out or Path(f"{model}-{task}-tuned.yaml")
    require_writable_folder(target.parent)
    console.say(f"searching {'; '.join(describe(space))} -> {made.path}")
    with console.told_if_stopped("trials that ended are kept, and the same command goes on"):
        outcomes = made.run()
    best = best_of(outcomes)
    if best is None:
        told = next((one.error for one in outcomes if one.error), "no time was left for one")
        raise RunError(f"no trial of '{model}' came to an end: {told}")
    write_atomically(target, to_yaml(request_of(made.trials, best)))
    _show(made, outcomes, best, as_json)
    console.say(f"-> {target}: harness run --config {target}")


def _space(spec: ModelSpec, search: Path | None, attempts: list[str], fixed: dict[str, str]) -> Space:
    """The space that the user gives, or else the model's own. RequestError where it makes no sense."""
    from harness.runs.tuning.space import given_space, space_of

    if search is not None and attempts:
        raise RequestError("--search and --try both name the values to search: leave one of them out")
    given: dict[str, Any] = pairs(attempts, "--try")
    if search is not None:
        given = {str(name): value for name, value in entries_of(search).items()}
    given = {name.removeprefix(f"{spec.name}."): value for name, value in given.items()}
    return given_space(spec, given, fixed) if given else space_of(spec, fixed)


def seconds_of(text: str) -> float:
    """Seconds of '90', '90s', '30m', '2h' or '1d'. RequestError for anything else."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text.strip())
    if match is None or not float(match.group(1)):
        raise RequestError(f"--timeout {text}: write a time such as 90s, 30m or 2h")
    return float(match.group(1)) * UNITS[match.group(2)]


def _line(outcome: TrialOutcome) -> str:
    """A trial in a line."""
    tried = " ".join(f"{name}={value}" for name, value in outcome.values.items()) or "as it comes"
    told: str = outcome.state
    if outcome.perplexity is not None:
        told = f"perplexity {_perplexity(outcome)} in {outcome.seconds:.1f} s"
    if outcome.error is not None:
        told = f"failed: {outcome.error}"
    return f"trial {outcome.number}: {told}: {tried}"


def _perplexity(outcome: TrialOutcome) -> str:
    error = outcome.standard_error
    return f"{outcome.perplexity:.4f}" + (f" ± {error:.4f}" if error is not None and not isnan(error) else "")


def _show(search: ParameterSearch, outcomes: list[TrialOutcome], best: TrialOutcome, as_json: bool) -> None:
    """The best trials, how the others ended, and what the figures are worth; as JSON, every trial."""
    if as_json:
        console.emit_json({"search": search.name, "best": asdict(best), "trials": [*map(asdict, outcomes)]})
        return
    done = sorted((one for one in outcomes if one.perplexity is not None), key=lambda one: one.perplexity or 0.0)
    names = list(search.space)
    headings = ["trial", "validation perplexity", "seconds", *names]
    rows = [
        [str(one.number), _perplexity(one), f"{one.seconds:.1f}", *(one.values.get(name, "default") for name in names)]
        for one in done[:SHOWN]
    ]
    panel = search.trials.panels.scored.name
    title = (
        f"{panel}: {search.trials.task.key}; {search.trials.spec.name}, the best of {counted(len(outcomes), 'trial')}"
    )
    console.table(headings, rows, right=[True, True, True], title=title)
    ended = {state: sum(one.state == state for one in outcomes) for state in ("given up", "failed")}
    first = outcomes[0]
    notes = [OPTIMISM]
    if first.perplexity is not None:
        notes.insert(
            0, f"the model as it comes, trial {first.number}: {_perplexity(first)}; the best: {_perplexity(best)}"
        )
    notes += [f"{count} {state}" for state, count in ended.items() if count]
    console.notes(notes)
