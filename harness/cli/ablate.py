"""harness ablate: the worth of a model's parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import complete, console
from harness.cli.options import (
    AlsoOption,
    DeviceOption,
    ForceOption,
    JsonOption,
    PretrainOption,
    ReuseOption,
    SeedOption,
    SetOption,
    reuse_of,
)
from harness.cli.panels import reads_careers
from harness.cli.workshop import workshop_of
from harness.model.params import parse
from harness.records.record import Record
from harness.registry import Registry
from harness.render.boards.table import NONE, bracketed, error_text, with_error
from harness.runs.execute import require_pretrainable
from harness.runs.request import PanelRequest, RunRequest
from harness.system import processes

if TYPE_CHECKING:
    from harness.runs.ablations import ArmResult

HEADINGS = ("arm", "perplexity", "difference", "95% interval", "p", "record")


@reads_careers
def ablate(
    context: typer.Context,
    panel: PanelRequest,
    records: Path,
    model: Annotated[str, typer.Argument(help="The model's name.", autocompletion=complete.models)],
    task: Annotated[str, typer.Option(help="The task that all are scored on.")] = "next_occ",
    settings: SetOption = None,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", help="One of the model's ablations; all where left out. Repeatable.")
    ] = None,
    train_also: AlsoOption = None,
    pretrain: PretrainOption = None,
    against: Annotated[list[str] | None, typer.Option(help="Another model for the table. Repeatable.")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    reuse: ReuseOption = "own",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change one part of a model at a time, and print the effect.

    Each change is an arm, and its difference from the model as it is is paired on persons. Every arm leaves a record;
    one that this machine has made already is read, unless --force. The panels of --train-also are for the arms that
    pool.
    """
    from harness.runs import ablations

    registry: Registry = context.obj
    entry, given = registry.model(model), parse(settings or [], [model])
    arms = ablations.chosen(entry.item, arm or [], pools=bool(train_also))
    if pretrain:
        require_pretrainable([entry.item], registry)
    also = {"train_also": tuple(train_also or ()), "pretrain": pretrain, "parameters": dict(given.data)}
    request = RunRequest(
        panel=panel.model_copy(update=also),
        tasks=(task,),
        models={model: dict(given.models[model])},
        seed=seed,
        device=device,
        reuse=reuse_of(reuse, force),
    )
    workshop = workshop_of(context, records, request.reuse)
    panels = request.panel.open_all(registry, workshop.progress)
    asked = ablations.AblationRequest(model=model, request=request, task=registry.task(task), panels=panels)
    found: list[tuple[str, Record]] = []
    for name, record in ablations.run_arms(asked, arms, against or [], workshop):
        found.append((name, record))
        console.say(f"{name}: perplexity {record.figures['perplexity']:.4f} ({record.id})")
    if not processes.is_main():
        return
    lines = ablations.lines(found)
    if as_json:
        console.emit_json([line.plain() for line in lines])
    else:
        title = f"{panels.scored.name}: {task}; log-likelihood per transition less that of the first line, in nats"
        console.table(HEADINGS, [_cells(line) for line in lines], [False, *[True] * 4, False], title)


def _cells(line: ArmResult) -> list[str]:
    """As ``HEADINGS``."""
    gap, told = line.difference, [NONE] * 3
    if gap is not None:
        p = NONE if gap.p is None else f"{gap.p:.4f}"
        told = [f"{gap.value:+.4f} ± {error_text(gap, 4)}", bracketed(gap, "{:+.4f}".format), p]
    return [line.name, with_error(line.perplexity, 3), *told, line.record.id]
