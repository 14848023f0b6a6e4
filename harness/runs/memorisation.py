"""A probe of what a model knows by heart: careers as they are, beside the same careers altered.

A model that knows how people move loses by an alteration what the alteration makes unlikely, on training and test
careers alike. One that knows careers by heart loses more on those that it has read: the difference between the two is
told, with its standard error over persons. What it loses on test careers is told too; a base whose reading nobody knows
may have read them as well, and then both losses are large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import HarnessError
from harness.model import Estimator, ModelSpec, Task
from harness.model.scoring import score
from harness.panel import time
from harness.panel.careers import SPLITS, Panel, Split
from harness.stats.inference import Estimate
from harness.training.exchange import exchanged
from harness.types import FloatArray

CAREERS = 50  # of each split
BACK = 3  # years that careers are moved back
NORMAL = 1.96  # standard errors from the middle to either end of a 95% interval
LEAST = 0.05  # nats of excess below which nothing is said
ERRORS = 3.0  # standard errors from which a difference is no chance
FEW = 10  # persons below which an error says nothing


@dataclass(frozen=True, slots=True)
class AlteredCareers:
    """Log-likelihood per transition, in nats; of an alteration, how much of it is lost. Errors are over persons.

    excess: of training over test careers. remembered: it is no chance, and no trifle.
    """

    name: str
    test: Estimate
    train: Estimate
    excess: Estimate
    remembered: bool


@dataclass(frozen=True, slots=True)
class MemorisationProbe:
    """level: of careers as they are; lines: alterations; left_out: those that the model does not read, and why."""

    careers: int
    level: AlteredCareers
    lines: tuple[AlteredCareers, ...]
    left_out: tuple[str, ...]


def memorisation(
    spec: ModelSpec, model: Estimator, task: Task, panel: Panel, careers: int = CAREERS
) -> MemorisationProbe | None:
    """Probe a fitted model on so many careers of either split; None where fewer than ten have a transition at risk.

    RunError where the model breaks its contract.
    """
    parts = [_drawn(panel, task, split, careers) for split in ("test", "train")]
    if min(part.n_persons for part in parts) < FEW:
        return None
    before = [_sums(spec, model, task, part) for part in parts]
    lines, left_out = [], []
    for name, alter in ALTERATIONS.items():
        try:
            after = [_sums(spec, model, task, alter(part)) for part in parts]
        except HarnessError as error:
            left_out.append(f"{name}: {error}")
            continue
        if all(np.array_equal(one[0], other[0]) for one, other in zip(before, after, strict=True)):
            left_out.append(f"{name}: the model reads nothing of it")
            continue
        lost = [(one[0] - other[0], one[1]) for one, other in zip(before, after, strict=True)]
        lines.append(_line(name, *lost))
    return MemorisationProbe(
        careers=min(part.n_persons for part in parts),
        level=_line("as they are", *before),
        lines=tuple(lines),
        left_out=tuple(left_out),
    )


def _drawn(panel: Panel, task: Task, split: Split, careers: int) -> Panel:
    """Persons of a split with a transition at risk, the same whenever they are drawn."""
    at_risk = np.unique(panel.person[task.transitions(panel)])
    own = at_risk[panel.split[at_risk] == SPLITS.index(split)]
    rng = np.random.default_rng(0)
    return panel.select(np.sort(rng.choice(own, min(careers, len(own)), replace=False)))


def _sums(spec: ModelSpec, model: Estimator, task: Task, panel: Panel) -> tuple[FloatArray, FloatArray]:
    """float64 [P], twice: log-likelihood and number of transitions of each person."""
    scores = score(spec, model, task=task, test=panel, ranks=False)
    sums = np.bincount(scores.person, scores.log_prob, panel.n_persons).astype(np.float64)
    return sums, np.bincount(scores.person, minlength=panel.n_persons).astype(np.float64)


def _line(name: str, test: tuple[FloatArray, FloatArray], train: tuple[FloatArray, FloatArray]) -> AlteredCareers:
    of_test, of_train = _mean(*test), _mean(*train)
    error = float(np.hypot(of_train.standard_error, of_test.standard_error))
    excess = _estimate(of_train.value - of_test.value, error)
    return AlteredCareers(name, of_test, of_train, excess, remembered=excess.value > max(ERRORS * error, LEAST))


def _estimate(value: float, error: float) -> Estimate:
    return Estimate(value, error, value - NORMAL * error, value + NORMAL * error)


def _mean(sums: FloatArray, counts: FloatArray) -> Estimate:
    """The ratio of two sums over persons, and its linearised standard error."""
    n, level = len(sums), float(sums.sum() / counts.sum())
    away = sums - level * counts
    return _estimate(level, float(np.sqrt(n / (n - 1) * (away**2).sum()) / counts.sum()))


def _earlier(panel: Panel) -> Panel:
    """Every year, and the year of birth, three years earlier: ages stay as they are."""
    made = dict(panel.covariates)
    if (birth := made.get("birth_year")) is not None and birth.kind == "numeric":
        made["birth_year"] = replace(birth, values=birth.values - BACK)
    return replace(panel, year=panel.year - np.int32(BACK * time.PER_YEAR.get(panel.unit, 1)), covariates=made)


def _exchanged(panel: Panel) -> Panel:
    """Each career's occupations exchanged one for one within their major groups, from first to last."""
    return replace(panel, state=exchanged(panel, within=1.0, across=0.0, rng=np.random.default_rng(0)))


def _reworded(panel: Panel) -> Panel:
    """Titles in other words of the same meaning: 'Nurses, registered' is 'work as: registered nurses'."""
    known = panel.occupations
    turned = [", ".join(reversed(title.split(", "))).replace(", ", " ") for title in known.titles]
    told = tuple(f"work as: {words[:1].lower()}{words[1:]}" for words in turned)
    return replace(panel, occupations=replace(known, titles=told if len(set(told)) == len(told) else known.titles))


ALTERATIONS: dict[str, Callable[[Panel], Panel]] = {
    f"{BACK} years earlier": _earlier,
    "occupations exchanged": _exchanged,
    "titles reworded": _reworded,
}
