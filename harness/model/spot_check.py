"""The check that every run makes of its model: a sample of what it is scored on, asked without what it may not see.

The sample is asked about after the fit and before the model meets the test split, by a seed that it does not know. Each
career ends with the record that is asked about, whose state is redrawn; persons have other names, stand in another
order, and each stands there once. Some are asked about alone, some in whole rows, all along with a state that did not
happen. The scores of the run must then say the same. A model that reads the outcome, a later record, a name or the
other persons says something else, and so does one that answers about single states otherwise than in whole rows.

A smaller sample of other transitions is asked about after the model was scored. A model that remembered the first one,
and was honest about that alone, cannot know it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from harness.errors import RunError
from harness.model.answers import CONTRACT_TOLERANCE, Inquiry
from harness.model.contract import Estimator, ModelSpec, OutcomeModel, UnnormalizedModel
from harness.model.masked_sample import RELATIVE, MaskedSample, SampleSizes, redrawn, renamed
from harness.model.scoring import scores_of
from harness.model.task import Event, Task, log_rest
from harness.panel.careers import Panel
from harness.panel.model_view import model_view
from harness.stats.figures import Scores
from harness.types import FloatArray, IntArray

MOVED_RANKS = 0.05  # of the sample: the share whose rank may move where two states all but tie

UNSEEING = "where it cannot see what it must not"

CHEAP = SampleSizes(transitions=256, rows=256, alone=8)
DEAR = SampleSizes(transitions=16, rows=2, alone=2)  # where a whole row costs as much as hundreds of single states
CHEAP_AFTER = SampleSizes(transitions=64, rows=64, alone=0)
DEAR_AFTER = SampleSizes(transitions=4, rows=0, alone=0)


@dataclass(frozen=True, kw_only=True)
class SpotCheck:
    """A sample of a task's test transitions with a model's answers about them.

    question: the sample, masked. places: int64 [s], positions among the task's transitions of ``test``. scores: by the
    masked answers. rest: float64 [s], the share of the row that each outcome is a share of: one, or what is left of it
    without the origin. sizes: of what was asked.
    """

    spec: ModelSpec
    model: Estimator
    task: Task
    test: Panel
    question: Inquiry
    places: IntArray
    scores: Scores
    rest: FloatArray
    sizes: SampleSizes

    def require_same(self, scores: Scores) -> None:
        """RunError, naming person and reason, where the scores of the run are not those of the sample, nor of another.

        scores: of all the task's transitions of ``test``, in order.
        """
        self._hold_against(scores)
        if (another := self._another()) is not None:
            another._hold_against(scores)

    def _another(self) -> SpotCheck | None:
        """Further transitions, asked about now; None where there are none."""
        left = np.delete(self.task.transitions(self.test), self.places)
        if not len(left):
            return None
        sizes = DEAR_AFTER if _is_dear(self.spec, self.model) else CHEAP_AFTER
        return _asked(self.spec, self.model, task=self.task, test=self.test, among=left, sizes=sizes)

    @property
    def slack(self) -> FloatArray:
        """float64 [s]: nats that rounding may move an outcome by."""
        return np.asarray(CONTRACT_TOLERANCE / self.rest)

    def _hold_against(self, scores: Scores) -> None:
        run = _taken(scores, self.places)
        slack = self.slack + _loose(run, self.rest) + _loose(self.scores, self.rest)
        self._compare(_priced(self.task, self.model, run), _priced(self.task, self.model, self.scores), slack)
        if run.log_likeliest is not None and self.scores.log_likeliest is not None:
            self._compare(run.log_likeliest, self.scores.log_likeliest, slack)
        if run.rank is not None and self.scores.rank is not None:
            self._compare_ranks(run)
        if run.mass_low is not None and run.mass_high is not None:
            low, high = self.scores.mass_low, self.scores.mass_high
            assert low is not None
            assert high is not None
            apart = np.maximum(run.mass_low - high, low - run.mass_high) > CONTRACT_TOLERANCE
            if apart.any():
                i = int(np.flatnonzero(apart)[0])
                raise self._failure(
                    i,
                    f"the row holds {run.mass_low[i]:.4f} to {run.mass_high[i]:.4f} in the run, and {low[i]:.4f} to "
                    f"{high[i]:.4f} {UNSEEING}",
                )

    def _compare(self, run: FloatArray, asked: FloatArray, slack: FloatArray) -> None:
        off = np.abs(run - asked) - slack - RELATIVE * np.abs(asked)
        if (off > 0).any():
            i = int(np.argmax(off))
            raise self._failure(i, f"ln P is {run[i]:.4f} in the run, and {asked[i]:.4f} {UNSEEING}")

    def _compare_ranks(self, run: Scores) -> None:
        """Of an outcome in two rows that are known by bounds, one rank cannot be above all that the other may be."""
        (least, most), (least_asked, most_asked) = _ranks(run), _ranks(self.scores)
        apart = (most < least_asked) | (most_asked < least)
        if apart.sum() > max(2, MOVED_RANKS * len(apart)):
            i = int(np.flatnonzero(apart)[0])
            ranks = f"{most[i]} in the run, and {most_asked[i]} {UNSEEING}"
            raise self._failure(i, f"the outcome has rank {ranks}")

    def _failure(self, i: int, differs: str) -> RunError:
        """The error of the sample's transition ``i``, with a reason that is found by asking about it in other ways."""
        where = self.question.happened.name_of(int(self.question.transitions[i]))
        return RunError(
            f"model '{self.spec.name}' failed the spot check of '{self.task.key}' at {where}: {differs}: "
            f"{self._reason(i, float(self.slack[i]))}"
        )

    def _reason(self, i: int, slack: float) -> str:
        """A clause that says which of the changes moves the answer; the model may have met the career by now."""
        record = int(self.task.transitions(self.test)[self.places[i]])
        alone, [target] = self.test.select_transitions(np.array([record]))

        def said(shown: Panel, happened: Panel = alone, at: int = int(target)) -> float:
            question = Inquiry(happened, model_view(shown), np.array([at]))
            scores = scores_of(self.spec, self.model, self.task, question)
            return float(_priced(self.task, self.model, scores)[0])

        plain, again = said(alone), said(alone)
        cut, [last] = alone.histories(np.array([target]))
        other = replace(alone, state=redrawn(alone, np.array([target]), np.random.default_rng()))
        reasons = {
            "it answers the same question otherwise each time": again,
            "it reads the state that it is asked about": said(other),
            "it reads records after the one that it is asked about": said(cut, cut, int(last)),
            "it reads the person's id": said(replace(alone, persons=renamed(1, np.random.default_rng()))),
        }
        for reason, value in reasons.items():
            if abs(value - plain) > slack + RELATIVE * abs(plain):
                return reason
        return "it reads the other persons, states or transitions of the question, or keeps what it met before"


def ask(spec: ModelSpec, model: Estimator, task: Task, test: Panel) -> SpotCheck:
    """Ask a model about a masked sample, before it is scored.

    RunError where its answers contradict one another, or break the contract.
    """
    sizes = DEAR if _is_dear(spec, model) else CHEAP
    return _asked(spec, model, task=task, test=test, among=task.transitions(test), sizes=sizes)


def _is_dear(spec: ModelSpec, model: Estimator) -> bool:
    return isinstance(model, UnnormalizedModel) or not spec.whole_rows


def _asked(
    spec: ModelSpec, model: Estimator, task: Task, test: Panel, among: IntArray, sizes: SampleSizes
) -> SpotCheck:
    """A sample of these transitions (int64 [n], in order), at most one of a person, and the answers about it."""
    generator = np.random.default_rng()
    shuffled = generator.permutation(among)
    _, first = np.unique(test.person[shuffled], return_index=True)
    chosen = shuffled[generator.permutation(first)[: sizes.transitions]]
    happened, targets = test.histories(chosen)
    masked = replace(happened, state=redrawn(happened, targets, generator), persons=renamed(len(chosen), generator))
    question = Inquiry(happened, model_view(masked), targets)
    answered = MaskedSample(spec, model, task=task, question=question, sizes=sizes).answers(generator)
    n = len(chosen)
    return SpotCheck(
        spec=spec,
        model=model,
        task=task,
        test=test,
        question=question,
        places=np.searchsorted(task.transitions(test), chosen),
        scores=answered[0],
        rest=answered[1],
        sizes=SampleSizes(n, 0 if isinstance(model, OutcomeModel) else min(n, sizes.rows), min(n, sizes.alone)),
    )


def _taken(scores: Scores, places: IntArray) -> Scores:
    """The scores of the transitions at these places."""
    columns = {field.name: getattr(scores, field.name) for field in fields(scores) if field.name != "persons"}
    taken: dict[str, Any] = {name: None if v is None else v[places] for name, v in columns.items()}
    return Scores(scores.persons, **taken)


def _priced(task: Task, model: Estimator, scores: Scores) -> FloatArray:
    """float64 [s]: ln P of what the model priced itself.

    Of a binary task that is the block that it was asked about: of the rest, 1 - P, rounding is nearly all there is to
    see where P is near one.
    """
    partition = task.partition
    if not isinstance(partition, Event) or scores.log_event is None:
        return scores.log_prob
    own = isinstance(model, OutcomeModel) or not partition.complement
    return scores.log_event if own else log_rest(scores.log_event)


def _ranks(scores: Scores) -> tuple[IntArray, IntArray]:
    """int64 [s] each: the place that the outcome has at the least and at the most."""
    assert scores.rank is not None
    return scores.rank if scores.rank_least is None else scores.rank_least, scores.rank


def _loose(scores: Scores, rest: FloatArray) -> FloatArray | float:
    """Nats by which bounds on the mass of a row leave a renormalised figure open.

    rest: float64 [s], the share of the row that the outcome is a share of: the same bounds are a larger part of it.
    """
    if scores.mass_low is None or scores.mass_high is None:
        return 0.0
    least = scores.mass_low / scores.mass_high - (1.0 - rest)  # of the rest, in shares of the largest mass
    return np.asarray(np.log(rest / np.maximum(least, 1e-300)), dtype=np.float64)
