"""The runs that claims ask for on a panel, and the making of them: ordinary runs, each of which leaves its records.

What is finished is read from its record when it is asked for again, so an interrupted plan goes on where it stopped. An
arm that cannot be had costs the claims that need it, and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.errors import HarnessError, RequestError, did_you_mean
from harness.model import Task
from harness.model.paper import Arm, Claim, Paper
from harness.model.params import Settings, validate
from harness.records.record import Record
from harness.registry import Registry
from harness.runs.execute import Workshop, draws_nothing, empty_task_message, execute, is_answered, reusable_record
from harness.runs.request import Panels, RunRequest
from harness.runs.run import Run, require_fewer
from harness.system import processes
from harness.system.machine import resolve_device


@dataclass(frozen=True, kw_only=True)
class ClaimsRequest:
    """A paper's claims to be tested, with the request and the panels that all arms share.

    larger: changes of the parameters of the paper's model that make its base larger; the paper's own where empty. free:
    values of the parameters that variants leave to the user. train_persons: of how many training persons every arm
    learns; all where None.
    """

    paper: Paper
    request: RunRequest
    panels: Panels
    larger: Mapping[str, str] = field(default_factory=dict)
    free: Mapping[str, str] = field(default_factory=dict)
    train_persons: int | None = None


@dataclass(frozen=True)
class PlannedRun:
    """A run to make with every seed asked for, and for which claims.

    known: reusable records answer all of it. why_not: of each task that it cannot be asked, the reason; of all where
    there is no run.
    """

    arm: Arm
    claims: tuple[str, ...]
    run: Run | None
    known: bool
    why_not: Mapping[str, str]


def chosen(paper: Paper, names: Sequence[str]) -> list[Claim]:
    """The claims of these names, all where there are none. RequestError for a name that is none."""
    known = {claim.name for claim in paper.claims}
    for name in names:
        if name not in known:
            raise RequestError(f"no claim is called '{name}'; {did_you_mean(name, known)}")
    return [claim for claim in paper.claims if not names or claim.name in names]


def require_arms(paper: Paper, settings: Settings, larger: Mapping[str, str], registry: Registry) -> None:
    """RequestError where a setting is wrong, or would unmake the arms.

    settings: of models; a task has none here. larger: the changes that make the larger base of the paper's model.
    """
    if settings.task:
        raise RequestError(f"task.{next(iter(settings.task))}: the tasks of claims have no parameters; leave it out")
    if larger and paper.larger is None:
        raise RequestError(f"--larger: no claim of {paper.title} is on a larger base; leave it out")
    own = settings.models.get(paper.model, {})
    for name, value in [*own.items(), *larger.items()]:
        if paper.fixed.get(name) == value or name in paper.free:
            raise RequestError(f"{paper.model}.{name}={value}: leave it out; claims compare the model with and without")
    for name, value in larger.items():
        if not paper.is_of_base(name):
            raise RequestError(
                f"--larger {name}={value}: it changes the base, such as --larger base=ORG/NAME, and no more"
            )
    for model, values in {**settings.models, paper.model: {**own, **larger}}.items():
        if model in registry.models:
            validate(registry.models[model].item.params, values, model)


def steps(claims: Sequence[Claim], asked: ClaimsRequest, workshop: Workshop) -> list[PlannedRun]:
    """A step for every arm that the claims compare, those first that take the least time: prior models, then one base.

    RequestError for a device that cannot be used, and for more training persons than there are.
    """
    paper = asked.paper
    require_fewer(asked.train_persons, asked.panels.scored)
    arms: dict[Arm, None] = {arm: None for claim in claims for arm in claim.arms()}
    order = sorted(arms, key=lambda arm: (arm.model == paper.model, arm.pools, arm == paper.larger))
    return [_step(arm, [claim for claim in claims if arm in claim.arms()], asked, workshop) for arm in order]


def _step(arm: Arm, claims: Sequence[Claim], asked: ClaimsRequest, workshop: Workshop) -> PlannedRun:
    names = tuple(claim.name for claim in claims)
    tasks = [workshop.registry.task(name) for name in dict.fromkeys(claim.task for claim in claims)]
    # A device that cannot be used is a wrong request, and not the arm's: it stops the plan.
    known = workshop.registry.models.get(arm.model)
    if known is not None and not known.item.missing():
        resolve_device(asked.request.device, known.item.needs)
    try:
        why_not = _not_asked(arm, tasks, asked, workshop.registry)
        able = tuple(task for task in tasks if task.key not in why_not)
        if not able:
            return PlannedRun(arm=arm, claims=names, run=None, known=False, why_not=why_not)
        run = _run(arm, able, asked, workshop.registry)
    except HarnessError as error:
        return PlannedRun(
            arm=arm, claims=names, run=None, known=False, why_not={task.key: str(error) for task in tasks}
        )
    known_runs = _is_known(run, asked.request.seeds, workshop)
    return PlannedRun(arm=arm, claims=names, run=run, known=known_runs, why_not=why_not)


def _is_known(run: Run, seeds: int, workshop: Workshop) -> bool:
    """True where records answer every seed, or the first two, which are alike."""
    every = [replace(run, seed=run.seed + i) for i in range(seeds)]
    answered = [all(is_answered(one, task, workshop) for task in one.tasks) for one in every]
    if all(answered) or not all(answered[:2]):
        return all(answered)
    one, other = ([reusable_record(of, task, workshop) for task in of.tasks] for of in every[:2])
    return draws_nothing([r for r in one if r is not None], [r for r in other if r is not None])


def _not_asked(arm: Arm, tasks: Sequence[Task], asked: ClaimsRequest, registry: Registry) -> dict[str, str]:
    """The tasks that nobody is at risk of, and those that the model does not predict, each with the reason."""
    only_task, reasons = registry.model(arm.model).item.only_task, {}
    for task in tasks:
        reason = empty_task_message(task, asked.panels.scored)
        if reason is None and only_task not in (None, task.name):
            reason = f"model '{arm.model}' predicts the outcome of task '{only_task}' alone"
        if reason is not None:
            reasons[task.key] = reason
    return reasons


def _run(arm: Arm, tasks: tuple[Task, ...], asked: ClaimsRequest, registry: Registry) -> Run:
    """RequestError where a need of the arm is not here: its library, its panels, its parameters."""
    if arm.pools and not asked.panels.also:
        raise RequestError("there is no panel of another population; name one with --train-also")
    if arm.pretrained and asked.panels.resumes is None:
        raise RequestError("there are no resumes to pre-train on; name a panel of them with --pretrain")
    values = dict(asked.request.models.get(arm.model, {}))
    if arm == asked.paper.larger:
        values |= _larger(values, asked, registry)
    values |= arm.changes
    values |= {name: asked.free[name] for name in arm.free if name in asked.free}
    panels = replace(
        asked.panels,
        also=asked.panels.also if arm.pools else (),
        resumes=asked.panels.resumes if arm.pretrained else None,
    )
    request = asked.request.model_copy(update={"models": {arm.model: values}})
    return request.run(arm.model, asked.train_persons, tasks=tasks, panels=panels, registry=registry)


def _larger(values: Mapping[str, str], asked: ClaimsRequest, registry: Registry) -> Mapping[str, str]:
    """The changes that make the base larger: as asked for, or the paper's own."""
    if asked.larger or asked.paper.enlarge is None:
        return asked.larger
    schema = registry.model(asked.paper.model).item.params
    return asked.paper.enlarge(validate(schema, values, asked.paper.model).model_dump())


def carry_out(
    plan: Sequence[PlannedRun], workshop: Workshop, seeds: int = 1
) -> Iterator[tuple[PlannedRun, str, Record | str]]:
    """For every step, seed and task in turn the record, as soon as it is written, or why there is none.

    seeds: how many, from the request's on; no third where the second says that a seed changes nothing. Of several
    processes all make what they can make together; a failure there ends them all.
    """
    for step in plan:
        run = step.run
        before: list[Record] = []
        for i in range(seeds if run is not None else 0):
            assert run is not None
            made: list[Record] = []
            for task, outcome in _outcomes(replace(run, seed=run.seed + i), workshop):
                if not isinstance(outcome, str):
                    made.append(outcome)
                yield step, task, outcome
            if i == 1 and processes.agreed(draws_nothing(before, made), run.model.item.distributed):
                break
            before = made
        for task, why in step.why_not.items():
            yield step, task, why


def _outcomes(run: Run, workshop: Workshop) -> Iterator[tuple[str, Record | str]]:
    """For every task of a run the record, or why there is none."""
    left = [task.key for task in run.tasks]
    try:
        for record in execute(run, workshop):
            left.remove(record.configuration.task)
            yield record.configuration.task, record
    except HarnessError as error:
        if processes.count() > 1 and run.model.item.distributed:
            raise
        for task in left:
            yield task, str(error)


def gathered(outcomes: Iterable[tuple[PlannedRun, str, Record | str]]) -> dict[tuple[str, str], list[Record] | str]:
    """(arm, task) -> the records of its seeds, or why there is none; a seed that failed leaves the others."""
    found: dict[tuple[str, str], list[Record] | str] = {}
    for step, task, outcome in outcomes:
        key = step.arm.name, task
        before = found.get(key)
        if not isinstance(outcome, str):
            found[key] = [*(before if isinstance(before, list) else ()), outcome]
        elif before is None:
            found[key] = outcome
    return found
