"""A shelf of small runs that cards and comparisons are made of, and what their tests look things up with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.boards.card import Card, Installed, card_of
from harness.boards.mix import mix
from harness.panel.careers import Covariate, Panel
from harness.records.record import Record, figures
from harness.records.store import Store
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.system.machine import cache_folder
from helpers.toys import homeward, run_all, run_on, validate


def homes() -> Panel:
    """Over 50 test persons of two genders, all of whom go home again and again."""
    made = homeward(360)
    gender = np.repeat(np.arange(360) % 2, 12).astype(np.int32)
    return replace(made, covariates={"gender": Covariate("categorical", gender, ("female", "male"), fixed=True)})


def stocked(registry: Registry, folder: Path) -> Workshop:
    """uniform, marginal and markov on two tasks, markov on a hundred training persons too, and the mix of a board."""
    workshop = Workshop(registry=registry, store=Store(folder), cache=cache_folder())
    panel = homes()
    for name in ("uniform", "marginal", "markov"):
        entry = registry.model(name)
        run = run_on(registry, panel, "next_occ", "switch", entry=entry, params=entry.item.params())
        run_all(run, workshop)
        if name == "markov":
            run_all(replace(run, tasks=run.tasks[:1], train_persons=100), workshop)
    parts = [record for record in workshop.store.all() if _is_part(record)]
    validate(workshop, panel, parts)
    made = mix(parts, cache_folder(), of_board=True)
    workshop.store.write(made.model_copy(update={"figures": figures(made)}))
    return workshop


def _is_part(record: Record) -> bool:
    asked = record.configuration
    return asked.task == "next_occ" and asked.train_persons is None and asked.model != "mix"


def of_model(shelf: Workshop, model: str, task: str = "next_occ", train_persons: int | None = None) -> Record:
    [found] = [
        record
        for record in shelf.store.all()
        if (record.configuration.model, record.configuration.task) == (model, task)
        and record.configuration.train_persons == train_persons
    ]
    return found


def card(shelf: Workshop, record: Record) -> Card:
    model = shelf.registry.models.get(record.configuration.model)
    return card_of(record, shelf.store, Installed(model, None, "harness run again"))


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n\n")[1].split("\n## ", maxsplit=1)[0]
