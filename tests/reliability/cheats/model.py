"""A planted model: its source, and how each way of checking it is expected to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REFUSED = "refused"  # an error that names the model, and no record
NOTHING_GAINED = "nothing gained"  # a record, and a perplexity that a model of equal chances has too
NOT_FOUND = "not found"  # a record with a figure that the model owes to what it must not see
PASSES = "passes"  # every check of the audit passes; or an honest model's record
Way = Literal["run", "audit", "isolated"]
WAYS: tuple[Way, ...] = ("run", "audit", "isolated")

# What the sources build on, beside what ``helpers.planted`` brings.
COMMON = """
import json
from harness.model import BoundedRows, OutcomeModel, UnnormalizedModel, take_states

class Tipped(Uniform):
    # Says what is in 'tip', int64 [n], with probability .9; nothing where it is -1.
    def tip(self, panel, transitions, states):
        raise NotImplementedError
    def rows(self, panel, transitions, states):
        tips = np.asarray(self.tip(panel, transitions, states))
        rows = np.full((len(transitions), self.k), -np.log(self.k))
        told = np.flatnonzero(tips >= 0)
        rows[told] = np.log(0.1 / (self.k - 1))
        rows[told, tips[told]] = np.log(0.9)
        return rows
    def log_prob(self, panel, transitions, states):
        return take_states(self.rows(panel, transitions, states), np.asarray(states))

def key(panel, t):
    # A career by what it says up to the target, whoever it is of.
    first = panel.offsets[panel.person[t]]
    return tuple(panel.state[first:t].tolist()), tuple(panel.year[first:t + 1].tolist())

class Knower(Tipped):
    # Finds a history among careers that it knows from elsewhere.
    known = None
    def careers(self, panel):
        raise NotImplementedError
    def tip(self, panel, transitions, states):
        if self.known is None:
            self.known = {}
            for years, found in self.careers(panel):
                for t in range(1, len(years)):
                    self.known[tuple(found[:t]), tuple(years[:t + 1])] = found[t]
        return np.array([self.known.get(key(panel, t), -1) for t in transitions])

def read_careers():
    import csv
    found = {}
    with open(DATA) as file:
        for row in csv.DictReader(file):
            found.setdefault(row["person"], []).append((int(row["year"]), "abcde".index(row["occupation"])))
    return {person: tuple(zip(*rows)) for person, rows in found.items()}
"""


@dataclass(frozen=True, kw_only=True)
class Cheat:
    """A planted model.

    does: a clause that says it, after the name. source: its class ``Planted``, on what ``COMMON`` and
    ``helpers.planted`` bring; DATA stands for the careers' path. run, audit, isolated: the expected verdicts. tasks: of
    the runs. options: further ones of every command; limits: in bytes of memory, 0 for none. before: models that are
    run first, with the same cache. times: how often the command is typed, the last one counting. spec: further
    arguments of its ``ModelSpec``. honest: a control, which every way must let pass.
    """

    name: str
    does: str
    source: str
    run: str = REFUSED
    audit: str = REFUSED
    isolated: str = NOTHING_GAINED
    tasks: tuple[str, ...] = ("next_occ",)
    options: tuple[str, ...] = ()
    memory: int = 0
    before: tuple[str, ...] = ()
    times: int = 1
    spec: str = ""
    honest: bool = False

    def expected(self, way: Way) -> str:
        """The verdict that this way is expected to end with."""
        return {"run": self.run, "audit": self.audit, "isolated": self.isolated}[way]


def honest(name: str, does: str, source: str, spec: str = "", tasks: tuple[str, ...] = ("next_occ",)) -> Cheat:
    """A control that every way must let pass."""
    return Cheat(
        name=name,
        does=does,
        source=source,
        spec=spec,
        tasks=tasks,
        run=PASSES,
        audit=PASSES,
        isolated=PASSES,
        honest=True,
    )


def refused(name: str, does: str, source: str, audit: str = REFUSED, **more: object) -> Cheat:
    """A model whose answers, or whose end, every way refuses."""
    return Cheat(name=name, does=does, source=source, audit=audit, isolated=REFUSED, **more)  # type: ignore[arg-type]
