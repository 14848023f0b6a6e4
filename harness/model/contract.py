"""The contract between the harness and a model."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.panel.careers import Panel
from harness.system.progress import Progress, Silent
from harness.types import FloatArray, IntArray


class Params(BaseModel):
    """Base of every parameter schema: closed, typed, frozen. Give each field a description with its unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoParams(Params):
    """For what has nothing to set."""


@dataclass(frozen=True)
class Context:
    """What a fit may use besides the data.

    seed: of every random draw. device: 'cpu', 'cuda', 'cuda:1', 'mps'. scratch: a folder of the fit's own, gone when
    the fit is saved. What a model writes there outlives a kill: the same fit, asked for again, finds it, and may go on
    from a checkpoint, if it then ends with the numbers of a fit that nobody stopped. cache: a folder that stays, for
    what is expensive and the same for everyone (a pre-trained base). also: training careers of further panels, for
    models whose spec says ``pools``; their states are their own, with the title of the main panel's where it is the
    same (``harness.panel.pooling.same_titles`` says which are). shared: whether all processes of a launch make this fit
    together (``harness.system.processes`` says which one this is); they must then end with the same model. resumes: a
    whole panel to learn from before the survey, for models whose spec says ``pretrains``.
    """

    seed: int
    scratch: Path
    cache: Path
    device: str = "cpu"
    progress: Progress = field(default_factory=Silent)
    also: tuple[Panel, ...] = ()
    shared: bool = False
    resumes: Panel | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table of what a model estimated, for ``harness explain``.

    headings: of the columns, the first naming the term. rows: a cell a heading; text, a number, or None where there is
    nothing to say. notes: what a reader must know, a sentence each: observations, reference categories, penalty.
    stage: the part of the model that it is of; outcome: the one whose equation it is, of a stage that has many.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    notes: tuple[str, ...] = ()
    stage: str = ""
    outcome: str = ""


class Estimator(ABC):
    """What can be fitted to careers, kept, and asked about itself: a ``Model`` or an ``OutcomeModel``.

    The history of a transition is every record of the person up to and including the one before the target, and with
    it the target's year and covariates; never the target's state, nor anything later, nor another person's outcome.
    """

    @abstractmethod
    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        """Estimate from ``train``; ``valid`` is for model selection only (penalties, early stopping)."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was estimated into an empty folder: arrays, JSON, safetensors, LightGBM text; never a pickle."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Become the model that ``save`` wrote there; parameters are those this model was built with."""

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        """int64 [n]: how many records at the beginning of each transition's history the model has no room for.

        None where there is room for any. The harness asks once a task, and says in the record and below the board how
        many records of the scored careers were not seen. What a parameter leaves out at the user's wish does not count.
        """
        return None

    def facts(self) -> Mapping[str, Any]:
        """JSON-able facts for the record, known after the fit: ``parameters_trained`` (int), ``base`` (str), ..."""
        return {}

    def explain(self) -> Sequence[Table]:
        """What was estimated, as tables for a person to read: coefficients, importances; nothing by default."""
        return ()


class Model(Estimator):
    """One way of estimating P(next state | history)."""

    @abstractmethod
    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        """float32 [n, m]: ln P(next state = states[i, j] | history of transitions[i]).

        transitions: int64 [n], target records of ``panel``. states: int64 [n, m]; m = K asks for whole rows, in the
        order of the occupations. Finite, at most 0; whole rows sum to one (at most one where the spec says so).
        """


@dataclass(frozen=True, slots=True)
class Within:
    """What a model says of n transitions when it also knows how much probability its whole rows hold.

    log_prob: float64 [n, m], ln P of the states asked about. log_mass_low, log_mass_high: float64 [n], bounds on ln Z,
    Z the sum of the row. rows: float32 [n, K], ln P of every state that was priced, and of every other the most that
    it can be.
    """

    log_prob: FloatArray
    log_mass_low: FloatArray
    log_mass_high: FloatArray
    rows: FloatArray


class OpenModel(Model):
    """A model that spends probability outside the choice set, and can say how much: its rows can be renormalised.

    The harness then scores P / Z, by the upper bound of Z, so that no looseness of the bounds flatters the model; what
    the model said before that stands beside it.
    """

    @abstractmethod
    def within(self, panel: Panel, transitions: IntArray, states: IntArray) -> Within | None:
        """As ``log_prob``, with the mass of the rows; None where its parameters say not to renormalise."""


class OutcomeModel(Estimator):
    """A model of one binary task's event instead of the next state; its spec names the task in ``predicts``."""

    @abstractmethod
    def log_event(self, panel: Panel, transitions: IntArray) -> FloatArray:
        """float32 [n]: ln P(event | history)."""


def missing_modules(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the modules that are not installed; none is imported to find out."""
    return tuple(name for name in names if importlib.util.find_spec(name) is None)


@dataclass(frozen=True)
class Ablation:
    """A change of one thing that shows what a part of a model is worth: an arm of ``harness ablate``.

    name: for the command line. summary: for the table. changes: parameters and values, as --set has them. pools:
    whether it is the further training panels, named after the summary, that are new.
    """

    name: str
    summary: str
    changes: Mapping[str, str] = field(default_factory=dict)
    pools: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """What a plugin says of a model before anything heavy is imported.

    params: its schema. build: from an instance of the schema. needs: modules that must be importable. install: the
    command that brings them. cite: the source of the method. sums_to_one: False where a row may sum to less.
    whole_rows: False where a whole row is too dear to ask for at every transition. entry: can predict a career's first
    record. predicts: None for the next state, or the one binary task whose event an ``OutcomeModel`` predicts.
    simulated_only: knows the generator of a simulated panel. scoring_params: those of its parameters that do not change
    the fit, but what is asked of it (or nothing), so that requests which differ in them alone share one. pools: can be
    trained on careers of several panels at once (``Context.also``). parallel: can be fitted by several processes
    together; of any other model, the main process makes the whole fit. pretrains: can learn from resumes first
    (``Context.resumes``). ablations: what ``harness ablate`` tries. weighs: the fit counts every record as often as its
    weight says (``Panel.weights``), as if it stood there so often; boards of weighted panels say which models do not.
    """

    name: str
    summary: str
    build: Callable[[Any], Estimator]
    params: type[Params] = NoParams
    needs: tuple[str, ...] = ()
    install: str = ""
    cite: str = ""
    sums_to_one: bool = True
    whole_rows: bool = True
    entry: bool = True
    predicts: str | None = None
    simulated_only: bool = False
    scoring_params: tuple[str, ...] = ()
    pools: bool = False
    parallel: bool = False
    pretrains: bool = False
    ablations: tuple[Ablation, ...] = ()
    weighs: bool = False

    def missing(self) -> tuple[str, ...]:
        """The needed modules that are not installed; nothing is imported to find out."""
        return missing_modules(self.needs)


def take_states(rows: FloatArray, states: IntArray) -> FloatArray:
    """float32 [n, m]: entry (i, states[i, j]) of whole rows [n, K]."""
    return np.take_along_axis(rows, states, axis=1).astype(np.float32)
