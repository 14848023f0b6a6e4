"""Bundles in the layouts of the surveys' sites, written from careers of a test's own making."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Question:
    """A variable of the NLS Investigator: its reference number, question, survey year and values."""

    reference: str
    question: str
    year: str
    values: Sequence[int]


def investigator(folder: Path, stem: str, questions: Sequence[Question], forms: Iterable[str]) -> Path:
    """A bundle with files of these endings: csv, dct, dat, sps, cdb, sdf."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.column_stack([np.asarray(one.values, dtype=np.int64) for one in questions])
    names = [one.reference for one in questions]
    spaced = "".join(" ".join(map(str, row)) + " \n" for row in rows.tolist())
    described = "\n\nReference\nNumber     Year    Variable Description      Question Name  \n" + "-" * 101 + "\n"
    for one in questions:
        number = f"{one.reference[:6]}.{one.reference[6:]}"
        described += f"{number}  {one.year:<6}  SOME DESCRIPTION 1 *KEY*      {one.question}         \n"
    book = "".join(
        f"{one.reference[:6]}.{one.reference[6:]}    [{one.question}]      Survey Year: {one.year}\n"
        f"  PRIMARY VARIABLE\n\n             SOME TITLE\n \nUNIVERSE: All\n\n{'-' * 80}\n"
        for one in questions
    )
    texts = {
        "csv": ",".join(f'"{name}"' for name in names)
        + "\n"
        + "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()),
        "dct": "infile dictionary {\n"
        + "".join(f'  {name} "SOME LABEL (1-9) 79"\n' for name in names)
        + "}\n"
        + spaced,
        "dat": spaced,
        "sps": f"file handle pcdat/name='{stem}.dat' /lrecl=367.\ndata list file pcdat free /\n"
        + "".join(f"  {name} (F5)\n" for name in names)
        + ".\n",
        "cdb": book,
        "sdf": described,
    }
    for form in forms:
        (folder / f"{stem}.{form}").write_text(texts[form], encoding="latin-1")
    return folder


def psid(folder: Path, stem: str, columns: Mapping[str, tuple[str, Sequence[int]]], form: str) -> None:
    """A fixed-width text and its .do, .sps or .sas file, columns as name -> (label, values)."""
    folder.mkdir(parents=True, exist_ok=True)
    place, places, texts = 1, [], []
    for name, (_, values) in columns.items():
        width = max(len(str(value)) for value in values)
        places.append((name, place, place + width - 1))
        texts.append([str(value).rjust(width) if value >= 0 else " " * width for value in values])
        place += width
    (folder / f"{stem}.txt").write_text("".join("".join(row) + "\n" for row in zip(*texts, strict=True)))
    where = "\n".join(f"      {name:<12} {first} - {last}" for name, first, last in places)
    if form == "do":
        labels = "".join(f'label variable {name:<10} "{label:<40}" ;\n' for name, (label, _) in columns.items())
        text = f"#delimit ;\n*  PSID DATA CENTER ***\n   JOBID : 1\n***;\ninfix\n{where}\n"
        text += f"using {stem}.txt, clear\n;\n{labels}"
    elif form == "sps":
        labels = "".join(f'   {name:<10} "{label:<40}"\n' for name, (label, _) in columns.items())
        text = f"FILE HANDLE PSID / NAME = '{stem}.txt' .\nDATA LIST FILE = PSID FIXED /\n{where}\n.\n"
        text += f"VARIABLE LABELS\n{labels} .\n"
    else:
        labels = "".join(f'      {name:<10} LABEL="{label}" FORMAT=F1.\n' for name, (label, _) in columns.items())
        text = (
            f"DATA {stem};\n   ATTRIB\n{labels} ;\n   INFILE '{stem}.txt' LRECL = 70 ;\n   INPUT\n{where}\n ;\nrun ;\n"
        )
    (folder / f"{stem}.{form}").write_text(text)


@dataclass(frozen=True)
class IpumsColumn:
    """A variable of an IPUMS extract. decimals: digits after an unwritten point; household: on that record."""

    name: str
    width: int
    values: Sequence[int]
    decimals: int = 0
    household: bool = False


def ipums(folder: Path, columns: Sequence[IpumsColumn], hierarchical: bool) -> Path:
    """A .dat.gz with its DDI codebook, one household a person where it is hierarchical."""
    folder.mkdir(parents=True, exist_ok=True)
    book = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<codeBook version="2.5" xmlns="ddi:codebook:2_5">\n<fileDscr><fileTxt>'
    )
    if hierarchical:
        book += '<fileStrc type="hierarchical"><recGrp keyvar="SERIAL" recidvar="RECTYPE" rectype="P"/>'
        book += '<recGrp recidvar="RECTYPE" rectype="H"/></fileStrc>'
    else:
        book += '<fileStrc type="rectangular"/>'
    book += "</fileTxt></fileDscr>\n<dataDscr>\n"
    begin = {True: 2, False: 2} if hierarchical else {True: 1, False: 1}
    if hierarchical:
        book += _variable("RECTYPE", 1, 1, decimals=0, kinds="H P")
    for one in columns:
        on = one.household and hierarchical
        first = begin[on]
        begin[on] += one.width
        book += _variable(one.name, first, first + one.width - 1, decimals=one.decimals, kinds="H" if on else "P")
    lines = []
    for i in range(len(columns[0].values)):
        texts = {
            on: "".join(str(c.values[i]).rjust(c.width, "0") for c in columns if (c.household and hierarchical) == on)
            for on in (True, False)
        }
        lines += [f"H{texts[True]}", f"P{texts[False]}"] if hierarchical else [texts[False]]
    (folder / "cps_00001.dat.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    (folder / "cps_00001.xml").write_text(book + "</dataDscr>\n</codeBook>\n")
    return folder


def _variable(name: str, first: int, last: int, *, decimals: int, kinds: str) -> str:
    return (
        f'<var ID="{name}" dcml="{decimals}" files="ExtractData" intrvl="contin" name="{name}" rectype="{kinds}">'
        f'<location EndPos="{last}" StartPos="{first}" width="{last - first + 1}"/><labl>{name}</labl></var>\n'
    )
