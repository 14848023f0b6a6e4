"""The identity of a run: the request, the data and the code, as they were when the run was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toys import Frequencies, Parameters, entry_of, run_all, run_on

from harness.model import Context
from harness.panel import Panel
from harness.registry import Registry
from harness.runs.execute import Workshop
from harness.system import sources

CACHED = (sources.digest, sources.file_of, sources._source)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of the module that brings a stranger's model."""
    path = tmp_path / "stranger_model.py"
    path.write_text("STRENGTH = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    for cached in CACHED:
        cached.cache_clear()


def test_sources_edited_during_a_fit_do_not_change_its_id(
    registry: Registry, workshop: Workshop, four_persons: Panel, module: Path
) -> None:
    class Edited(Frequencies):
        def fit(self, train: Panel, valid: Panel, context: Context) -> None:
            super().fit(train, valid, context)
            module.write_text("STRENGTH = 2\n")
            for cached in CACHED:  # as if nothing had been read before
                cached.cache_clear()

    entry = replace(entry_of(Edited), module="stranger_model")
    run = run_on(registry, four_persons, "next_occ", "switch", entry=entry)
    before = run.code
    records = run_all(run, workshop)
    assert {record.configuration.code for record in records} == {before}
    assert workshop.fits.holds(run)
    later = run_on(registry, four_persons, entry=entry)
    assert later.code != before
    assert not workshop.fits.holds(later)


@pytest.mark.parametrize("model", ["gbm", "gbm-switch", "softmax"])
def test_threads_are_no_part_of_an_id(registry: Registry, four_persons: Panel, model: str) -> None:
    entry = registry.models[model]
    task = entry.item.only_task or "next_occ"
    one, two = (
        run_on(registry, four_persons, task, entry=entry, params=entry.item.params.model_validate({"threads": n}))
        for n in (1, 2)
    )
    asked = one.configuration(one.tasks[0])
    assert asked.id() == two.configuration(two.tasks[0]).id()
    assert one.fit_name == two.fit_name
    assert "threads" not in asked.parameters
    assert "threads" not in two.configuration(two.tasks[0]).changed


def test_a_seed_a_parameter_and_the_data_are_part_of_it(registry: Registry, four_persons: Panel) -> None:
    run = run_on(registry, four_persons)
    other = replace(four_persons, year=four_persons.year + 1)
    changed = [
        replace(run, seed=1),
        replace(run, params=Parameters(weight=2.0)),
        replace(run, panel=other),
        replace(run, train_also=(other,)),
        replace(run, resumes=other),
        replace(run, train_persons=1),
    ]
    assert len({one.configuration(one.tasks[0]).id() for one in (run, *changed)}) == 7
    assert replace(run, device="cuda").fit_name == run.fit_name
