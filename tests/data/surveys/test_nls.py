"""harness import nlsy79 and nlsy97: bundles of the NLS Investigator."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import Question, investigator
from helpers.paths import SHARED, SURVEY
from helpers.toys import InProcess

import harness
from harness.panel.careers import Panel

YEARS = (1997, 1998, 1999, 2000)
MANAGER, COOK, NURSE = 430, 4020, 3130


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess("import", monkeypatch, capsys)


def read(panel: Panel) -> dict[str, list[tuple[int, str]]]:
    """Careers as (year, code) by person."""
    codes = np.array(panel.occupations.codes)[panel.state]
    return {
        str(person): list(zip(panel.year[a:b].tolist(), codes[a:b].tolist(), strict=True))
        for person, a, b in zip(panel.persons, panel.offsets[:-1], panel.offsets[1:], strict=True)
    }


def column(panel: Panel, name: str) -> list[str | None]:
    one = panel.covariates[name]
    return [one.levels[i] if i >= 0 else None for i in one.values.astype(int).tolist()]


def young() -> list[Question]:
    """Four persons of the 1997 cohort over four years; the fourth was asked once, and had no state then."""
    jobs = {  # year -> job -> the codes of the four
        1997: {1: (-4, -4, COOK, -4), 2: (-4, -4, -4, -4)},
        1998: {1: (COOK, -4, -3, -5), 2: (NURSE, -4, NURSE, -5)},
        1999: {1: (COOK, 9990, MANAGER, -5), 2: (MANAGER, -4, -4, -5)},
        2000: {1: (MANAGER, -2, -5, -5), 2: (-4, -1, -5, -5)},
    }
    hours = {1997: (-4, -4, 20, -4), 1998: (30, -4, -4, -5), 1999: (10, -4, 40, -5), 2000: (40, -4, -5, -5)}
    more = {1997: (-4, -4, -4, -4), 1998: (10, -4, 5, -5), 1999: (35, -4, -4, -5), 2000: (-4, -4, -5, -5)}
    questions = [
        Question("R0000100", "PUBID", "1997", (7, 11, 2, 12)),
        Question("R0536300", "KEY_SEX", "1997", (1, 2, 2, 1)),
        Question("R0536402", "KEY_BDATE_Y", "1997", (1981, 1982, 1980, 1984)),
        Question("R1482600", "KEY_RACE_ETHNICITY", "1997", (4, 1, 2, 3)),
        Question("R1236101", "SAMPLING_WEIGHT_CC", "1997", (10050, 20000, 400, 100)),
        Question("R9999901", "VSTRAT", "1997", (1, 1, 2, 2)),
        Question("R9999902", "VPSU", "1997", (1, 2, 3, 4)),
    ]
    for i, year in enumerate(YEARS):
        for job, codes in jobs[year].items():
            questions.append(Question(f"S100{i}{job}00", f"YEMP_OCCODE-2002.0{job}", str(year), codes))
        questions.append(Question(f"S200{i}100", "CV_HRS_PER_WEEK.01", str(year), hours[year]))
        questions.append(Question(f"S200{i}200", "CV_HRS_PER_WEEK.02", str(year), more[year]))
    questions += [
        Question("S3000100", "CV_ENROLLSTAT_EDT", "1997", (8, 8, 8, -5)),
        Question("S3000101", "CV_ENROLLSTAT_EDT", "1998", (3, 3, 9, -5)),
        Question("S4000100", "CV_HGC_EVER_EDT", "1998", (12, 11, 12, -5)),
        Question("S4000101", "CV_HIGHEST_DEGREE_EVER_EDT", "2000", (4, -2, -5, -5)),
    ]
    weeks = {1: (5, 4, 9701), 2: (5, 4, 9701), 3: (5, 9702, 9701)}
    for week, (eleven, _, _) in weeks.items():
        questions.append(Question(f"E00000{week:02d}", f"EMP_STATUS_1998.{week:02d}", "XRND", (9701, eleven, 9701, 0)))
    for week, status in ((1, 4), (2, 4), (3, 5)):
        questions.append(Question(f"E00001{week:02d}", f"EMP_STATUS_1999.{week:02d}", "XRND", (9701, status, 9701, 0)))
    for week in (1, 2):
        questions.append(Question(f"E00002{week:02d}", f"EMP_STATUS_2000.{week:02d}", "XRND", (9701, 2, -5, 0)))
    return questions


def many(questions: list[Question], times: int = 20) -> list[Question]:
    """The same persons many times, with ids of their own, so that each split has some."""
    first, *rest = questions
    ids = [one + 100 * i for i in range(times) for one in first.values]
    return [Question(first.reference, first.question, first.year, ids)] + [
        Question(one.reference, one.question, one.year, list(one.values) * times) for one in rest
    ]


EXPECTED = {
    "2": [(1997, "4020"), (1998, "3130"), (1999, "0430")],
    "7": [(1997, "EDUCATION"), (1998, "4020"), (1999, "0430"), (2000, "0430")],
    "11": [(1997, "EDUCATION"), (1998, "OUT"), (1999, "UNEMPLOYED"), (2000, "NOTWORK")],
}


@pytest.mark.parametrize("forms", [("csv", "sdf"), ("dct", "cdb"), ("dat", "sps", "cdb")])
def test_every_layout_gives_the_same_careers(command: InProcess, tmp_path: Path, forms: tuple[str, ...]) -> None:
    """The main job is that with most hours; schooling and weeks say the rest; education is carried."""
    bundle = investigator(tmp_path / "bundle", "default", many(young()), forms)
    status, out, err = command("nlsy97", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, err) == (0, "")
    panel = harness.open_panel(tmp_path / "panel")
    careers = read(panel)
    assert {person: careers[person] for person in EXPECTED} == EXPECTED
    assert all(careers[str(int(person) + 1900)] == career for person, career in EXPECTED.items())
    lines = out.splitlines()
    assert "60 persons, 220 person-years 1997-2000, 7 states" in lines
    assert "40 jobs of a year beside its main job" in lines
    assert "20 persons without any year with a state" in lines
    assert column(panel, "gender")[:11] == ["female"] * 3 + ["male"] * 4 + ["female"] * 4
    assert column(panel, "education")[:11] == [
        *(None, "high school", "high school"),
        *(None, "high school", "high school", "college"),
        *(None, "less than high school", "less than high school", "less than high school"),
    ]
    assert panel.covariates["birth_year"].values[:4].tolist() == [1980, 1980, 1980, 1981]
    assert panel.covariates["weight"].values[3] == 100.5
    assert column(panel, "stratum")[0] == "2"
    assert column(panel, "unit")[10] == "1-2"
    states = panel.occupations
    titles = dict(zip(states.codes, states.titles, strict=True))
    assert (titles["3130"], states.groups[states.codes.index("3130")]) == ("Registered Nurses", "29")


def test_a_person_stands_in_one_row(command: InProcess, tmp_path: Path) -> None:
    first, *rest = many(young())
    twice = Question(first.reference, first.question, first.year, [*first.values[:-1], first.values[0]])
    bundle = investigator(tmp_path / "bundle", "default", [twice, *rest], ("csv", "sdf"))
    status, _, err = command("nlsy97", str(bundle), "--out", str(tmp_path / "panel"))
    assert (status, err) == (2, "error: panel: 2 rows are of person 7: each person has one\n")


def test_missing_codes_are_told_apart_and_counted(command: InProcess, tmp_path: Path) -> None:
    bundle = investigator(tmp_path / "bundle", "default", many(young()), ("csv", "sdf"))
    status, out, _ = command("nlsy97", str(bundle), "--out", str(tmp_path / "panel"), "--json")
    assert status == 0
    occupations = json.loads(out)["missing"]["occupation"]
    assert occupations == {
        **{"refusal": 20, "don't know": 20, "invalid skip": 20},
        **{"valid skip": 240, "non-interview": 160},
    }


def test_a_zip_is_a_bundle_and_reference_numbers_are_known_without_a_codebook(
    command: InProcess, tmp_path: Path
) -> None:
    """The variables of the tagset are known by their numbers alone."""
    questions = [
        Question("R0000100", "", "", (1, 2, 3)),
        Question("R0046400", "", "", (44, 1, -4)),  # the current job of 1979, in Census 1970 codes
        Question("R0089700", "", "", (45, 245, 245)),
        Question("R7209600", "", "", (43, -4, -4)),  # 2002: Census 2000, three digits
        Question("R7898000", "", "", (430, 313, -4)),  # 2004: four digits
        Question("R0214800", "", "", (1, 2, 2)),
        Question("R0000500", "", "", (57, 64, 60)),
    ]
    bundle = investigator(tmp_path / "bundle", "mine", many(questions), ("csv",))
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as packed:
        packed.write(bundle / "mine.csv", "sub/mine.csv")
    status, out, err = command("nlsy79", str(tmp_path / "mine.zip"), "--out", str(tmp_path / "panel"))
    assert (status, err) == (0, "")
    assert "40 steps from a code of one census to one of another, which name the same work differently" in out
    panel = harness.open_panel(tmp_path / "panel")
    careers = read(panel)
    assert {person: careers[person] for person in "123"} == {
        "1": [(1979, "1970-044"), (2002, "2002-0430"), (2004, "2002-0430")],
        "2": [(1979, "1970-001"), (2004, "2002-0313")],
        "3": [(1979, "1970-245")],
    }
    assert panel.covariates["birth_year"].values[0] == 1957


def test_occ1990dd_takes_the_crosswalks_that_were_downloaded(command: InProcess, tmp_path: Path) -> None:
    bundle = investigator(tmp_path / "bundle", "default", many(young()), ("csv", "sdf"))
    line = ["nlsy97", str(bundle), "--out", str(tmp_path / "panel"), "--occupations", "occ1990dd"]
    status, out, err = command(*line)
    assert (status, out) == (2, "")
    assert "occ2000_occ1990dd" in err
    assert len(err.splitlines()) == 1
    (tmp_path / "dorn").mkdir()
    (tmp_path / "dorn" / "occ2000_occ1990dd.csv").write_text("occ,occ1990dd\n43,22\n402,436\n")
    status, out, err = command(*line, "--crosswalk", str(tmp_path / "dorn"))
    assert (status, err) == (0, "")
    panel = harness.open_panel(tmp_path / "panel")
    assert set(panel.occupations.codes) == {"022", "436", "EDUCATION", "UNEMPLOYED", "OUT", "NOTWORK"}
    assert read(panel)["2"] == [(1997, "436"), (1999, "022")]
    assert "20 person-years whose code has no counterpart in occ1990dd" in out.splitlines()


def test_a_tagset_asks_for_every_variable_that_careers_are_made_of(command: InProcess, tmp_path: Path) -> None:
    for survey, identity in (("nlsy79", "R0000100"), ("nlsy97", "R0000100")):
        file = tmp_path / survey
        assert command(survey, "--tagset", str(file))[0] == 0
        names = file.read_text().split("\n")
        assert names[-1] == ""
        assert identity in names
        assert all(len(name) == 8 and name[0].isupper() and name[1:].isdigit() for name in names[:-1])
    assert command("nlsy97", "--tagset", str(file))[2].count("is there already") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("R0000100,R0046400\n1,x\n", "mine.csv: is no table of numbers"),
        ("R0000100\n1\n", "careers need occupations"),
        ("R0046400\n1\n", "careers need the person"),
    ],
)
def test_a_faulty_bundle_is_told_in_one_line(command: InProcess, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.csv").write_text(text)
    status, out, err = command("nlsy79", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "panel"))
    assert (status, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(not (SHARED / "formats").is_dir(), reason="the survey extract is not on this machine")
@pytest.mark.parametrize("ending", ["csv", "dct"])
def test_a_real_bundle_is_read_whole(command: InProcess, tmp_path: Path, ending: str) -> None:
    """It holds no occupations: all else is read, and the lack is told in one line."""
    for path in (SHARED / "formats").glob("NLSY79_supplement1.*"):
        if path.suffix in (f".{ending}", ".sdf", ".cdb"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    status, out, err = command("nlsy79", str(tmp_path), "--out", str(tmp_path / "panel"))
    assert (status, out) == (2, "")
    assert f"NLSY79_supplement1.{ending} was read (120 variables, 12,686 persons)" in err
    assert "careers need occupations" in err


@pytest.mark.skipif(not SURVEY.is_dir(), reason="the survey extract is not on this machine")
def test_real_careers_come_back_from_the_sites_layout(command: InProcess, tmp_path: Path) -> None:
    """5,000 careers of NLSY97 and more, written as the site would give them, are the same careers again."""
    real = harness.open_panel(SURVEY)
    codes = np.array(real.occupations.codes)
    person, year, code = real.person, real.year, codes[real.state]
    questions = [Question("R0000100", "PUBID", "1997", real.persons.astype(int).tolist())]
    for i, one in enumerate(sorted(set(year.tolist()))):
        rows = np.flatnonzero(year == one)
        occupation = np.full(real.n_persons, -5)
        weeks = np.full(real.n_persons, -5)
        enrolled = np.full(real.n_persons, -5)
        works = np.char.isdecimal(code[rows])
        occupation[person[rows]] = np.where(works, np.where(works, code[rows], "0").astype(int), -4)
        weeks[person[rows]] = np.where(code[rows] == "NOTWORK", 0, 40)
        enrolled[person[rows]] = np.where(code[rows] == "SCHOOL", 10, 4)
        questions += [
            Question(f"S{i:02d}00000", "YEMP_OCCODE-2002.01", str(one), occupation.tolist()),
            Question(f"S{i:02d}10000", f"CVC_WKSWK_YR_ALL.{one % 100:02d}", "XRND", weeks.tolist()),
            Question(f"S{i:02d}20000", "CV_ENROLLSTAT", str(one), enrolled.tolist()),
        ]
    bundle = investigator(tmp_path / "bundle", "default", questions, ("csv", "sdf"))
    assert command("nlsy97", str(bundle), "--out", str(tmp_path / "panel"))[0] == 0
    again = harness.open_panel(tmp_path / "panel")
    names = {"SCHOOL": "EDUCATION"}
    expected = {p: [(y, names.get(c, c)) for y, c in career] for p, career in read(real).items()}
    assert read(again) == expected
