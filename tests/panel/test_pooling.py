"""Further panels to train on: whose occupations are the same, what a model is given, and what ids and boards say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.paths import RESULTS
from helpers.progress import Told
from helpers.toys import Frequencies, Parameters, entry_of

from harness import render
from harness.boards.board import boards
from harness.data.write_corpus import parts_of, write_corpus
from harness.errors import RequestError
from harness.panel import Corpus
from harness.panel.careers import Panel
from harness.panel.occupations import Occupations, Status
from harness.panel.pooling import pool, same_titles
from harness.records.kinds import label
from harness.records.record import Record, digest
from harness.records.store import Store, to_text
from harness.registry import Registry
from harness.runs.execute import Workshop, execute
from harness.runs.run import Run


@pytest.fixture
def other() -> Panel:
    """Two careers of training and one of test, over three states; two have a title of the four persons' panel.

    e (train): clerk, clerk; f (train): welder, clerk; g (test): nurse, nurse
    """
    titles = ("Welders", " office   CLERKS", "registered Nurses")
    return Panel(
        name="other",
        persons=np.array(["e", "f", "g"]),
        offsets=np.array([0, 2, 4, 6]),
        year=np.array([1990, 1991] * 3),
        state=np.array([1, 1, 0, 1, 2, 2]),
        occupations=Occupations(("1", "2", "3"), titles, ("1", "2", "3"), (Status.EMPLOYED,) * 3),
        split=np.array([0, 0, 2]),
    )


def request(registry: Registry, panel: Panel, *also: Panel | Corpus, **changes: Any) -> Run:
    spec = changes.pop("entry", entry_of(Frequencies, name="pooled", multi_panel=True))
    return replace(
        Run(model=spec, params=Parameters(), tasks=(registry.task("next_occ"),), panel=panel, train_also=also),
        **changes,
    )


def test_titles_are_the_same_but_for_case_and_blanks(four_persons: Panel, other: Panel) -> None:
    assert same_titles(other.occupations, four_persons.occupations).tolist() == [-1, 1, 0]
    [part] = pool(four_persons, [other])
    assert isinstance(part, Panel)
    assert part.occupations.titles == ("Welders", "Office clerks", "Registered nurses")
    assert part.occupations.codes == other.occupations.codes
    assert part.persons.tolist() == ["e", "f"]  # its training careers alone


def test_of_a_corpus_the_training_careers_are_pooled(market_30: Panel, market_60: Panel, tmp_path: Path) -> None:
    """Those of the panel that it was written from, titles spelt as the main one's, in shards of training careers."""
    loud = tuple(title.upper() for title in market_60.occupations.titles)
    far = replace(market_60, name="far", persons=np.char.add("far-", market_60.persons)).in_order()
    far = replace(far, occupations=replace(far.occupations, titles=loud))
    last_first = [far.select(np.arange(start, start + 20)) for start in (40, 20, 0)]
    corpus = write_corpus(last_first.__getitem__, 3, tmp_path / "far")
    [of_panel], [of_corpus] = pool(market_30, [far]), pool(market_30, [corpus])
    assert isinstance(of_panel, Panel)
    assert isinstance(of_corpus, Corpus)
    assert of_corpus.whole().fingerprint() == of_panel.fingerprint()
    assert (of_corpus.name, of_corpus.n_persons) == ("far", int((far.split == 0).sum()))
    assert of_panel.occupations.titles == market_30.occupations.titles != loud
    assert sum(shard.records for shard in of_corpus.shards) == of_panel.n_records
    assert [shard.persons for shard in of_corpus.shards] == [panel.n_persons for panel in of_corpus.panels()]
    with pytest.raises(RequestError, match="'far' is the same panel as that of another --train-also, 'far'"):
        pool(market_30, [far, corpus])
    with pytest.raises(RequestError, match="'far' is the same panel as that of --data"):
        pool(replace(far, name="home"), [corpus])


def test_whom_the_main_panel_holds_out_is_found_in_the_shard_that_has_them(
    market_30: Panel, market_60: Panel, tmp_path: Path
) -> None:
    far = replace(market_60, name="far", persons=np.char.add("far-", market_60.persons)).in_order()
    one = replace(market_30.part("test").select(np.array([0])), split=np.array([0]))
    leaking = write_corpus([far, one].__getitem__, 2, tmp_path / "leaking")
    with pytest.raises(RequestError, match=f"--train-also: 'leaking' trains on person {one.persons[0]}, whom --data"):
        pool(market_30, [leaking])


def test_a_corpus_teaches_what_its_panel_does(
    registry: Registry, workshop: Workshop, market_30: Panel, market_60: Panel, tmp_path: Path
) -> None:
    """The same figures, under the fingerprint of the corpus."""
    far = replace(market_60, name="far", persons=np.char.add("far-", market_60.persons)).in_order()
    corpus = write_corpus(parts_of(far, 3), 3, tmp_path / "far")
    [of_panel] = execute(request(registry, market_30, far), workshop)
    told = Told()
    [of_corpus] = execute(request(registry, market_30, corpus), replace(workshop, progress=told))
    note = "model 'pooled' reads the training careers of far into memory; models that read a corpus in windows: "
    assert f"{note}llm-lora" in told.notes
    [alone] = execute(request(registry, market_30), workshop)
    assert of_corpus.figures == of_panel.figures != alone.figures
    [facts] = of_corpus.configuration.train_also
    assert (facts.fingerprint, facts.persons) == (corpus.fingerprint(), 60)


def test_two_states_with_one_title_are_named(four_persons: Panel, other: Panel) -> None:
    twins = replace(other, occupations=replace(other.occupations, titles=("Welders", "WELDERS ", "Nurses")))
    with pytest.raises(RequestError, match=r"'other' has one for two of its states, '1' and '2': 'Welders' and 'WEL"):
        pool(four_persons, [twins])
    known = replace(four_persons.occupations, titles=("Office clerks", "Office Clerks", "Unemployed", "Out"))
    with pytest.raises(RequestError, match=r"--data has one for two of its states, '29-1141' and '43-9061'"):
        pool(replace(four_persons, occupations=known), [other])


def test_a_panel_is_trained_on_once(four_persons: Panel, other: Panel) -> None:
    with pytest.raises(RequestError, match="'copy' is the same panel as that of --data"):
        pool(four_persons, [replace(four_persons, name="copy")])
    with pytest.raises(RequestError, match="'other' is the same panel as that of another --train-also"):
        pool(four_persons, [other, other])
    with pytest.raises(RequestError, match="'other' has nobody in its train split"):
        pool(four_persons, [replace(other, split=np.array([1, 1, 2]))])


def test_whom_the_main_panel_holds_out_is_not_trained_on(four_persons: Panel) -> None:
    """d of the test split, in another panel's training split: the same career, or another one under the same id."""
    one = replace(four_persons.select(np.array([3])), name="again", split=np.array([0]))
    with pytest.raises(RequestError, match="'again' trains on person d, whom --data holds out with the same career"):
        pool(four_persons, [one])
    assert len(pool(four_persons, [replace(one, year=one.year - 20)])) == 1
    assert len(pool(four_persons, [replace(one, persons=np.array(["z"]))])) == 1
    assert len(pool(replace(four_persons, split=np.zeros(4, np.int8)), [one])) == 1


def test_a_model_is_given_the_training_careers(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    """Alone: (3, 4, 1, 2) / 10; with four more clerks and one more who is out: (3, 8, 1, 3) / 15."""
    other = _other_of(four_persons)
    expected = [((), [0.3, 0.2, 0.2, 0.4]), ((other,), [3 / 15, 3 / 15, 3 / 15, 8 / 15])]
    for also, said in expected:
        [record] = execute(request(registry, four_persons, *also), workshop)
        assert record.figures["log_likelihood"] == pytest.approx(float(np.log(said).sum()), abs=1e-5)
    assert len(workshop.store.all()) == 2
    assert len(list((workshop.cache / "fits").iterdir())) == 2


def _other_of(panel: Panel) -> Panel:
    """One career of training: clerk, clerk, clerk, out, clerk."""
    one = panel.select(np.array([3]))
    return replace(one, name="other", persons=np.array(["z"]), split=np.array([0]), state=np.array([1, 1, 1, 3, 1]))


def test_a_model_that_cannot_pool_says_which_can(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    run = request(registry, four_persons, _other_of(four_persons), entry=entry_of(Frequencies, name="pooled"))
    with pytest.raises(RequestError, match=r"model 'pooled' is trained on one panel alone.*\(llm-lora\)"):
        list(execute(run, workshop))


def test_ids_and_files_know_nothing_of_what_is_not_asked(
    registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    run = request(registry, four_persons)
    [record] = execute(run, workshop)
    configuration = record.configuration
    names = ("task", "task_version", "model", "parameters", "seed")
    asked = {name: getattr(configuration, name) for name in names} | {"panel": four_persons.fingerprint()}
    assert configuration.id() == digest(asked | {"code": configuration.code})
    assert configuration.key() == digest(asked | {"parameters": configuration.changed})
    assert "train_also" not in to_text(record)
    further = replace(run, train_also=(_other_of(four_persons),)).configuration(run.tasks[0])
    assert further.id() != configuration.id()
    assert further.key() != configuration.key()
    assert further.fit_id() != configuration.fit_id()
    changed = replace(_other_of(four_persons), year=_other_of(four_persons).year + 1)
    assert replace(run, train_also=(changed,)).configuration(run.tasks[0]).id() != further.id()


def test_committed_records_keep_their_ids() -> None:
    records = Store(RESULTS).all()  # which compares each id with its configuration
    alone = [record for record in records if record.configuration.train_also == ()]
    assert 0 < len(alone) < len(records)
    assert not any("train_also" in record.configuration.model_dump() for record in alone)


def test_boards_tell_a_pooled_run_from_one_alone(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    other = _other_of(four_persons)
    alone, both = (next(execute(request(registry, four_persons, *also), workshop)) for also in ((), (other,)))
    assert (label(alone), label(both)) == ("pooled", "pooled (train also other)")
    changed = both.configuration.model_copy(update={"changed": {"x": 1}, "seed": 2})
    assert label(both.model_copy(update={"configuration": changed})) == "pooled (seed=2, x=1, train also other)"
    read = workshop.store.read(workshop.store.path(both.configuration))
    assert read == both
    [board] = boards(workshop.store.all())
    text = render.render(board, "md", registry)
    lines = [line for line in text.split("## ")[0].splitlines() if "pooled (train also other)" in line]
    assert lines[0].startswith("| 1-2 | pooled (train also other) |")
    assert lines[-1].startswith("- pooled (train also other): trained on")
    assert f"further panels as well: other {other.fingerprint()[:12]}." in text
    rows = {row["label"]: row for row in json.loads(render.render(board, "json", registry))["rows"]}
    assert "train_also" not in rows["pooled"]
    assert rows["pooled (train also other)"]["train_also"] == f"other {other.fingerprint()[:12]}"
    assert isinstance(alone, Record)


def test_a_panel_in_another_unit_of_time_is_not_trained_on(other: Panel) -> None:
    months = replace(other, name="months", year=other.year * 12, source={"time_unit": "month"})
    with pytest.raises(RequestError, match="'months' has times in months, and 'other' in years"):
        pool(other, [months])
