"""Every fault of a panel folder or a single file is told with its file, line, column, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.tables import CAREERS, OCCUPATIONS, errors, folder

from harness import open_panel
from harness.data.open import check
from harness.errors import DataError


def test_sound_folder_has_no_finding(tmp_path: Path) -> None:
    found = check(folder(tmp_path))
    assert (found.errors, found.notes) == ([], [])
    panel = found.panel
    assert panel is not None
    assert panel.occupations.codes == ("0010", "0020", "4230", "HOME")
    assert panel.occupations.groups == ("11", "11", "37", "HOME")
    assert panel.state.tolist() == [0, 1, 2, 3, 3, 2]
    assert panel.covariates["gender"].values.tolist() == [0, 0, 1, 1, -1, -1]
    assert panel.covariates["gender"].fixed


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "1,1999,0020",
            "1,1999,0021",
            "careers.csv, line 3, column 'occupation', value '0021': no occupation has this code; did you mean '0020'?",
        ),
        (
            "1,1999,0020",
            "1,1999,20",
            "careers.csv, line 3, column 'occupation', value '20': has lost its leading zeros: the code is '0020'; "
            "read and write codes as text",
        ),
        (
            "2,1998,4230",
            "2,1998,4230.0",
            "careers.csv, line 4, column 'occupation', value '4230.0': was read as a number: the code is '4230'; "
            "read and write codes as text",
        ),
        (
            "2,1999,HOME",
            "2,1998,HOME",
            "careers.csv, line 5, column 'year', value '1998': person '2' already has a record of this year (line 4): "
            "keep one a year, or say which counts (--main)",
        ),
        (
            "2,1999,HOME",
            "2,1997,HOME",
            "careers.csv, line 5, column 'year', value '1997': comes after 1998 of person '2': "
            "sort each person's rows by year, or --order time",
        ),
        (
            "3,2001",
            "3,2001.5",
            "careers.csv, line 7, column 'year', value '2001.5': is not an integer; a calendar year is written as 1998",
        ),
        (
            "3,2001",
            "3,",
            "careers.csv, line 7, column 'year', value '': is blank; every record needs a calendar year, as 1998",
        ),
        (
            "3,2001",
            ",2001",
            "careers.csv, line 7, column 'person', value '': is blank; every record needs the id of its person",
        ),
        (
            "3,2001,4230",
            "3,2001, ",
            "careers.csv, line 7, column 'occupation', value '': is blank; a year without a known state has no row",
        ),
        (
            "HOME,male,valid",
            "HOME,male,train",
            "careers.csv, line 5, column 'split', value 'train': person '2' is in 'valid' above: "
            "a person belongs to one split",
        ),
        (
            "HOME,male,valid",
            "HOME,male,vaild",
            "careers.csv, line 5, column 'split', value 'vaild': is not a split; did you mean 'valid'?",
        ),
        (
            "HOME,male,valid",
            "HOME,male,",
            "careers.csv, line 5, column 'split', value '': is blank; every record says train, valid or test",
        ),
        (
            "2,1999,HOME,male,valid",
            "2,1999,HOME,male",
            "careers.csv, line 5: the row has 4 entries, the header 5",
        ),
        (
            "person,year,occupation",
            "person,yaer,occupation",
            "careers.csv, line 1, column 'year': there is no such column; did you mean 'yaer'?; "
            "name it so, or say --column year=NAME",
        ),
        (
            "gender,split",
            "year,split",
            "careers.csv, line 1, column 'year': 2 columns have this name: give each its own",
        ),
    ],
)  # fmt: skip
def test_one_fault_in_the_careers(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert CAREERS.count(old) == 1
    assert errors(folder(tmp_path, CAREERS.replace(old, new))) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "Maids,37-2012,employed",
            "Maids,37-2012,employd",
            "occupations.csv, line 4, column 'status', value 'employd': is not a labor-force status; "
            "did you mean 'employed'?",
        ),
        (
            "Maids,37",
            "Maids,x37",
            "occupations.csv, line 4, column 'soc', value 'x37-2012': a SOC code begins with two digits, as '11-1011'; "
            "leave it blank where there is none",
        ),
        (
            "0020,General Managers",
            "0020,",
            "occupations.csv, line 3, column 'title', value '': is blank; every state needs a title in words",
        ),
        (
            "HOME,Not",
            "HOME,Not working,,employed\nHOME,Not",
            "occupations.csv, line 6, column 'code', value 'HOME': the code already stands in line 5: "
            "a code is listed once",
        ),
        (
            "code,title,soc",
            "code,title,sco",
            "occupations.csv, line 1, column 'soc': there is no such column; did you mean 'sco'?; "
            "'group' would do as well",
        ),
    ],
)  # fmt: skip
def test_one_fault_in_the_occupations(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert OCCUPATIONS.count(old) == 1
    assert errors(folder(tmp_path, occupations=OCCUPATIONS.replace(old, new))) == [expected]


def test_all_faults_are_found_at_once(tmp_path: Path) -> None:
    careers = CAREERS.replace("1,1999,0020", "1,1999,20").replace("2,1999", "2,1998").replace("3,2001", "3,x")
    occupations = OCCUPATIONS.replace("Maids,37-2012,employed", "Maids,37-2012,busy")
    source = folder(tmp_path, careers, occupations)
    found = errors(source)
    assert [line.split(":")[0] for line in found] == [
        "careers.csv, line 3, column 'occupation', value '20'",
        "careers.csv, line 5, column 'year', value '1998'",
        "careers.csv, line 7, column 'year', value 'x'",
        "occupations.csv, line 4, column 'status', value 'busy'",
    ]
    with pytest.raises(DataError, match=r"\(and 3 more: 'harness data check' lists them all\)$"):
        open_panel(source)


def test_only_codes_of_digits_lose_leading_zeros(tmp_path: Path) -> None:
    occupations = OCCUPATIONS.replace("0010", "0000").replace("0020", "0B")
    careers = CAREERS.replace("0010", "0.895").replace("0020", "B").replace("3,1998,HOME", "3,1998,0")
    assert [line.partition(": ")[2] for line in errors(folder(tmp_path, careers, occupations))] == [
        "no occupation has this code; known: 0000, 0B, 4230, HOME",
        "no occupation has this code; did you mean '0B'?",
        "has lost its leading zeros: the code is '0000'; read and write codes as text",
    ]


def test_every_bad_row_is_listed(tmp_path: Path) -> None:
    assert [line.split(",")[1] for line in errors(folder(tmp_path, CAREERS.replace("HOME", "HONE")))] == [
        " line 5",
        " line 6",
    ]


def test_two_codes_with_one_title_are_a_note(tmp_path: Path) -> None:
    found = check(folder(tmp_path, occupations=OCCUPATIONS.replace("General Managers", "Chief Executives")))
    assert found.panel is not None
    assert [str(note) for note in found.notes] == [
        "occupations.csv, line 3, column 'title', value 'Chief Executives': line 2 has the same title: "
        "models that read titles cannot tell the two apart"
    ]


def test_single_record_careers_are_notes_and_are_kept(tmp_path: Path) -> None:
    found = check(folder(tmp_path, CAREERS + "9,2000,0010,male,train\n"))
    assert found.panel is not None
    assert found.panel.n_persons == 4
    assert [str(note) for note in found.notes] == [
        "careers.csv, line 8, column 'person', value '9': the career has a single record, so no transition: "
        "kept, and asked about in first records only"
    ]


def test_an_empty_split_is_a_fault(tmp_path: Path) -> None:
    assert errors(folder(tmp_path, CAREERS.replace("valid", "train"))) == [
        "careers.csv, column 'split': no person is in the valid split: put some there"
    ]
    three = CAREERS.replace("split", "half")
    found = errors(folder(tmp_path, three))
    assert all("3 persons are too few to split by hash; bring more, or a column 'split'" in line for line in found)
