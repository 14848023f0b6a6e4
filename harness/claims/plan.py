"""Which runs the claims ask for on a panel, and making them: ordinary runs, each of which leaves its records.

What is finished is read from its record when it is asked for again, so an interrupted plan goes on where it stopped. An
arm that cannot be had costs the claims that need it, and no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from harness.claims.paper import BUILTIN_BASE, CLAIMS, LANGUAGE_MODEL, LARGER, SHOTS, Arm, Claim, is_of_base
from harness.errors import HarnessError, RequestError, did_you_mean
from harness.model.params import Settings, validate
from harness.model.task import Task
from harness.panel.careers import Panel
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.execute import Workshop, execute, is_known, why_empty
from harness.runs.run import Run
from harness.system import processes
from harness.system.machine import resolve_device

BUILTIN_LARGER = 1.5  # times as many layers: a third more parameters, and all of it in twenty minutes on two cores


@dataclass(frozen=True)
class Request:
    """What all arms share. settings: of each model, as --set has them. larger: what the larger base changes of the
    language model's. also: panels that pooling arms are trained on as well. resumes: what models are pre-trained on.
    shots: careers in the prompt of the arm that has examples.
    """

    panel: Panel
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    larger: Mapping[str, str] = field(default_factory=dict)
    also: tuple[Panel, ...] = ()
    resumes: Panel | None = None
    seed: int = 0
    device: str = "auto"
    shots: int = 3


@dataclass(frozen=True)
class Step:
    """A run to make, and for which claims. known: whether its records are there already. why_not: of each task that it
    cannot be asked, the reason; of all where there is no run.
    """

    arm: Arm
    claims: tuple[str, ...]
    run: Run | None
    known: bool
    why_not: Mapping[str, str]


def chosen(names: Sequence[str]) -> list[Claim]:
    """The claims of these names, all where there are none. RequestError for a name that is none."""
    known = {claim.name for claim in CLAIMS}
    for name in names:
        if name not in known:
            raise RequestError(f"no claim is called '{name}'; {did_you_mean(name, known)}")
    return [claim for claim in CLAIMS if not names or claim.name in names]


def require_arms(settings: Settings, larger: Mapping[str, str], registry: Registry) -> None:
    """RequestError where what is set is wrong, or would unmake the arms.

    settings: of models; a task has none here. larger: what makes the larger base of the language model's parameters.
    """
    if settings.task:
        raise RequestError(f"task.{next(iter(settings.task))}: the tasks of claims have no parameters; leave it out")
    fixed = {"tuning": "none", "titles": "codes"}
    own = settings.models.get(LANGUAGE_MODEL, {})
    for name, value in [*own.items(), *larger.items()]:
        if fixed.get(name) == value or name == "shots":
            raise RequestError(
                f"{LANGUAGE_MODEL}.{name}={value}: leave it out; claims compare the model with and without"
            )
    for name, value in larger.items():
        if not is_of_base(name):
            raise RequestError(
                f"--larger {name}={value}: it changes the base, such as --larger base=ORG/NAME, and no more"
            )
    for model, values in {**settings.models, LANGUAGE_MODEL: {**own, **larger}}.items():
        if model in registry.models:
            validate(registry.models[model].item.params, values, model)


def steps(claims: Sequence[Claim], request: Request, workshop: Workshop) -> list[Step]:
    """A step for every arm that the claims compare, those first that take the least time: prior models, then one base.

    RequestError for a device that cannot be used.
    """
    arms: dict[Arm, None] = {arm: None for claim in claims for arm in claim.arms()}
    order = sorted(arms, key=lambda arm: (arm.model == LANGUAGE_MODEL, arm.pools, arm == LARGER))
    return [_step(arm, [claim for claim in claims if arm in claim.arms()], request, workshop) for arm in order]


def _step(arm: Arm, claims: Sequence[Claim], request: Request, workshop: Workshop) -> Step:
    names = tuple(claim.name for claim in claims)
    tasks = [workshop.registry.task(name) for name in dict.fromkeys(claim.task for claim in claims)]
    try:
        why_not = _not_asked(arm, tasks, request, workshop.registry)
        able = tuple(task for task in tasks if task.key not in why_not)
        if not able:
            return Step(arm, names, None, False, why_not)
        run = _run(arm, able, request, workshop.registry)
    except HarnessError as error:
        return Step(arm, names, None, False, {task.key: str(error) for task in tasks})
    # A device that cannot be used is a wrong request, and not the arm's: it stops the plan.
    run = replace(run, device=resolve_device(request.device, run.model.item.needs))
    return Step(arm, names, run, all(is_known(run, task, workshop) for task in able), why_not)


def _not_asked(arm: Arm, tasks: Sequence[Task], request: Request, registry: Registry) -> dict[str, str]:
    """The tasks that nobody is at risk of, and those that the model does not predict, each with the reason."""
    predicts, reasons = registry.model(arm.model).item.predicts, {}
    for task in tasks:
        reason = why_empty(task, request.panel)
        if reason is None and predicts not in (None, task.name):
            reason = f"model '{arm.model}' predicts the outcome of task '{predicts}' alone"
        if reason is not None:
            reasons[task.key] = reason
    return reasons


def _run(arm: Arm, tasks: tuple[Task, ...], request: Request, registry: Registry) -> Run:
    """RequestError where what the arm needs is not here: its library, its panels, its parameters."""
    entry = registry.model(arm.model)
    if arm.pools and not request.also:
        raise RequestError("there is no panel of another population; name one with --train-also")
    if arm.pretrained and request.resumes is None:
        raise RequestError("there are no resumes to pre-train on; name a panel of them with --pretrain")
    settings = dict(request.settings.get(arm.model, {}))
    if arm == LARGER:
        settings |= _larger(settings, request, registry)
    settings |= arm.changes
    if arm == SHOTS:
        settings["shots"] = str(request.shots)
    params = validate(entry.item.params, settings, arm.model)
    return Run(
        model=entry,
        params=params,
        tasks=tasks,
        panel=request.panel,
        seed=request.seed,
        train_also=request.also if arm.pools else (),
        resumes=request.resumes if arm.pretrained else None,
    )


def _larger(settings: Mapping[str, str], request: Request, registry: Registry) -> Mapping[str, str]:
    """What makes the base larger: as asked for, or else more layers of the builtin one."""
    if request.larger:
        return request.larger
    given = validate(registry.model(LANGUAGE_MODEL).item.params, settings, LANGUAGE_MODEL).model_dump()
    layers = given.get(f"{BUILTIN_BASE}layers")
    if given.get("base") != "builtin" or not isinstance(layers, int):
        raise RequestError("no larger base is named; --larger base=FOLDER_OR_HUB_NAME does")
    return {f"{BUILTIN_BASE}layers": str(ceil(BUILTIN_LARGER * layers))}


def carry_out(plan: Sequence[Step], workshop: Workshop) -> Iterator[tuple[Step, str, Record | str]]:
    """For every step and task in turn the record, as soon as it is written, or why there is none.

    Of several processes all make what they can make together; a failure there ends them all.
    """
    for step in plan:
        why_not = dict(step.why_not)
        if step.run is not None:
            left = [task.key for task in step.run.tasks]
            try:
                for record in execute(step.run, workshop):
                    left.remove(record.configuration.task)
                    yield step, record.configuration.task, record
            except HarnessError as error:
                if processes.count() > 1 and step.run.model.item.parallel:
                    raise
                why_not |= dict.fromkeys(left, str(error))
        for task, why in why_not.items():
            yield step, task, why
