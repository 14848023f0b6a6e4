"""A file's probabilities of each transition of a panel, checked: every one covered once, every row a distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import RequestError
from harness.model.answers import CONTRACT_TOLERANCE
from harness.panel.careers import Panel
from harness.submission.layout import FileLayout
from harness.submission.places import Places, Wanted, where
from harness.submission.reading import Reading
from harness.submission.rows import batches
from harness.system.progress import Progress
from harness.types import FloatArray, IntArray


@dataclass(frozen=True)
class Answers:
    """A file's probabilities, ready to be asked for.

    log_prob: float32 [n, m], ln P of each of m states of n transitions; of an event, m = 1. row: int64 [N], of
    each record of the panel its row, -1 for none. covers_valid: whether the validation split's are there too. notes: a
    sentence on whatever of the file was not used.
    """

    places: Places
    log_prob: FloatArray
    row: IntArray
    is_event: bool
    covers_valid: bool
    notes: tuple[str, ...]

    def of(self, panel: Panel, transitions: IntArray) -> FloatArray:
        """float32 [n, m]: of transitions of some persons of the panel, found by person and year."""
        position = self.places.persons
        person = np.array([position[str(person)] for person in panel.persons.tolist()], dtype=np.int64)
        years = panel.year[transitions].astype(np.int64)
        found = self.row[self.places.records(person[panel.person[transitions]], years)]
        return self.log_prob[found]


def read_answers(layout: FileLayout, panel: Panel, wanted: Wanted, floor: float, progress: Progress) -> Answers:
    """Read a file and check all of it. RequestError, with the place and what would be right, of the first fault.

    floor: the uniform share that is mixed into every row, which is then one that sums to one and is nowhere zero.
    """
    reading = Reading(layout, Places(panel), wanted)
    with progress.bar(f"reading {layout.path.name}", float(len(wanted.records)) * wanted.m) as bar:
        for batch in batches(layout):
            bar.advance(reading.take(batch))
    kept = reading.covered()
    values = reading.values[: len(kept)]
    row = np.full(panel.n_records, -1, dtype=np.int64)
    row[kept] = np.arange(len(kept))
    log_prob = _logarithms(layout, panel, records=kept, values=values, floor=floor)
    covers_valid = len(kept) == len(wanted.records)
    return Answers(
        places=reading.places,
        log_prob=log_prob,
        row=row,
        is_event=layout.form == "event",
        covers_valid=covers_valid,
        notes=tuple(reading.notes()),
    )


def _logarithms(layout: FileLayout, panel: Panel, records: IntArray, values: FloatArray, floor: float) -> FloatArray:
    """float32 [n, m]: ln P, checked. RequestError where a row sums to something else than one, or says never."""
    is_event = layout.form == "event"
    with np.errstate(divide="ignore"):
        log_prob = np.minimum(values, 0.0) if layout.log else np.log(np.minimum(values, 1.0))
    if not is_event:
        total = np.exp(log_prob).sum(axis=1)
        wrong = np.flatnonzero(np.abs(total - 1) > CONTRACT_TOLERANCE)
        if len(wrong):
            more = f" (and of {len(wrong) - 1:,} more of {len(total):,} transitions not to 1)" if len(wrong) > 1 else ""
            raise RequestError(
                f"{layout.path.name}: the probabilities of {where(panel, records[wrong[0]])} sum to "
                f"{total[wrong[0]]:.6f}{more}; those of all states sum to 1, within {CONTRACT_TOLERANCE:g}"
            )
    if floor:
        shares = np.exp(log_prob) if is_event else np.exp(log_prob) / total[:, None]
        log_prob = np.log((1 - floor) * shares + floor / (2 if is_event else values.shape[1]))
    _require_possible(layout, panel, records, log_prob)
    return log_prob.astype(np.float32)


def _require_possible(layout: FileLayout, panel: Panel, records: IntArray, log_prob: FloatArray) -> None:
    never = log_prob == -np.inf
    if layout.form == "event":
        never |= log_prob == 0
    if not never.any():
        return
    at, k = (int(i) for i in np.argwhere(never)[0])
    state = f", state '{panel.occupations.codes[k]}'" if layout.form != "event" else ""
    value = "0" if log_prob[at, k] == -np.inf else "1"
    raise RequestError(
        f"{layout.path.name}: {int(never.sum()):,} of {never.size:,} probabilities leave no room, first that of "
        f"{where(panel, records[at])}{state}, which is {value}: a state that was never seen must stay possible; change "
        "it, or say --floor 1e-9, which mixes that share of a uniform distribution into every row"
    )
