"""The records that count, and heads that are read once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from helpers.toys import run_all, run_on

from harness.panel.careers import Panel
from harness.records.current import Folder, by_panel, current
from harness.records.record import Record, RecordHead
from harness.records.store import Store
from harness.runs.execute import Workshop


@pytest.fixture
def record(workshop: Workshop, four_persons: Panel) -> Record:
    [made] = run_all(run_on(workshop.registry, four_persons), workshop)
    return made


def changed(record: Record, seconds: int, **asked: object) -> Record:
    """The record of another request, finished so many seconds later."""
    configuration = record.configuration.model_copy(update=asked)
    measured = record.measured.model_copy(update={"finished": record.measured.finished + timedelta(seconds=seconds)})
    return record.model_copy(update={"id": configuration.id(), "configuration": configuration, "measured": measured})


def test_the_newest_answer_of_the_last_version_counts(record: Record) -> None:
    newer = changed(record, 5, code="another 2 0123456789ab")
    seeded = changed(record, 2, seed=7)
    switch = changed(record, 1, task="switch")
    old = changed(record, 9, task_version=record.configuration.task_version - 1, seed=3)
    assert current([newer, old, seeded, record, switch]) == [switch, seeded, newer]


def test_a_newer_mix_or_file_replaces_the_one_before(record: Record) -> None:
    mixes = [
        changed(record, i, model="mix", parameters={"of": "board", "runs": [str(i)]}, changed={}) for i in range(2)
    ]
    named = changed(record, 3, model="mix", parameters={"of": "runs", "runs": ["a", "b"]}, changed={})
    files = [
        changed(record, 4 + i, model="mine", parameters={"file_sha256": str(i)}).model_copy(
            update={"facts": {"submitted": True}}
        )
        for i in range(2)
    ]
    assert current([*files, *mixes, named]) == [mixes[1], named, files[1]]


def test_panels_of_one_name_have_folders_of_their_own(record: Record) -> None:
    facts = record.configuration.panel
    other = changed(record, 1, panel=facts.model_copy(update={"fingerprint": "f" * 64}))
    alone = changed(record, 1, panel=facts.model_copy(update={"name": "another"}))
    panels = by_panel([record, other, alone])
    assert [(panel.folder, list(panel.records)) for panel in panels] == [
        ("another", [alone]),
        *sorted([(f"four-persons-{facts.fingerprint[:8]}", [record]), ("four-persons-ffffffff", [other])]),
    ]
    assert panels[0].by_task() == [(alone,)]


def test_a_head_is_read_once(record: Record, workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    head = Store.head

    def counted(self: Store, path: Path) -> RecordHead:
        read.append(path)
        return head(self, path)

    monkeypatch.setattr(Store, "head", counted)
    folder = Folder(workshop.store)
    [first] = folder.heads()
    assert folder.heads(workshop.store.paths("four-persons")) == [first]
    assert folder.read(first) == record
    assert read == [workshop.store.path(record.configuration)]
    assert workshop.store.paths("another") == []
