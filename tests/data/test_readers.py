"""Panel folders, single files, CAREER folders and named data sets, read as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pluggy
import pytest
from helpers.paths import SHARED, SURVEY

from harness import hookspecs, open_panel
from harness.data.open import check
from harness.data.tables.files import ENDINGS
from harness.errors import DataError, RequestError
from harness.hookspecs import PROJECT, hookimpl
from harness.model.dataset import DatasetSpec
from harness.panel.occupations import Status
from harness.registry import collect

MINE = """\
ID,yr,occ,job title,activity,sample,age,income,region,industry
7,2001,11-1021,Manager,employed,train,30,1000.5,north,0170
9,2001,29-1141,Nurse,employed,valid,NA,NA,,0180
7,2002,29-1141,Nurse,employed,train,31,,south,0180
9,2003,X,Gone,out of the labor force,valid,41,2e3,NA,
8,1999,X,Gone,out of the labor force,test,20,.,north,0170
8,2000,X,,out of the labor force,test,21,7,north,0170
"""
MAPPING = ["person=ID", "year=yr", "occupation=occ", "title=job title", "status=activity", "split=sample"]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(MINE)
    return path


def test_a_single_file_by_column_mapping(mine: Path) -> None:
    panel = open_panel(mine, columns=MAPPING)
    assert panel.name == "mine"
    assert panel.persons.tolist() == ["7", "8", "9"]  # in the order of their ids, rows of a person gathered
    assert panel.offsets.tolist() == [0, 2, 4, 6]
    assert panel.year.tolist() == [2001, 2002, 1999, 2000, 2001, 2003]
    assert panel.occupations.codes == ("11-1021", "29-1141", "X")
    assert panel.occupations.titles == ("Manager", "Nurse", "Gone")
    assert panel.occupations.groups == ("11", "29", "X")
    assert panel.occupations.statuses == (Status.EMPLOYED, Status.EMPLOYED, Status.OUT)
    assert panel.state.tolist() == [0, 1, 2, 2, 1, 2]
    assert panel.split.tolist() == [0, 2, 1]
    assert list(panel.covariates) == ["age", "income", "region", "industry"]
    np.testing.assert_array_equal(panel.covariates["age"].values, [30, 31, 20, 21, np.nan, 41])
    np.testing.assert_array_equal(panel.covariates["income"].values, [1000.5, np.nan, np.nan, 7, np.nan, 2000])
    assert panel.covariates["region"].levels == ("NA", "north", "south")
    assert panel.covariates["industry"].levels == ("0170", "0180")  # a code, not a number
    assert not panel.covariates["industry"].fixed


def test_a_file_from_pandas_with_an_index_and_decimal_ids(tmp_path: Path) -> None:
    lines = MINE.replace("7,2", "7.0,2").replace("9,2", "9.0,2").replace("8,", "8.0,", 2).splitlines()
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([f",{lines[0]}", *(f"{i},{line}" for i, line in enumerate(lines[1:]))]))
    panel = open_panel(path, columns=MAPPING)
    assert panel.persons.tolist() == ["7", "8", "9"]
    assert panel.left_out == {"columns of mine.csv without a name": 1}


def test_an_occupations_table_beside_a_single_file(mine: Path, tmp_path: Path) -> None:
    table = tmp_path / "states.csv"
    table.write_text(
        "code,title,group,status,note\n29-1141,Registered nurse,health,employed,a\n"
        "11-1021,Boss,,employed,b\nX,Left,,out of the labor force,c\nY,Nobody,,employed,d\n"
    )
    panel = open_panel(mine, columns=MAPPING, occupations=table)
    assert panel.occupations.codes == ("29-1141", "11-1021", "X", "Y")
    assert panel.occupations.groups == ("health", "11-1021", "X", "Y")
    assert panel.left_out == {
        "columns of states.csv not used": 1,
        "columns of mine.csv that describe states, in favor of states.csv": 2,
    }


def test_what_a_single_file_cannot_say_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{p},{2000 + t},{10 if t else 4230},{'NA' if t else 'a'}" for p in range(40) for t in range(4)]
    path.write_text("\n".join(["person,year,occupation,grade", *rows]))
    found = check(path)
    assert found.errors == []
    assert [str(note) for note in found.notes] == [
        "mine, column 'grade': has one value for each state of its own record: is this known of the person, or of the "
        "job of that same year? Then it tells a model the outcome; leave it out, or give each record the value of the "
        "one before",
        "mine, column 'grade', value 'NA': is taken as a value like any other; leave the entry blank if it means that "
        "none is known",
        "mine.csv: no column says each state's labor-force status, so all count as employed: map one to 'status'",
        "mine.csv, line 3, column 'occupation', value '10': codes are 2 to 4 digits long: "
        "make sure that none has lost leading zeros",
    ]


def test_a_code_has_one_title_and_one_status(mine: Path) -> None:
    mine.write_text(MINE.replace("7,2002,29-1141,Nurse,employed", "7,2002,29-1141,Doctor,at work"))
    with pytest.raises(DataError) as refused:
        open_panel(mine, columns=MAPPING)
    assert [str(fault) for fault in refused.value.faults] == [
        "mine.csv, line 4, column 'job title', value 'Doctor': code '29-1141' has another title in line 3, 'Nurse': "
        "give a code one title, or keep it a covariate with --column title=",
        "mine.csv, line 4, column 'activity', value 'at work': code '29-1141' has another status in line 3, "
        "'employed': give a code one status, or keep it a covariate with --column status=",
        "mine.csv, line 4, column 'activity', value 'at work': is not a labor-force status; known: education, "
        "employed, out of the labor force, out of the labor force or unemployed, unemployed, "
        "or keep it a covariate with --column status=",
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["persn=ID"], "--column persn=: no such part; did you mean 'person'?"),
        (["person"], "--column person: write part=column, as --column person=ID"),
        (["person=ID", "year=ID"], "--column: 'ID' cannot be both person and year"),
    ],
)
def test_a_mapping_that_makes_no_sense(mine: Path, columns: list[str], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        open_panel(mine, columns=columns)
    assert str(refused.value) == message


def test_a_mapped_column_must_exist(mine: Path) -> None:
    with pytest.raises(DataError) as refused:
        open_panel(mine, columns=[*MAPPING[:3], "title=jobtitle"])
    assert str(refused.value.faults[0]) == (
        "mine.csv, line 1, column 'jobtitle': there is no such column; did you mean 'job title'?; "
        "name it so, or say --column title=NAME"
    )


CAREER = {
    "train.job": "11-1021 11-1021 29-1141\n29-1141\n",
    "train.year": "2000 2001 2003\n1999\n",
    "train.education": "ba ba ma\nhs\n",
    "train.gender": "f\nm\n",
    "valid.job": "x1 11-1021\n",
    "valid.year": "2000 2001\n",
    "valid.education": "ba ba\n",
    "valid.gender": "f\n",
    "test.job": "x1 x1\n",
    "test.year": "2000 2001\n",
    "test.education": "ba\n",
    "test.gender": "f\n",
}


def career_folder(path: Path, **changed: str) -> Path:
    for name, content in CAREER.items():
        (path / name).write_text(changed.get(name.replace(".", "_"), content))
    return path


def test_a_career_folder(tmp_path: Path) -> None:
    panel = open_panel(career_folder(tmp_path))
    assert panel.name == tmp_path.name
    assert panel.persons.tolist() == ["test-1", "train-1", "train-2", "valid-1"]
    assert panel.split.tolist() == [2, 0, 0, 1]
    assert panel.offsets.tolist() == [0, 2, 5, 6, 8]
    assert panel.year.tolist() == [2000, 2001, 2000, 2001, 2003, 1999, 2000, 2001]
    assert panel.occupations.codes == ("11-1021", "29-1141", "x1")
    assert panel.occupations.groups == ("11", "29", "x1")
    assert panel.state.tolist() == [2, 2, 0, 0, 1, 1, 2, 0]
    education, gender = panel.covariates["education"], panel.covariates["gender"]
    assert [education.levels[v] for v in education.values] == ["ba", "ba", "ba", "ba", "ma", "hs", "ba", "ba"]
    assert gender.fixed
    assert not education.fixed


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("train_year", "2000 2001\n1999\n", "train.year, line 1: 2 entries, but train.job has 3 in this line"),
        ("train_year", "2000 2001 2003\n", "train.year, line 2: has 1 line, train.job has 2"),
        ("train_gender", "f\nm\nm\n", "train.gender, line 3: has 3 lines, train.job has 2"),
        ("train_education", "ba ba\nhs\n", "train.education, line 1: 2 entries, but train.job has 3 in this line"),
        ("train_job", "11-1021 11-1021 29-1141\n\n", "train.job, line 2: the line is empty"),
        (
            "train_year",
            "2000 2002 2001\n1999\n",
            "train.year, line 1, column 'entry 3', value '2001': comes after 2002",
        ),
        ("valid_year", "2000 200l\n", "valid.year, line 1, column 'entry 2', value '200l': is not an integer"),
        ("test_year", "2000 2000\n", "test.year, line 1, column 'entry 2', value '2000': person 'test-1' already has"),
        ("test_gender", "", "test.gender: is empty"),
    ],
)
def test_career_files_that_do_not_match(tmp_path: Path, file: str, content: str, expected: str) -> None:
    found = check(career_folder(tmp_path, **{file: content}))
    assert found.panel is None
    assert str(found.errors[0]).startswith(expected)


def test_a_career_file_that_is_missing_or_not_utf_8(tmp_path: Path) -> None:
    place = career_folder(tmp_path)
    (place / "valid.education").unlink()
    (place / "train.gender").write_bytes(b"f\nm\xe4nnlich\n")
    assert [str(fault) for fault in check(place).errors] == [
        "train.gender, line 2, value 'm\ufffdnnlich': byte 0xe4 is not UTF-8: save the whole file as UTF-8",
        "valid.education: is missing: each of train, valid and test needs the same files",
    ]


@pytest.mark.skipif(not (SHARED / "career_format").is_dir(), reason="the sample of CAREER files is not on this machine")
def test_the_career_sample() -> None:
    panel = open_panel(SHARED / "career_format")
    assert (panel.name, panel.n_persons, panel.n_records) == ("career_format", 5, 43)
    assert np.bincount(panel.split).tolist() == [3, 1, 1]
    train = panel.part("train")
    assert train.year[:3].tolist() == [1995, 1996, 1997]
    assert panel.covariates["location"].fixed
    assert panel.left_out == {}


@pytest.mark.survey
@pytest.mark.skipif(not SURVEY.is_dir(), reason="the survey extract is not on this machine")
def test_the_survey_extract() -> None:
    panel = open_panel(SURVEY)
    assert (panel.name, panel.n_records, panel.n_persons, panel.n_states) == ("nlsy97", 159_374, 7_073, 484)
    assert len(np.unique(panel.state)) == 482
    assert panel.occupations.codes[:2] == ("0010", "0020")
    assert np.bincount(panel.split).tolist() == [4951, 707, 1415]
    assert panel.covariates["birth_year"].kind == "numeric"
    assert {name for name, c in panel.covariates.items() if c.fixed} == {"birth_year", "gender", "ethnicity"}
    found = check(SURVEY)
    assert (found.errors, found.notes) == ([], [])


def test_the_wage_panel() -> None:
    panel = open_panel("wage-panel")
    assert (panel.name, panel.n_persons, panel.n_records, panel.n_states) == ("wage-panel", 545, 4360, 9)
    assert np.bincount(panel.state).tolist() == [453, 399, 233, 486, 934, 881, 401, 64, 509]
    assert np.diff(panel.offsets).tolist() == [8] * 545
    birth = panel.covariates["birth_year"]
    assert birth.fixed
    assert (birth.values.min(), birth.values.max()) == (1957, 1963)  # the survey sampled men born 1957 to 1964
    assert list(panel.covariates) == ["birth_year", "ethnicity", "years_of_schooling", "married"]
    assert sum(panel.left_out.values()) == 5
    first = panel.select(np.array([0]))
    assert first.persons.tolist() == ["13"]
    assert first.occupations.titles[first.state[0]] == "Service workers"


def test_a_data_set_without_its_library_says_how_to_install_it() -> None:
    spec = DatasetSpec("census", "none", open_panel, needs=("no_such_library",), install="pip install 'it[all]'")

    class Plugin:
        @hookimpl
        def harness_datasets(self) -> list[DatasetSpec]:
            return [spec]

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Plugin())
    with pytest.raises(RequestError) as refused:
        open_panel("census", registry=collect(manager))
    message = "data set 'census' needs no_such_library, which is not installed: pip install 'it[all]'"
    assert str(refused.value) == message
    with pytest.raises(RequestError, match="--column and --occupations are for files"):
        open_panel("census", columns=["person=ID"], registry=collect(manager))


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (Path("market"), {}, "market: there is no such file or folder"),
        (
            "wage-panle",
            {},
            "'wage-panle' is no data set, and there is no such file or folder; did you mean 'wage-panel'?",
        ),
        ("wage-panel", {"men": "3"}, "'wage-panel' has no parameter 'men'; it has none"),
        ("market", {"person": 3}, "'market' has no parameter 'person'; did you mean 'persons'?"),
        (
            "tests",
            {},
            "tests: the folder holds neither careers.csv (or .csv.gz, .parquet) nor train.job, and no parquet files",
        ),
        (
            "README.md",
            {},
            f"README.md: careers are read from {', '.join(ENDINGS)} files, packed or not, or from a folder",
        ),
    ],
)
def test_a_source_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | Path, settings: dict[str, object], message: str
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "README.md").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError) as refused:
        open_panel(source, settings)
    assert str(refused.value) == message
