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
from harness.panel.corpus import Corpus
from harness.system.progress import Progress, Silent
from harness.types import FloatArray, IntArray


class Params(BaseModel):
    """Base of every parameter schema: closed, typed, frozen. Give each field a description with its unit, and those
    that are worth a search a ``SearchRange``, for ``harness tune``."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class NoParams(Params):
    """For what has nothing to set."""


def unreported(step: int, loss: float) -> None:
    """Take a validation loss that nobody waits for."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """All that a fit may use besides the data."""

    seed: int
    """Seed of every random draw."""
    scratch: Path
    """A folder of the fit's own, gone when the fit is saved. It outlives a kill: the same fit, asked for again, finds
    it, and may go on from a checkpoint, if it then ends with the numbers of a fit that nobody stopped."""
    cache: Path
    """A folder that stays, for results that are expensive and the same for everyone (a pre-trained base)."""
    device: str = "cpu"
    """'cpu', 'cuda', 'cuda:1' or 'mps'."""
    progress: Progress = field(default_factory=Silent)
    also: tuple[Panel | Corpus, ...] = ()
    """Training careers of further panels, for models that are ``multi_panel``; where they are ``streaming`` those of a
    corpus stay one, which is read shard after shard. Their states are their own, with the title of the main panel's
    where it is the same (``harness.panel.same_titles``)."""
    shared: bool = False
    """All processes of a launch make this fit together (``harness.system.processes``), and must end with the same
    model."""
    resumes: Panel | Corpus | None = None
    """A whole panel to learn from before the survey, for models that are ``pretrainable``; where they are ``streaming``
    it may be a corpus, which is read shard after shard."""
    open_panel: Callable[[str], Panel] | None = None
    """Opens the panel of a data set's name or of a path; None where the fit is asked for without one."""
    teacher: ModelSpec | None = None
    """The model that ``ModelSpec.teacher`` names (``harness.model.soft_targets``)."""
    soft_targets_folder: Path | None = None
    """The folder of the teacher's answers, which members of an ensemble share; ``scratch`` where None."""
    report: Callable[[int, float], None] = unreported
    """For models that validate while they fit: called after each time with its number, from 1, and the loss of
    ``valid``, nats a transition. It raises where a search gives the fit up; let that pass."""


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
    """Base of all that can be fitted to careers, kept, and asked about itself: ``Model`` and ``OutcomeModel``.

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

    def place(self, device: str) -> None:
        """Compute on this device from now on: 'cpu', 'cuda', 'cuda:1' or 'mps'. Called after ``load``.

        A model that computes on the processor alone has nothing to do.
        """
        return

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
        """Estimates as tables for a person to read: coefficients, importances; none by default."""
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
class BoundedRows:
    """Answers about n transitions of a model that also knows how much probability its whole rows hold.

    log_prob: float64 [n, m], ln P of the states asked about. log_mass_low, log_mass_high: float64 [n], bounds on ln Z,
    Z the sum of the row. rows: float32 [n, K], ln P of every state that was priced, and of every other the most that
    it can be.
    """

    log_prob: FloatArray
    log_mass_low: FloatArray
    log_mass_high: FloatArray
    rows: FloatArray


class UnnormalizedModel(Model):
    """A model that spends probability outside the choice set, and can say how much: its rows are renormalised.

    The harness scores P / Z, by the upper bound of Z, so that no looseness of the bounds flatters the model; the
    figures of P itself stand beside it. A model whose parameters say not to renormalise is built as a ``Model``.
    """

    @abstractmethod
    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        """As ``log_prob``, with bounds on the mass of the rows."""


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


def _nothing(params: Any) -> Mapping[str, str]:
    return {}


def _nobody(params: Any) -> str:
    return ""


@dataclass(frozen=True)
class ModelSpec:
    """A model as its plugin describes it, before anything heavy is imported."""

    name: str
    summary: str
    build: Callable[[Any], Estimator]
    """From an instance of ``params`` to the model, not yet fitted."""
    params: type[Params] = NoParams
    """The schema of its parameters."""
    contents: Callable[[Any], Mapping[str, str]] = _nothing
    """From an instance of ``params`` to digests of what they only name, such as the files of a base: parameter ->
    digest. They are in every id. Without an entry for what is not there."""
    teacher: Callable[[Any], str] = _nobody
    """From an instance of ``params`` to the name of the model that teaches a fit (``Context.teacher``): one that gives
    whole rows of probabilities. Its code is in every id. An empty name where none does."""
    code: tuple[str, ...] = ()
    """Further modules that its numbers depend on, which its own does not import: of an encoder (``EncoderSpec``)."""
    needs: tuple[str, ...] = ()
    """Modules that must be importable."""
    install: str = ""
    """The command that brings them."""
    cite: str = ""
    """The source of the method."""
    sums_to_one: bool = True
    """False where a row of probabilities may sum to less."""
    whole_rows: bool = True
    """False where a whole row is too dear to ask for at every transition."""
    first_records: bool = True
    """It can predict a career's first record."""
    only_task: str | None = None
    """The one binary task whose event an ``OutcomeModel`` predicts; None for the next state."""
    simulated_only: bool = False
    """It knows the generator of a simulated panel."""
    scoring_params: tuple[str, ...] = ()
    """Parameters of the questions that are asked of a fit. Requests that differ in these alone share one fit."""
    runtime_params: tuple[str, ...] = ()
    """Parameters that change no figure, such as a number of threads. They are no part of any id."""
    multi_panel: bool = False
    """It can be trained on careers of several panels at once (``Context.also``)."""
    distributed: bool = False
    """Several processes can fit it together; the main process alone makes the whole fit of any other model."""
    pretrainable: bool = False
    """It can learn from resumes first (``Context.resumes``)."""
    streaming: bool = False
    """It reads careers shard after shard, in bounded memory: ``Context.resumes`` and those of ``Context.also`` may be a
    ``Corpus``. Any other model has the careers of a corpus as one panel."""
    ablations: tuple[Ablation, ...] = ()
    """The arms of ``harness ablate``."""
    uses_weights: bool = False
    """The fit counts every record as often as its weight says (``Panel.weights``), as if it stood there so often.
    Boards of weighted panels name the models that do not."""

    def missing(self) -> tuple[str, ...]:
        """The needed modules that are not installed; nothing is imported to find out."""
        return missing_modules(self.needs)


def take_states(rows: FloatArray, states: IntArray) -> FloatArray:
    """float32 [n, m]: entry (i, states[i, j]) of whole rows [n, K]."""
    return np.take_along_axis(rows, states, axis=1).astype(np.float32)
