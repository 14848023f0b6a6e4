"""harness claims: the claims of LABOR-LLM's abstract, tested on a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from harness.claims.found import in_store
from harness.claims.paper import CLAIMS, FURTHER, LANGUAGE_MODEL, Claim
from harness.claims.plan import Request, Step, carry_out, chosen, require_arms, steps
from harness.claims.verdict import Verdict, judge
from harness.cli import console
from harness.cli.options import (
    BOARDS,
    RECORDS,
    BoardsOption,
    DataOption,
    JsonOption,
    PretrainOption,
    RecordsOption,
    SetOption,
    StrataOption,
    UnitsOption,
    WeightsOption,
)
from harness.cli.run import further_panels, read_resumes
from harness.model.params import Settings, pairs, parse
from harness.panel.careers import Panel
from harness.panel.survey_design import surveyed
from harness.panel.weights import weighted_alike
from harness.records.kinds import label
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.render import claims as tables
from harness.render import write
from harness.runs.execute import Workshop
from harness.system import processes
from harness.system.machine import cache_folder
from harness.system.progress import PROGRESS, Progress

NAMES = 3  # columns from the left: claim, verdict, what it is compared with
SPARE = (
    "95% interval",
    "p",
    "verdict",
    "adjusted p",
)  # columns, the first to be missed first; verdicts stand below too
ClaimOption = Annotated[
    list[str] | None,
    typer.Option("--claim", help=f"One of {', '.join(one.name for one in CLAIMS)}; all where left out. Repeatable."),
]
LargerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--larger",
        help="What makes the larger base: base=ORG/NAME, or base_layers=8 of the builtin one. Repeatable.",
        metavar="NAME=VALUE",
    ),
]
FurtherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--train-also", help="Careers of another population to train on as well. Repeatable.", metavar="PANEL"
    ),
]


def claims(
    context: typer.Context,
    data: DataOption = "market",
    settings: SetOption = None,
    claim: ClaimOption = None,
    larger: LargerOption = None,
    train_also: FurtherOption = None,
    pretrain: PretrainOption = None,
    shots: Annotated[int, typer.Option(help="Careers in the prompt of the model off the shelf.", min=1)] = 3,
    weights: WeightsOption = None,
    strata: StrataOption = None,
    units: UnitsOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    plan: Annotated[bool, typer.Option("--plan", help="Say which runs would be made, and make none.")] = False,
    records: RecordsOption = RECORDS,
    boards: BoardsOption = BOARDS,
    as_json: JsonOption = False,
) -> None:
    """Test the claims of LABOR-LLM's abstract on a panel, and say of each whether it is borne out there.

    Every run leaves a record; one that is there already is read, so what was interrupted goes on. The verdicts of all
    that the records hold of the panel are written to claims.md, claims.tex and claims.json beside its boards. A run
    that fails leaves the claims that need it untested, and the exit status is 1. The simulated market
    has careers of another population, and resumes, of its own.
    """
    registry: Registry = context.obj
    progress: Progress = context.meta[PROGRESS]
    asked = chosen(claim or [])
    models = dict.fromkeys(arm.model for one in asked for arm in one.arms())
    given = parse(settings or [], [LANGUAGE_MODEL, *(name for name in models if name != LANGUAGE_MODEL)])
    changes = pairs(larger or [], "--larger")
    require_arms(given, changes, registry)
    panels = _Panels(data, given, weights, strata, units, train_also or [], pretrain)
    workshop = Workshop(registry, Store(records), cache_folder(), progress)
    request = _request(asked, panels, registry, progress)
    request = replace(request, larger=changes, seed=seed, device=device, shots=shots)
    made = steps(asked, request, workshop)
    if plan:
        _show_plan(made, as_json)
        return
    found, failed = _made(made, workshop)
    if not processes.is_main():
        return
    verdicts = [judge(one, found) for one in asked]
    pages = [page for page in in_store(workshop.store) if page.panel.fingerprint == request.panel.fingerprint()]
    changed = write(tables.files(pages, boards))
    _show(verdicts, request.panel, as_json)
    console.say(f"{', '.join(map(str, changed)) or 'no table'} written")
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Panels:
    """Which panels are asked for, before any is read."""

    data: str
    settings: Settings
    weights: str | None
    strata: str | None
    units: str | None
    also: list[str]
    resumes: str | None


def _request(asked: Sequence[Claim], panels: _Panels, registry: Registry, progress: Progress) -> Request:
    """The panels read: those alone that an arm needs. The simulated market has further ones of its own."""
    from harness.data.open import open_panel

    arms = [arm for claim in asked for arm in claim.arms()]
    stand_in = FURTHER.get(panels.data)
    with progress.bar(f"reading {panels.data}", None):
        panel = open_panel(panels.data, panels.settings.data, registry=registry)
    panel = surveyed(panel, panels.weights, panels.strata, panels.units)
    also: list[Panel] = []
    if any(arm.pools for arm in arms):
        also = further_panels(panels.also, panel, registry, progress)
        if not also and stand_in is not None:
            also = [weighted_alike(open_panel(stand_in.also, stand_in.settings, registry=registry), panel)]
    resumes = None
    if any(arm.pretrained for arm in arms):
        source = panels.resumes or (stand_in.resumes if stand_in else None)
        resumes = read_resumes(source, panel, registry, progress)
    return Request(panel, panels.settings.models, also=tuple(also), resumes=resumes)


def _made(plan: Sequence[Step], workshop: Workshop) -> tuple[dict[tuple[str, str], Record | str], bool]:
    """What was found of each arm and task, and whether a run failed that could be asked for."""
    found: dict[tuple[str, str], Record | str] = {}
    failed = False
    try:
        for step, task, outcome in carry_out(plan, workshop):
            found[step.arm.name, task] = outcome
            failed = failed or (isinstance(outcome, str) and task not in step.why_not)
            console.say(_told(step, task, outcome))
    except KeyboardInterrupt:
        console.say(f"stopped; finished records are kept in {workshop.store.folder}, and the same command goes on")
        raise
    return found, failed


def _told(step: Step, task: str, outcome: Record | str) -> str:
    if isinstance(outcome, str):
        return f"{step.arm.summary} on {task}: not run: {outcome}"
    return f"{label(outcome)} on {task}: perplexity {outcome.figures['perplexity']:.4f} ({outcome.id})"


def _show_plan(made: Sequence[Step], as_json: bool) -> None:
    if as_json:
        console.emit_json([_plain(step) for step in made])
        return
    rows = [[step.arm.summary, step.arm.model, ", ".join(step.claims), _state(step)] for step in made]
    console.table(["arm", "model", "claims", "run"], rows)


def _state(step: Step) -> str:
    if step.run is None:
        return "cannot be made: " + "; ".join(dict.fromkeys(step.why_not.values()))
    told = [f"{name}={value}" for name, value in step.run.configuration(step.run.tasks[0]).changed.items()]
    told += [f"train also {panel.name}" for panel in step.run.train_also]
    told += [] if step.run.resumes is None else [f"pretrained on {step.run.resumes.name}"]
    return ": ".join(["has its records" if step.known else "to make", *([", ".join(told)] if told else [])])


def _plain(step: Step) -> dict[str, Any]:
    return {
        "arm": step.arm.name,
        "summary": step.arm.summary,
        "model": step.arm.model,
        "claims": list(step.claims),
        "tasks": [] if step.run is None else [task.key for task in step.run.tasks],
        "changed": {} if step.run is None else step.run.configuration(step.run.tasks[0]).changed,
        "train_also": [] if step.run is None else [panel.name for panel in step.run.train_also],
        "pretrain": None if step.run is None or step.run.resumes is None else step.run.resumes.name,
        "known": step.known,
        "why_not": dict(step.why_not),
    }


def _show(verdicts: Sequence[Verdict], panel: Panel, as_json: bool) -> None:
    if as_json:
        console.emit_json(tables.plain(verdicts))
        return
    title = f"{panel.name}: what LABOR-LLM claims; log-likelihood per transition less the other's, in nats"
    rows = [row for verdict in verdicts for row in tables.rows(verdict)]
    kept = console.fitting(tables.HEADINGS, rows, NAMES, SPARE)
    shown = [[row[i] for i in kept] for row in rows]
    console.table([tables.HEADINGS[i] for i in kept], shown, [tables.NUMBERS[i] for i in kept], title)
    console.notes([f"{verdict.text}: {verdict.verdict} ({verdict.reason})" for verdict in verdicts])
