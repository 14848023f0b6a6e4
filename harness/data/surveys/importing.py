"""One survey's bundle as a panel folder, and what was done on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.surveys.bundle import Bundle, opened
from harness.data.surveys.cps import read_cps
from harness.data.surveys.nls import read_nls
from harness.data.surveys.psid import read_psid
from harness.data.surveys.rows import PersonYears, panel_of
from harness.data.surveys.states import SPAN, space_for
from harness.data.write import write_panel
from harness.panel.careers import Panel

Missing = Mapping[str, Mapping[str, int]]
Reader = Callable[[Bundle], tuple[PersonYears, dict[str, dict[str, int]]]]


@dataclass(frozen=True)
class Imported:
    """A panel that was written. notes: sentence -> count; missing: part -> code for what is missing -> count."""

    panel: Panel
    files: tuple[Path, ...]
    notes: Mapping[str, int]
    missing: Missing


def import_survey(survey: str, source: Path, out: Path, scheme: str, crosswalk: Path | None) -> Imported:
    """Write the careers of a bundle as a panel folder.

    survey: nlsy79, nlsy97, psid or cps. scheme: 'own' or 'occ1990dd'. crosswalk: a file or folder of Dorn's crosswalks.
    Raises RequestError and DataError, as the readers do.
    """
    readers: dict[str, Reader] = {
        "nlsy79": lambda bundle: read_nls(bundle, "nlsy79"),
        "nlsy97": lambda bundle: read_nls(bundle, "nlsy97"),
        "psid": read_psid,
        "cps": lambda bundle: read_cps(bundle, scheme),
    }
    with opened(source) as bundle:
        rows, missing = readers[survey](bundle)
    space = space_for(rows.state, scheme, crosswalk)
    panel = panel_of(rows, space, out.name)
    without = int((space.of(rows.state) < 0).sum())
    notes = {**rows.notes}
    if scheme == "own" and (changes := _changes_of_coding(rows)):
        notes["steps from a code of one census to one of another, which name the same work differently"] = changes
    if without:
        notes["person-years whose code has no counterpart in occ1990dd"] = without
    for coding, codes in space.unmapped.items():
        notes[f"codes of {coding} without a counterpart in occ1990dd"] = codes
    files = write_panel(panel, out)
    return Imported(panel, tuple(files), notes, missing)


def _changes_of_coding(rows: PersonYears) -> int:
    """The number of steps from an occupation in one census's codes to one in another's."""
    order = np.lexsort((rows.year, rows.person))
    person, key = rows.person[order], rows.state[order]
    both = (np.diff(person) == 0) & (key[1:] >= 0) & (key[:-1] >= 0)
    return int((both & (key[1:] // SPAN != key[:-1] // SPAN)).sum())
