"""Panels written and read back, the split by hash, and the figures of a description."""

from __future__ import annotations

import json
import tempfile
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import RESULTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import open_panel
from harness.data.describe import describe
from harness.data.write import write_panel
from harness.errors import RequestError, RunError
from harness.panel.careers import SPLITS, Covariate, Panel, split_by_hash
from harness.panel.occupations import Occupations, Status
from harness.records.store import Store

# Anything printable, quotes, commas and accents included, but no blanks around it: files do not keep those of codes.
# As readers give words: with one spelling of an accented character (NFC).
WORD = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8).map(
    lambda word: unicodedata.normalize("NFC", word)
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.just(float("nan"))


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    lengths = draw(st.lists(st.integers(1, 4), min_size=3, max_size=6))
    n, offsets = sum(lengths), np.concatenate([[0], np.cumsum(lengths)])
    codes = draw(st.lists(st.sampled_from(["0010", "10", "4230"]) | WORD, min_size=1, max_size=4, unique=True))
    k = len(codes)
    steps = draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    levels = draw(st.lists(st.sampled_from(["1", "007", "b", "a", "two words", " padded ", 'a "quote",']), unique=True))
    positions = st.integers(-1, len(levels) - 1)
    numbers = draw(st.lists(NUMBER, min_size=n, max_size=n))
    columns: dict[str, Covariate] = {
        "kind": Covariate("categorical", np.array(draw(st.lists(positions, min_size=n, max_size=n))), tuple(levels)),
        "amount": Covariate("numeric", np.array(numbers, dtype=np.float64)),
    }
    return Panel(
        name="drawn",
        persons=np.array(draw(st.lists(WORD, min_size=len(lengths), max_size=len(lengths), unique=True)), dtype=str),
        offsets=offsets,
        year=np.concatenate([1990 + np.cumsum(steps[a:b]) for a, b in pairwise(offsets)]),
        state=np.array(draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))),
        occupations=Occupations(
            codes=tuple(codes),
            titles=tuple(draw(st.lists(WORD, min_size=k, max_size=k))),
            groups=tuple(draw(st.lists(WORD, min_size=k, max_size=k))),
            statuses=tuple(draw(st.lists(st.sampled_from(list(Status)), min_size=k, max_size=k))),
            minors=tuple(draw(st.just([]) | st.lists(WORD, min_size=k, max_size=k))),
        ),
        split=np.array([0, 1, 2, *draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))])[
            : len(lengths)
        ],
        covariates=columns,
    )


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(panel=panels(), form=st.sampled_from(["csv", "csv.gz", "parquet"]))
def test_a_panel_folder_reads_back_equal(panel: Panel, form: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        files = write_panel(panel, Path(place) / "out", form)  # type: ignore[arg-type]
        assert [file.name for file in files] == [f"careers.{form}", "columns.json", "occupations.csv"]
        assert open_panel(Path(place) / "out").fingerprint() == panel.in_order().fingerprint()


def occupations_of(folder: Path, table: str) -> Occupations:
    folder.mkdir()
    (folder / "occupations.csv").write_text(table)
    code = table.splitlines()[1].split(",")[0]
    rows = [f"{i},2000,{code},{split}" for i, split in enumerate(SPLITS)]
    (folder / "careers.csv").write_text("\n".join(["person,year,occupation,split", *rows]) + "\n")
    return open_panel(folder).occupations


def test_minor_groups_come_from_soc_codes_or_a_column(tmp_path: Path) -> None:
    soc = occupations_of(
        tmp_path / "soc",
        "code,title,soc,status\n0010,A,11-1011,employed\n0020,B,11-2,employed\n0030,C,11,employed\n0040,D,,employed\n",
    )
    assert soc.groups == ("11", "11", "11", "0040")
    assert soc.minors == ("11-1", "11-2", "11", "0040")
    assert len(set(soc.minor_index().tolist())) == 4
    own = occupations_of(
        tmp_path / "own", "code,title,group,minor,status\na,A,x,x1,employed\nb,B,x,,employed\nc,C,y,x1,employed\n"
    )
    assert own.minors == ("x1", "x", "x1")
    assert len(set(own.minor_index().tolist())) == 3  # a minor group lies in one major group


def test_minor_groups_that_the_codes_say_are_not_said_again(tmp_path: Path) -> None:
    table = "code,title,{},status\n11-1011,A,{},employed\n11-2011,B,{},employed\nNOT,C,{},out of the labor force\n"
    bare = occupations_of(tmp_path / "bare", table.format("group", "11", "11", "NOT"))
    soc = occupations_of(tmp_path / "soc", table.format("soc", "11-1011", "11-2011", ""))
    assert bare == soc
    assert bare.minors == ()
    assert len(set(bare.minor_index().tolist())) == 3


def test_converting_keeps_minor_groups(tmp_path: Path) -> None:
    occupations_of(tmp_path / "first", "code,title,soc,status\n0010,A,11-1011,employed\n0020,B,11-2011,employed\n")
    panel = open_panel(tmp_path / "first")
    write_panel(panel, tmp_path / "second")
    assert (tmp_path / "second" / "occupations.csv").read_text().splitlines()[:2] == [
        "code,title,group,minor,status",
        "0010,A,11,11-1,employed",
    ]
    assert open_panel(tmp_path / "second").occupations == panel.occupations


@pytest.mark.parametrize("name", ["market", "wage-panel"])
def test_the_committed_records_are_of_the_panels_that_are_there_now(name: str) -> None:
    records = Store(RESULTS).all()
    kept = {r.configuration.panel.fingerprint for r in records if r.configuration.panel.name == name}
    assert kept == {open_panel(name).fingerprint()}


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_the_wage_panel_reads_back_equal(tmp_path: Path, form: str) -> None:
    panel = open_panel("wage-panel")
    write_panel(panel, tmp_path / "copy", form)  # type: ignore[arg-type]
    read = open_panel(tmp_path / "copy")
    assert read.fingerprint() == panel.fingerprint()
    assert {name: c.fixed for name, c in read.covariates.items()} == {
        name: c.fixed for name, c in panel.covariates.items()
    }
    with pytest.raises(RequestError, match="already holds something; name a new folder"):
        write_panel(panel, tmp_path / "copy")


def test_career_files_read_back_with_the_same_careers(tmp_path: Path) -> None:
    panel = open_panel("wage-panel")
    write_panel(panel, tmp_path / "career", "career")
    read = open_panel(tmp_path / "career")
    assert read.persons[0] == "test-1"  # a person's id is the split and the line
    written = panel.select(np.argsort((panel.split + 1) % 3, kind="stable"))
    assert read.occupations == panel.occupations
    np.testing.assert_array_equal(read.state, written.state)
    np.testing.assert_array_equal(read.year, written.year)
    np.testing.assert_array_equal(read.split, written.split)
    np.testing.assert_array_equal(read.covariates["birth_year"].values, written.covariates["birth_year"].values)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=30, unique=True), st.data())
def test_adding_people_moves_nobody(ids: list[str], data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
    alone = dict(zip(some, split_by_hash(np.array(some, dtype=object)).tolist(), strict=True))
    together = dict(zip(ids, split_by_hash(np.array(ids, dtype=object)).tolist(), strict=True))
    assert all(together[person] == split for person, split in alone.items())


def test_shares_of_the_split_by_hash() -> None:
    shares = np.bincount(split_by_hash(np.arange(20_000).astype(str))) / 20_000
    # Four standard errors of a share of 0.7, 0.1 and 0.2 of 20,000 persons.
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.013)


def test_a_person_is_split_alike_however_the_id_is_written(tmp_path: Path) -> None:
    rows = [(person, year) for person in range(60) for year in (2000, 2001)]
    plain, decimal = tmp_path / "plain.csv", tmp_path / "decimal.csv"
    plain.write_text("\n".join(["person,year,occupation", *(f"{p},{y},a" for p, y in rows)]))
    decimal.write_text("\n".join(["person,year,occupation", *(f"{p}.0,{y},a" for p, y in rows)]))
    assert open_panel(plain).fingerprint() == open_panel(decimal).fingerprint()


def test_the_figures_of_a_description_by_hand(tmp_path: Path) -> None:
    (tmp_path / "occupations.csv").write_text(
        "code,title,soc,status\n"
        "a,A,,employed\nb,B,,employed\nc,C,,out of the labor force\nd,D,,employed\ne,E,,employed\n"
    )
    (tmp_path / "careers.csv").write_text(
        "person,year,occupation,grade,split\n"
        "1,2000,a,x,train\n1,2001,a,,train\n1,2003,c,x,train\n1,2004,a,y,train\n"  # stay, exit over a gap, return
        "2,2000,a,x,valid\n"
        "3,2000,b,x,test\n3,2001,d,x,test\n3,2002,d,x,test\n"  # two test transitions, both into d, unseen in train
    )
    found = describe(open_panel(tmp_path))
    assert (found.persons, found.records, found.transitions) == (3, 8, 5)
    assert (found.first_year, found.last_year, found.states) == (2000, 2004, 5)
    assert (found.records_per_career.mean, found.records_per_career.median) == (8 / 3, 3)
    assert (found.states_per_career.mean, found.states_per_career.most) == (5 / 3, 2)
    assert found.single_record_careers == 1
    assert found.by_status == {"employed": 7 / 8, "out of the labor force": 1 / 8}
    assert found.stay_rate == 2 / 5
    assert found.stay_rate_by_status == {"employed": 2 / 4, "out of the labor force": 0}
    assert found.exit_rate == 1 / 4
    assert (found.gaps, found.gap_share) == (1, 1 / 5)
    assert found.unused_states == ("e",)
    assert found.unseen_states == ("b", "d")
    assert found.unseen_transitions == 1
    assert {name: (s.persons, s.records, s.transitions) for name, s in found.splits.items()} == {
        "train": (1, 4, 3),
        "valid": (1, 1, 0),
        "test": (1, 3, 2),
    }
    assert (found.covariates["grade"].levels, found.covariates["grade"].missing) == (2, 1 / 8)
    assert json.loads(json.dumps(found.as_json()))["splits"]["test"]["transitions"] == 2


def test_a_folder_is_written_whole_or_not_at_all(
    four_persons: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("harness.data.write.write_schema", full)
        with pytest.raises(RunError, match=r"made: cannot be written \(No space left on device\)"):
            write_panel(four_persons, tmp_path / "made")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "made").mkdir()
    write_panel(four_persons, tmp_path / "made")
    assert open_panel(tmp_path / "made").fingerprint() == four_persons.fingerprint()
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
