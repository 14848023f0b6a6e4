"""Part 1: models that cheat, and what catches them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from harness import open_panel
from harness.errors import RunError
from harness.model import Model, ModelSpec, spot_check, take_states
from harness.model.scoring import score
from harness.panel import Panel
from harness.registry import load_registry
from harness.types import FloatArray, IntArray
from reliability.careers import SHARES, write_careers
from reliability.cheats import CORPUS, FAMILIES
from reliability.cheats.model import NOT_FOUND, WAYS
from reliability.tables import paragraph, table
from reliability.trial import try_all

LEAKS = (0.1, 0.03, 0.01, 0.003)  # shares of transitions
CHECKS = 60  # spot checks of each
WORDS = {"run": "`harness run`", "audit": "`harness audit`", "isolated": "`run --isolated`"}


def measure(scale: float) -> dict[str, Any]:
    """Every planted model in every way, and how often the spot check finds a rare leak."""
    cheats = CORPUS[:: max(1, round(1 / scale))]
    trials = try_all(cheats)
    verdicts: dict[str, dict[str, str]] = {}
    for trial in trials:
        verdicts.setdefault(trial.cheat.name, {})[trial.way] = trial.verdict
    surprises = [
        f"{t.cheat.name}, {t.way}: {t.verdict}, not {t.cheat.expected(t.way)}" for t in trials if not t.as_expected
    ]
    return {"verdicts": verdicts, "surprises": surprises, "power": power(max(4, round(CHECKS * scale)))}


class RareLeak(Model):
    """Reads the outcome at a share of the transitions, chosen by their histories; says nothing elsewhere."""

    def __init__(self, share: float) -> None:
        self.share = share

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        wage = panel.covariates["wage"].values[transitions]
        leaks = (wage * 1e6 % 1000) < 1000 * self.share
        rows = np.full((len(transitions), panel.n_states), -np.log(panel.n_states))
        told = np.flatnonzero(leaks)
        rows[told] = np.log(0.1 / (panel.n_states - 1))
        rows[told, panel.state[transitions[told]]] = np.log(0.9)
        return take_states(rows, states)

    def fit(self, *_: object) -> None: ...

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


def power(checks: int) -> dict[str, list[int]]:
    """Of so many spot checks those that refused a leak of this share, where rows are cheap and where they are dear."""
    with TemporaryDirectory(prefix="reliability-") as folder:
        test = open_panel(write_careers(Path(folder) / "careers.csv", 4 * sum(SHARES.values()))).part("test")
    task = load_registry().task("next_occ")
    found: dict[str, list[int]] = {}
    for share in LEAKS:
        for cheap in (True, False):
            spec, model = ModelSpec("leak", "a rare leak", lambda _: None, whole_rows=cheap), RareLeak(share)  # type: ignore[arg-type,return-value]
            scores = score(spec, model, task=task, test=test)
            caught = 0
            for _ in range(checks):
                try:
                    spot_check.ask(spec, model, task, test).require_same(scores)
                except RunError:
                    caught += 1
            found.setdefault(str(share), []).append(caught)
    return found | {"of": [checks]}


def text(found: Mapping[str, Any]) -> Iterable[str]:
    """The corpus, a row a model, and what the sample can see."""
    verdicts = found["verdicts"]
    planted = [cheat for cheat in CORPUS if cheat.name in verdicts]
    cheats = [cheat for cheat in planted if not cheat.honest]
    yield "## 1. Models that cheat, and what catches them"
    yield ""
    yield from paragraph(
        f"{len(cheats)} planted models that cheat or are broken, and {len(planted) - len(cheats)} honest ones, on "
        f"{sum(SHARES.values())} careers ({SHARES['test']} in the test split). A model that knows nothing has a "
        "perplexity of 5 there on `next_occ`. *refused*: an error that names the model, and no record. *nothing "
        "gained*: a record, with a figure that is no better than honest. *not found*: a record with a figure that the "
        "model owes to what it must not see. Of the audit and of honest models, *passes*: every check passed."
    )
    yield from table(("way", "refused", "nothing gained", "passes the audit", "not found"), _summary(cheats, verdicts))
    for family, members in FAMILIES.items():
        there = [cheat for cheat in members if cheat.name in verdicts]
        if there:
            yield from ("", f"### {family}", "")
            rows = [(f"`{c.name}`", c.does, *(_marked(verdicts[c.name][way]) for way in WAYS)) for c in there]
            yield from table(("model", "which", *WORDS.values()), rows)
    yield from ("", "### A leak at few transitions", "")
    [of] = found["power"]["of"]
    yield from paragraph(
        f"Spot checks, of {of}, that refused a model which reads the outcome at a share of the transitions and nowhere "
        "else. Where rows are cheap, 256 transitions are asked about before the score and 64 after it; where they are "
        "dear, 16 and 4."
    )
    shares = [(f"{float(s):.1%}", *counts) for s, counts in found["power"].items() if s != "of"]
    yield from table(("share of transitions", "refused, cheap rows", "refused, dear rows"), shares)


def _summary(cheats: list[Any], verdicts: Mapping[str, Mapping[str, str]]) -> Iterable[tuple[object, ...]]:
    for way in WAYS:
        counts = Counter(verdicts[cheat.name][way] for cheat in cheats)
        yield WORDS[way], counts["refused"], counts["nothing gained"], counts["passes"], counts[NOT_FOUND]


def _marked(verdict: str) -> str:
    return f"**{verdict}**" if verdict == NOT_FOUND else verdict
