"""Crosswalks to occ1990dd, the consistent occupations of Dorn (2009) and Autor and Dorn (2013).

The package ships what turns IPUMS's OCC1990 and the Census 1990 codes into occ1990dd. Those from the codes of other
years are Dorn's files (occ1970_occ1990dd and so on), which are read from where they were downloaded to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.data.codelists.partial import occ1990dd_of_1990
from harness.errors import DataError, Fault, RequestError

Crosswalk = Mapping[int, int]
SITE = "https://www.ddorn.net/data.htm"
FILE_NAME = re.compile(r"occ(\d{4})_occ1990dd", re.IGNORECASE)
YEARS = {"1970": "census1970", "1980": "census1980", "1990": "census1990", "2000": "census2002", "2005": "census2005"}


def occ1990dd_of(coding: str, code: int, crosswalks: Mapping[str, Crosswalk]) -> int | None:
    """The occ1990dd code of another coding's; None where its crosswalk has none.

    Raises RequestError where there is no crosswalk for the coding.
    """
    if coding == "occ1990dd":
        return code
    given = crosswalks.get(coding)
    if given is not None:
        if code in given:
            return given[code]
        return given.get(code // 10) if coding.startswith("census20") and code % 10 == 0 else None
    if coding in ("occ1990", "census1990"):
        return occ1990dd_of_1990(coding, code)
    year = coding.removeprefix("census").replace("2002", "2000")
    raise RequestError(
        f"the codes are {coding.replace('census', 'Census ')}'s, for which no crosswalk to occ1990dd comes with the "
        f"package: download occ{year}_occ1990dd from {SITE} and give --crosswalk FOLDER, or --occupations own"
    )


def read_crosswalks(path: Path | None) -> dict[str, Crosswalk]:
    """Crosswalks by coding, from a file or a folder of files named as Dorn's are (.dta or .csv)."""
    if path is None:
        return {}
    files = [path] if path.is_file() else sorted(path.glob("occ*_occ1990dd.*")) if path.is_dir() else []
    found: dict[str, Crosswalk] = {}
    for file in files:
        match = FILE_NAME.search(file.name)
        if match and file.suffix.lower() in (".dta", ".csv"):
            coding = YEARS.get(match[1], f"census{match[1]}")
            table = _pairs(file)
            found[coding] = table
            if coding == "census2005":  # the same classification, of more detail in the American Community Survey
                found["census2002"] = {**table, **found.get("census2002", {})}
    if not found:
        raise RequestError(f"--crosswalk {path}: no file named as occ1970_occ1990dd.dta is, .dta or .csv")
    return found


def _pairs(file: Path) -> Crosswalk:
    import pandas as pd

    try:
        table = pd.read_stata(file) if file.suffix.lower() == ".dta" else pd.read_csv(file)
        table.columns = [str(name).lower() for name in table.columns]
        target = next((name for name in table.columns if name == "occ1990dd"), "")
        origin = next((name for name in table.columns if name.startswith("occ") and name != target), "")
        if not target or not origin:
            raise ValueError(f"its columns are {', '.join(table.columns)}: occ and occ1990dd are needed")
        told = table[[origin, target]].dropna()
        return {int(a): int(b) for a, b in zip(told[origin], told[target], strict=True)}
    except (ValueError, TypeError) as error:
        raise DataError([Fault(file.name, f"is no crosswalk: {error}")]) from error
