"""harness import: a survey or a corpus of resumes as its site gives it, as a panel folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import console
from harness.cli.options import JsonOption
from harness.errors import RequestError
from harness.system.progress import PROGRESS
from harness.system.words import counted

if TYPE_CHECKING:
    from harness.data.surveys.importing import Imported


class Survey(StrEnum):
    """Surveys and corpora of resumes that can be imported."""

    NLSY79 = "nlsy79"
    NLSY97 = "nlsy97"
    PSID = "psid"
    CPS = "cps"
    JOBHOP = "jobhop"
    KARRIEREWEGE = "karrierewege"
    DECORTE = "decorte"


RESUMES = (Survey.JOBHOP, Survey.KARRIEREWEGE, Survey.DECORTE)


class StateScheme(StrEnum):
    """State spaces of imported careers."""

    OWN = "own"
    OCC1990DD = "occ1990dd"


def import_survey(
    context: typer.Context,
    survey: Annotated[
        Survey,
        typer.Argument(
            help="Survey or corpus that the files are of: nlsy79, nlsy97, psid, cps, jobhop, karrierewege, decorte.",
            metavar="SURVEY",
        ),
    ],
    source: Annotated[
        Path | None, typer.Argument(help="The download: a folder, a zip, or one of its files.", metavar="FOLDER_OR_ZIP")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A new folder for the panel.", metavar="PANEL")] = None,
    scheme: Annotated[
        StateScheme,
        typer.Option("--occupations", help="States: occ1990dd, as LABOR-LLM's, or the survey's own codes."),
    ] = StateScheme.OWN,
    crosswalk: Annotated[
        Path | None,
        typer.Option("--crosswalk", help="Dorn's crosswalks to occ1990dd: a file, or a folder of them (.dta or .csv)."),
    ] = None,
    tagset: Annotated[
        Path | None,
        typer.Option("--tagset", help="Write the variables to ask the site for, and import nothing.", metavar="FILE"),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match",
            help="Resumes: the code list whose titles the resumes' are matched to, a name ('harness data lists') or a "
            "table; JobHop's ESCO codes become unit groups of isco08.",
            metavar="LIST",
        ),
    ] = None,
    least: Annotated[
        float, typer.Option("--least-score", help="Similarity that a match needs, 0 to 100.", min=0, max=100)
    ] = 85.0,
    matches: Annotated[
        Path | None,
        typer.Option(
            "--matches", help="Matches as they were written, and edited, to take as they are.", metavar="FILE"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn the download of a survey or of resumes into a panel.

    The files are read as the site gives them.
    """
    if tagset is not None:
        if source is not None or out is not None:
            raise RequestError("--tagset writes the variables to ask for; it takes neither files nor --out")
        _write_tagset(survey, tagset)
        return
    if source is None or out is None:
        raise RequestError(f"harness import {survey.value} FOLDER_OR_ZIP --out PANEL: both are needed")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(f"{out}: already holds something; name a new folder")
    with context.meta[PROGRESS].bar(f"reading {source}", None):
        if survey in RESUMES:
            if scheme is not StateScheme.OWN or crosswalk is not None:
                raise RequestError("--occupations occ1990dd and --crosswalk are for surveys; resumes take --match LIST")
            done = _resumes(survey, source, out, match=match, least=least, matches=matches)
        elif match is not None or matches is not None:
            raise RequestError("--match and --matches are for resumes; surveys take --occupations")
        else:
            done = _survey(survey, source, out, scheme=scheme, crosswalk=crosswalk)
    if as_json:
        console.emit_json(
            {
                "files": [str(file) for file in done.files],
                "persons": done.panel.n_persons,
                "records": done.panel.n_records,
                "states": done.panel.n_states,
                "fingerprint": done.panel.fingerprint(),
                "notes": dict(done.notes),
                "missing": {part: dict(counts) for part, counts in done.missing.items()},
            }
        )
    else:
        _show(done)


def _survey(survey: Survey, source: Path, out: Path, scheme: StateScheme, crosswalk: Path | None) -> Imported:
    from harness.data.surveys.importing import import_survey as read

    return read(survey.value, source, out, scheme.value, crosswalk=crosswalk)


def _resumes(
    survey: Survey, source: Path, out: Path, match: str | None, least: float, matches: Path | None
) -> Imported:
    from harness.data.surveys.resume_careers import Matching, import_resumes

    if match is None:
        if matches is not None:
            raise RequestError("--matches is for --match LIST")
        return import_resumes(survey.value, source, out, None)
    written = out.with_name(f"{out.name}.matches.csv")
    wanted = Matching(code_list=match, least=least, matches=matches, written=written)
    return import_resumes(survey.value, source, out, wanted)


def _write_tagset(survey: Survey, path: Path) -> None:
    from harness.data.surveys.tagsets import variables_of

    if survey in RESUMES:
        raise RequestError(f"--tagset is for surveys: {survey.value} comes whole")
    names = variables_of(survey.value)
    if path.exists():
        raise RequestError(f"{path}: is there already; name a new file")
    path.write_text("\n".join(names) + "\n", encoding="utf-8")
    console.result(f"{path}: {counted(len(names), 'variable')} of {survey.value}")


def _show(done: Imported) -> None:
    panel = done.panel
    console.result("\n".join(str(file) for file in done.files))
    years = f"{panel.year.min()}-{panel.year.max()}"
    size = f"{counted(panel.n_persons, 'person')}, {counted(panel.n_records, 'person-year')}"
    console.result(f"{size} {years}, {counted(panel.n_states, 'state')}")
    for note, count in done.notes.items():
        console.result(f"{count:,} {note}")
    codes = sorted({code for counts in done.missing.values() for code in counts})
    rows = [[part, *(f"{counts.get(code, 0):,}" for code in codes)] for part, counts in done.missing.items() if counts]
    if rows:
        console.table(["missing values of", *codes], rows, right=[False, *(True for _ in codes)])
