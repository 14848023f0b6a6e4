"""Corpora: what was written is what is read, shard by shard and whole; every fault is told with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import typed

from harness.data.formats.corpus import read_corpus
from harness.data.market import ResumesParams, load_resumes, part_of_resumes
from harness.data.open import open_panel
from harness.data.write import write_panel
from harness.data.write_corpus import parts_of, write_corpus
from harness.errors import HarnessError, RequestError, RunError
from harness.panel import Panel
from harness.panel.corpus import joined


def careers_of(panel: Panel) -> dict[str, tuple[bytes, bytes, int]]:
    """Years, states and split of every person."""
    return {
        str(person): (panel.year[a:b].tobytes(), panel.state[a:b].tobytes(), int(split))
        for person, a, b, split in zip(panel.persons, panel.offsets[:-1], panel.offsets[1:], panel.split, strict=True)
    }


@pytest.fixture(scope="module")
def folder(market_60: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("corpora") / "corpus"
    write_corpus(parts_of(market_60, 4), 4, place)
    return place


def test_a_corpus_holds_the_panel_that_it_was_written_from(folder: Path, market_60: Panel) -> None:
    corpus = read_corpus(folder)
    assert (corpus.n_persons, corpus.n_records, len(corpus.shards)) == (60, market_60.n_records, 4)
    found: dict[str, tuple[bytes, bytes, int]] = {}
    for shard, panel in zip(corpus.shards, corpus.panels(), strict=True):
        assert (panel.n_persons, panel.n_records) == (shard.persons, shard.records)
        assert not found.keys() & careers_of(panel).keys()
        found |= careers_of(panel)
    assert found == careers_of(market_60)
    assert corpus.whole().fingerprint() == market_60.fingerprint()
    assert open_panel(folder).fingerprint() == market_60.fingerprint()
    assert open_panel(folder).name == "corpus"


@pytest.mark.parametrize("unit", ["quarter", "month", "wave", "age"])
def test_times_have_their_unit(market_40: Panel, tmp_path: Path, unit: str) -> None:
    year = market_40.year if unit in ("quarter", "month") else market_40.year - market_40.year.min() + 1
    timed = replace(market_40, year=year, source={"time_unit": unit}, covariates={})
    corpus = write_corpus(parts_of(timed, 2), 2, tmp_path / "corpus")
    assert corpus.unit == unit
    assert corpus.whole().fingerprint() == timed.fingerprint()


def test_what_files_leave_out_is_counted(market_40: Panel, tmp_path: Path) -> None:
    halves = [market_40.select(np.arange(0, 20)), market_40.select(np.arange(20, 40))]
    parts = [replace(half, left_out={"rows without a state": n}) for half, n in zip(halves, (2, 3), strict=True)]
    corpus = write_corpus(parts.__getitem__, 2, tmp_path / "corpus")
    assert dict(corpus.left_out) == dict(corpus.whole().left_out) == {"rows without a state": 5}


def test_the_fingerprint_is_of_the_careers(folder: Path, market_60: Panel, tmp_path: Path) -> None:
    """The same careers written again have the same, one other state another one."""
    same = write_corpus(parts_of(replace(market_60, name="other"), 4), 4, tmp_path / "same")
    state = market_60.state.copy()
    state[-1] = (state[-1] + 1) % market_60.n_states
    other = write_corpus(parts_of(replace(market_60, state=state), 4), 4, tmp_path / "other")
    assert same.fingerprint() == read_corpus(folder).fingerprint() != other.fingerprint()


@pytest.mark.slow
def test_parts_of_the_market_are_the_market(tmp_path: Path) -> None:
    """Made by the command in two processes: the same persons, careers and splits as all at once."""
    line = ("data", "convert", "market-resumes", "resumes", "--to", "shards", "--set", "persons=300")
    done = typed(tmp_path, *line, "--shards", "3", "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    whole = load_resumes(ResumesParams(persons=300))
    assert (told["shards"], told["persons"], told["records"]) == (3, 300, whole.n_records)
    corpus = read_corpus(tmp_path / "resumes")
    assert told["fingerprint"] == corpus.fingerprint()
    assert corpus.whole().fingerprint() == whole.in_order().fingerprint()
    assert dict(corpus.whole().source) == dict(whole.source)
    assert part_of_resumes(ResumesParams(persons=300), 1, 3).n_persons == 100


def test_files_of_careers_become_shards(market_150: Panel, tmp_path: Path) -> None:
    """Each file is a shard, in the order of their names; levels are those of all files together."""
    gender = market_150.covariates["gender"]
    of_person = np.asarray(gender.values)[market_150.offsets[:-1]]
    (tmp_path / "files").mkdir()
    for name, level in (("b", 0), ("a", 1)):  # a file has some of the levels
        write_panel(market_150.select(np.flatnonzero(of_person == level)), tmp_path / name, "parquet")
        (tmp_path / name / "careers.parquet").rename(tmp_path / "files" / f"{name}.parquet")
    line = ("data", "convert", "files", "corpus", "--to", "shards")
    done = typed(tmp_path, *line, "--occupations", "a/occupations.csv")
    assert done.returncode == 0, done.stderr
    corpus = read_corpus(tmp_path / "corpus")
    assert [Path(shard.place).name for shard in corpus.shards] == ["00000.parquet", "00001.parquet"]
    known = corpus.covariates["gender"]
    assert (known.levels, known.fixed) == (tuple(sorted(gender.levels)), True)
    for panel, level in zip(corpus.panels(), (1, 0), strict=True):
        own = panel.covariates["gender"]
        assert {own.levels[k] for k in own.values.tolist()} == {gender.levels[level]}
    whole = corpus.whole()
    assert careers_of(whole) == careers_of(market_150)
    assert whole.covariates["gender"].values.tolist() == gender.values.tolist()
    done = typed(tmp_path, "data", "convert", "files", "other", *line[4:])
    assert done.returncode == 2
    assert "a table of all states (--occupations) serves every part" in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_person_in_two_files_is_refused(market_40: Panel, tmp_path: Path) -> None:
    panels = [market_40.select(np.arange(0, 20)), market_40.select(np.arange(19, 40))]
    with pytest.raises(RequestError, match=r"a person is in 00000\.parquet and 00001\.parquet"):
        write_corpus(panels.__getitem__, 2, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def damaged(folder: Path, how: str) -> None:
    shard = sorted((folder / "careers").iterdir())[1]
    about = json.loads((folder / "corpus.json").read_text())
    if how == "gone":
        shard.unlink()
    elif how == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif how == "another":
        shard.write_bytes(sorted((folder / "careers").iterdir())[0].read_bytes())
    elif how == "told otherwise":
        about["shards"][1]["digest"] = "0" * 64
    elif how == "other states":
        table = folder / "occupations.csv"
        table.write_text(table.read_text().replace("Unemployed", "Between jobs"))
    elif how == "no JSON":
        (folder / "corpus.json").write_text("{")
    if how == "told otherwise":
        (folder / "corpus.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("gone", r"00001\.parquet: is not as it was written"),
        ("cut", r"00001\.parquet: is not as it was written"),
        ("another", r"00001\.parquet: its careers are not those that the corpus 'corpus' was written with"),
        ("told otherwise", "not of one corpus: write the corpus again"),
        ("other states", "not of one corpus: write the corpus again"),
        ("no JSON", r"corpus\.json: is not as it was written"),
    ],
)
def test_a_damaged_corpus_is_told(market_60: Panel, tmp_path: Path, how: str, fault: str) -> None:
    write_corpus(parts_of(market_60, 3), 3, tmp_path / "corpus")
    damaged(tmp_path / "corpus", how)
    with pytest.raises(HarnessError, match=fault) as told:
        read_corpus(tmp_path / "corpus").whole()
    assert isinstance(told.value, RequestError | RunError)
    done = typed(tmp_path, "data", "describe", "corpus")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_shards_are_checked_once_when_they_are_first_read(folder: Path) -> None:
    seen: list[str] = []
    corpus = read_corpus(folder).checked(lambda panel: seen.append(str(panel.persons[0])))
    assert seen == []
    first = corpus.panel(2)
    corpus.panel(2)
    assert seen == [str(first.persons[0])]


def test_options_of_tables_are_refused(folder: Path, tmp_path: Path) -> None:
    done = typed(tmp_path, "data", "describe", str(folder), "--column", "person=ID")
    assert done.returncode == 2
    assert "is a corpus, whose shards say all" in done.stderr
    done = typed(tmp_path, "data", "convert", "market", "x", "--jobs", "2")
    assert done.returncode == 2
    assert "--shards and --jobs are for --to shards" in done.stderr


def test_joined_panels_are_one_after_another(market_40: Panel) -> None:
    halves = [market_40.select(np.arange(0, 15)), market_40.select(np.arange(15, 40))]
    assert joined(halves).fingerprint() == market_40.fingerprint()
