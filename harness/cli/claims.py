"""harness claims: the claims of a paper, tested on a panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.claims.found import in_folder
from harness.claims.plan import ClaimsRequest, PlannedRun, carry_out, chosen, gathered, require_arms, steps
from harness.claims.verdict import Verdict, judge
from harness.cli import console
from harness.cli.options import (
    BOARDS,
    AlsoOption,
    BoardsOption,
    DeviceOption,
    ForceOption,
    JsonOption,
    PretrainOption,
    ReuseOption,
    SeedOption,
    SeedsOption,
    SetOption,
    reuse_of,
)
from harness.cli.panels import reads_careers
from harness.cli.workshop import workshop_of
from harness.model.paper import Claim, Paper
from harness.model.params import pairs, parse
from harness.panel import Corpus, Panel
from harness.panel.weights import weighted_alike
from harness.records.current import Folder
from harness.records.kinds import in_a_line, label
from harness.records.record import Record
from harness.registry import Registry
from harness.render import claims as tables
from harness.render import write
from harness.runs.execute import Workshop
from harness.runs.request import PanelRequest, Panels, RunRequest
from harness.system import processes
from harness.system.machine import measured

NAMES = 3  # columns from the left: claim, verdict, what it is compared with
SPARE = (
    "95% interval",
    "p",
    "verdict",
    "adjusted p",
)  # columns, the first to be missed first; verdicts stand below too
ClaimOption = Annotated[
    list[str] | None, typer.Option("--claim", help="A claim's name; all of the paper's where left out. Repeatable.")
]
LargerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--larger",
        help="The changes that make the larger base: base=ORG/NAME, or base_layers=8 of the builtin one. Repeatable.",
        metavar="NAME=VALUE",
    ),
]
TrainPersonsOption = Annotated[
    int | None,
    typer.Option(
        "--train-persons",
        help="Fit every model on so many of the training persons; verdicts are printed, and no page is written.",
        min=1,
        metavar="N",
    ),
]


@reads_careers
def claims(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    paper: Annotated[str, typer.Option("--paper", help="The paper whose claims are tested.")] = "labor-llm",
    claim: ClaimOption = None,
    settings: SetOption = None,
    larger: LargerOption = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    train_persons: TrainPersonsOption = None,
    shots: Annotated[int, typer.Option(help="Careers in the prompt of the model off the shelf.", min=1)] = 3,
    seed: SeedOption = 0,
    seeds: SeedsOption = 1,
    device: DeviceOption = "auto",
    plan: Annotated[bool, typer.Option("--plan", help="Say which runs would be made, and make none.")] = False,
    boards: BoardsOption = BOARDS,
    reuse: ReuseOption = "own",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Test the claims of a paper on a panel.

    The paper is LABOR-LLM, and the claims are those of its abstract. --paper labor-llm-tokens tests them on llm-titles,
    whose titles are tokens. Each claim gets a verdict: whether it is borne out on this panel. Every run leaves a
    record; one that this machine has made already is read, so an interrupted command goes on. The verdicts of all
    records of the panel are written to claims.md, claims.tex and claims.json beside its boards (claims-tokens of that
    paper). A run that fails leaves the claims that need it untested, and the exit status is 1. For the simulated
    market, the careers of another population and the resumes are its own.
    """
    registry: Registry = context.obj
    source = registry.paper(paper)
    asked = chosen(source, claim or [])
    models = dict.fromkeys(arm.model for one in asked for arm in one.arms())
    given = parse(settings or [], dict.fromkeys([source.model, *models]), first=source.model)
    changes = pairs(larger or [], "--larger")
    require_arms(source, given, changes, registry)
    also = {"train_also": tuple(train_also or ()), "pretrain": pretrain, "parameters": dict(given.data)}
    request = RunRequest(
        panel=panel.model_copy(update=also),
        models={name: dict(values) for name, values in given.models.items()},
        seed=seed,
        seeds=seeds,
        device=device,
        reuse=reuse_of(reuse, force),
    )
    workshop = workshop_of(context, records, request.reuse)
    wanted = ClaimsRequest(
        paper=source,
        request=request,
        panels=_panels(source, asked, request.panel, workshop),
        larger=changes,
        free=dict.fromkeys(source.free, str(shots)),
        train_persons=train_persons,
    )
    made = steps(asked, wanted, workshop)
    if plan:
        _show_plan(made, as_json)
        return
    found, failed = _made(made, seeds, workshop)
    if not processes.is_main():
        return
    verdicts = [judge(one, found) for one in asked]
    _show(source, verdicts, wanted.panels.scored, as_json)
    if train_persons is None:
        changed = _write_pages(wanted, workshop, boards)
        console.say(f"{', '.join(map(str, changed)) or 'no table'} written")
    if failed:
        raise typer.Exit(1)


def _panels(paper: Paper, asked: Sequence[Claim], request: PanelRequest, workshop: Workshop) -> Panels:
    """The panels read: those alone that an arm needs. A data set may have stand-ins for the paper's further data."""
    registry, progress = workshop.registry, workshop.progress
    arms = [arm for claim in asked for arm in claim.arms()]
    stand_in = paper.further.get(request.data)
    also: tuple[Panel | Corpus, ...] = ()
    resumes = None
    with measured() as reading:
        panel = request.open(registry, progress)
        if any(arm.pools for arm in arms):
            also = request.open_further(panel, registry, progress)
            if not also and stand_in is not None:
                also = (weighted_alike(registry.open_panel(stand_in.also, stand_in.settings), panel),)
        if any(arm.pretrained for arm in arms):
            source = request.pretrain or (stand_in.resumes if stand_in else None)
            resumes = request.model_copy(update={"pretrain": source}).open_resumes(panel, registry, progress)
    return Panels(scored=panel, also=also, resumes=resumes, read_memory_mb=reading.peak_memory_mb)


def _made(
    plan: Sequence[PlannedRun], seeds: int, workshop: Workshop
) -> tuple[dict[tuple[str, str], list[Record] | str], bool]:
    """The records of each arm and task, or why there is none; then True where a run failed that could be asked for."""
    failed = False

    def told() -> Iterator[tuple[PlannedRun, str, Record | str]]:
        nonlocal failed
        for step, task, outcome in carry_out(plan, workshop, seeds):
            failed = failed or (isinstance(outcome, str) and task not in step.why_not)
            console.say(_told(step, task, outcome))
            yield step, task, outcome

    try:
        found = gathered(told())
    except KeyboardInterrupt:
        console.say(f"stopped; finished records are kept in {workshop.store.folder}, and the same command goes on")
        raise
    return found, failed


def _told(step: PlannedRun, task: str, outcome: Record | str) -> str:
    if isinstance(outcome, str):
        return f"{step.arm.summary} on {task}: not run: {outcome}"
    return f"{label(outcome)} on {task}: perplexity {outcome.figures['perplexity']:.4f} ({outcome.id})"


def _write_pages(asked: ClaimsRequest, workshop: Workshop, boards: Path) -> list[Path]:
    """The files written anew, of all records of the panel."""
    fingerprint = asked.panels.scored.fingerprint()
    pages = in_folder(Folder(workshop.store), asked.paper)
    return write(tables.files([page for page in pages if page.panel.fingerprint == fingerprint], boards))


def _show_plan(made: Sequence[PlannedRun], as_json: bool) -> None:
    if as_json:
        console.emit_json([_plain(step) for step in made])
        return
    rows = [[step.arm.summary, step.arm.model, ", ".join(step.claims), _state(step)] for step in made]
    console.table(["arm", "model", "claims", "run"], rows)


def _state(step: PlannedRun) -> str:
    if step.run is None:
        return "cannot be made: " + "; ".join(dict.fromkeys(step.why_not.values()))
    told = [f"{name}={in_a_line(value)}" for name, value in step.run.configuration(step.run.tasks[0]).changed.items()]
    told += [f"train also {panel.name}" for panel in step.run.train_also]
    told += [] if step.run.resumes is None else [f"pretrained on {step.run.resumes.name}"]
    return ": ".join(["has its records" if step.known else "to make", *([", ".join(told)] if told else [])])


def _plain(step: PlannedRun) -> dict[str, Any]:
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


def _show(paper: Paper, verdicts: Sequence[Verdict], panel: Panel, as_json: bool) -> None:
    if as_json:
        console.emit_json(tables.plain(verdicts))
        return
    title = f"{panel.name}: what {paper.title} claims; log-likelihood per transition less the other's, in nats"
    rows = [row for verdict in verdicts for row in tables.rows(verdict)]
    kept = console.fitting(tables.CLAIM_HEADINGS, rows, NAMES, SPARE)
    shown = [[row[i] for i in kept] for row in rows]
    console.table([tables.CLAIM_HEADINGS[i] for i in kept], shown, [tables.CLAIM_NUMBERS[i] for i in kept], title)
    console.notes([f"{verdict.text}: {verdict.verdict} ({verdict.reason})" for verdict in verdicts])
