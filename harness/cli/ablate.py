"""harness ablate: what the parts of a model are worth."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import console
from harness.cli.options import RECORDS, DataOption, JsonOption, PretrainOption, RecordsOption, SetOption, WeightsOption
from harness.cli.run import further_panels, read_resumes
from harness.model.params import parse
from harness.panel.weights import weighted
from harness.records.record import Record
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop, require_pretraining
from harness.system import processes
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import PROGRESS, Progress


def ablate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model's name.")],
    data: DataOption = "market",
    task: Annotated[str, typer.Option(help="The task that all are scored on.")] = "next_occ",
    settings: SetOption = None,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", help="One of the model's ablations; all where left out. Repeatable.")
    ] = None,
    train_also: Annotated[list[str] | None, typer.Option(help="A panel for arms that pool. Repeatable.")] = None,
    pretrain: PretrainOption = None,
    weights: WeightsOption = None,
    against: Annotated[list[str] | None, typer.Option(help="Another model for the table. Repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    records: RecordsOption = RECORDS,
    as_json: JsonOption = False,
) -> None:
    """Run a model's ablations, one change each, and print their paired differences.

    Every arm leaves a record; one that is there already is read.
    """
    from harness.data.open import open_panel
    from harness.runs import ablations

    registry: Registry = context.obj
    progress: Progress = context.meta[PROGRESS]
    entry, given = registry.model(model), parse(settings or [], [model])
    arms = ablations.chosen(entry.item, arm or [], pools=bool(train_also))
    if pretrain:
        require_pretraining([entry.item], registry)
    panel = open_panel(data, given.data, registry=registry)
    panel = panel if weights is None else weighted(panel, weights)
    also = tuple(further_panels(train_also or [], panel, registry, progress))
    resumes = read_resumes(pretrain, panel, registry, progress)
    where = resolve_device(device, entry.item.needs)
    request = ablations.Request(entry, panel, registry.task(task), given.models[model], also, seed, where, resumes)
    workshop = Workshop(registry, Store(records), cache_folder(), progress)
    found: list[tuple[str, Record]] = []
    for name, record in ablations.run_arms(request, arms, against or [], workshop):
        found.append((name, record))
        console.say(f"{name}: perplexity {record.figures['perplexity']:.4f} ({record.id})")
    if not processes.is_main():
        return
    lines = ablations.lines(found)
    if as_json:
        console.emit_json([line.plain() for line in lines])
    else:
        title = f"{panel.name}: {task}; log-likelihood per transition less that of the first line, in nats"
        console.table(ablations.HEADINGS, [line.cells() for line in lines], [False, *[True] * 4, False], title)
