"""Careers in shards, larger than memory: one shard, a panel of whole careers, is read at a time.

A corpus is learned from and never scored. It has the name, sizes and fingerprint of a panel, so that records and ids
name it as they name one.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.panel import time
from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard: its place for messages, how many persons and records it has, and ``shard_digest`` of its careers."""

    place: str
    persons: int
    records: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Careers of P persons and N records over one set of occupations, in shards of whole careers.

    covariates: the kind and the levels of each, without values. read: from the number of a shard to its panel.
    left_out: reason -> count of what was not taken over when it was written. checks: made of every shard when it is
    first read; they raise where it cannot be learned from. change: made of a shard's careers once these are known to be
    those that it was written with: they are given weights.
    """

    name: str
    occupations: Occupations
    shards: tuple[Shard, ...]
    covariates: Mapping[str, Covariate]
    read: Callable[[int], Panel]
    source: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[Callable[[Panel], None], ...] = ()
    change: Callable[[Panel], Panel] | None = None
    _sound: set[int] = field(default_factory=set, compare=False)

    @property
    def n_persons(self) -> int:
        return sum(shard.persons for shard in self.shards)

    @property
    def n_records(self) -> int:
        return sum(shard.records for shard in self.shards)

    @property
    def n_states(self) -> int:
        return len(self.occupations)

    @property
    def unit(self) -> str:
        """Unit of the shards' ``year``."""
        return time.unit_of(self.source)

    def fingerprint(self) -> str:
        """64 hexadecimal digits of SHA-256: over what the shards share, and over the digest of each, in their order.

        The same careers in other shards have another one.
        """
        states = self.occupations
        head = [list(states.codes), list(states.titles), list(states.groups), list(states.statuses), states.minors]
        kinds = {name: [c.kind, list(c.levels), c.fixed] for name, c in sorted(self.covariates.items())}
        weights = [["weights", self.source["weights"]]] if "weights" in self.source else []
        content = ["corpus", head, kinds, self.unit, [shard.digest for shard in self.shards], *weights]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def bare(self) -> Panel:
        """A panel without persons, of the corpus's occupations, covariates and unit of time."""
        none = np.zeros(0, dtype=np.int32)
        return Panel(
            name=self.name,
            persons=np.zeros(0, dtype=str),
            offsets=np.zeros(1, dtype=np.int64),
            year=none,
            state=none,
            occupations=self.occupations,
            split=np.zeros(0, dtype=np.int8),
            covariates=self.covariates,
            source=self.source,
        )

    @classmethod
    def around(cls, bare: Panel, shards: Sequence[Shard], read: Callable[[int], Panel]) -> Corpus:
        """The corpus whose ``bare`` panel this is. read: gives careers that have been checked, and changed."""
        return cls(
            name=bare.name,
            occupations=bare.occupations,
            shards=tuple(shards),
            covariates=bare.covariates,
            read=read,
            source=bare.source,
            _sound=set(range(len(shards))),
        )

    def checked(self, check: Callable[[Panel], None]) -> Corpus:
        """The same corpus, every shard of which is checked when it is first read."""
        return replace(self, checks=(*self.checks, check), _sound=set())

    def panel(self, number: int) -> Panel:
        """The careers of a shard. RunError where they are not those that the corpus was written with."""
        found = self.read(number)
        if number not in self._sound:
            if shard_digest(found) != self.shards[number].digest:
                raise RunError(
                    f"{self.shards[number].place}: its careers are not those that the corpus '{self.name}' was written "
                    "with: write the corpus again"
                )
            for check in self.checks:
                check(found)
            self._sound.add(number)
        found = found if self.change is None else self.change(found)
        # Those of the corpus may be spelt as another panel's are.
        return found if found.occupations is self.occupations else replace(found, occupations=self.occupations)

    def panels(self, numbers: Sequence[int] | None = None) -> Iterator[Panel]:
        """The careers of shards one after another, of all where none are named."""
        return map(self.panel, range(len(self.shards)) if numbers is None else numbers)

    def training(self, check: Callable[[Panel], None]) -> Corpus:
        """The training careers alone, in as many shards. All are read once, one at a time, to be counted.

        check: made of those of every shard.
        """
        counted = []
        for shard, panel in zip(self.shards, self.panels(), strict=True):
            part = panel.part("train")
            check(part)
            counted.append(replace(shard, persons=part.n_persons, records=part.n_records))

        def change(panel: Panel) -> Panel:
            return (panel if self.change is None else self.change(panel)).part("train")

        return replace(self, shards=tuple(counted), change=change)

    def whole(self) -> Panel:
        """All careers as one panel in memory, persons in the order of their ids."""
        made = joined(self.panels())
        return replace(made, source=dict(self.source), left_out=dict(self.left_out)).in_order()


def in_memory(careers: Panel | Corpus) -> Panel:
    """The careers as one panel."""
    return careers.whole() if isinstance(careers, Corpus) else careers


def joined(panels: Iterable[Panel]) -> Panel:
    """The careers of panels over the same occupations and covariates, one panel's after another's.

    None of them has a survey's design. Of panels that are made one by one no column is in memory twice, but for the one
    that is being put together.
    """
    columns: dict[str, list[Any]] = defaultdict(list)
    bare: Panel | None = None
    for panel in panels:
        bare = panel if bare is None else bare
        lengths = np.diff(panel.offsets)
        own = {"persons": panel.persons, "lengths": lengths, "split": panel.split, "year": panel.year}
        own |= {"state": panel.state, **{f"covariate {name}": c.values for name, c in panel.covariates.items()}}
        for name, values in (own if panel.weight is None else own | {"weight": panel.weight}).items():
            columns[name].append(values)
    assert bare is not None
    made = {name: np.concatenate(columns.pop(name)) for name in list(columns)}
    return replace(
        bare,
        persons=made["persons"],
        offsets=np.concatenate([[0], np.cumsum(made["lengths"])]).astype(np.int64),
        year=made["year"],
        state=made["state"],
        split=made["split"],
        covariates={name: replace(c, values=made[f"covariate {name}"]) for name, c in bare.covariates.items()},
        weight=made.get("weight"),
    )


def shard_digest(panel: Panel) -> str:
    """64 hexadecimal digits of SHA-256 over the careers of a shard, whatever levels the covariates have elsewhere."""
    return replace(panel, covariates={name: _compact(c) for name, c in panel.covariates.items()}).fingerprint()


def _compact(covariate: Covariate) -> Covariate:
    """The covariate with the levels that occur, in the order of the alphabet."""
    if covariate.kind == "numeric":
        return covariate
    values = np.asarray(covariate.values)
    here = sorted((covariate.levels[k], k) for k in np.unique(values[values >= 0]).tolist())
    place = np.full(len(covariate.levels) + 1, -1, dtype=np.int32)  # the last one is that of a missing value
    place[[k for _, k in here]] = np.arange(len(here))
    return replace(covariate, values=place[values], levels=tuple(level for level, _ in here))
