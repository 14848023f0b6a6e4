"""Pre-training on resumes: a network of their states and of the covariates they have, and a survey's begun from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from harness.errors import RequestError
from harness.features.encoding import Encoding
from harness.features.selection import Given, names_of
from harness.model import Context
from harness.network.start import start_of
from harness.network.transitions import TransitionTable
from harness.panel import Corpus, Occupations, Panel
from harness.panel.pooling import same_titles
from harness.plugins.career.files import read_network, write_network
from harness.plugins.career.network import Network, NetworkPlan
from harness.plugins.career.stream import Stream, StreamedTrainee, sample_of, split_of
from harness.plugins.career.train import CareerTrainee
from harness.training.cached_base import CachedBase, base_key
from harness.training.loop import TrainingResult, train
from harness.training.process_group import process_group
from harness.training.schedule import InverseRoot, LinearDecay, Schedule, in_windows
from harness.types import IntArray

Match = Literal["title", "code"]


@dataclass(frozen=True, kw_only=True)
class PretrainingRecipe:
    """All that decides what pre-training comes to, beside the resumes. plan: its ``columns`` do not count.

    seed: always the same, so that every run of a model starts from one base.
    """

    plan: NetworkPlan
    given: Given
    ordered: tuple[str, ...]
    schedule: Schedule
    seed: int = 0

    @property
    def pace(self) -> LinearDecay | InverseRoot:
        """The pace of its schedule."""
        assert isinstance(self.schedule.pace, LinearDecay | InverseRoot)
        return self.schedule.pace

    def place(self, resumes: Panel | Corpus, titles: Tensor | None) -> CachedBase:
        """The place in the cache of the base of these resumes, and of what an encoder says of their titles."""
        plain = replace(self, schedule=replace(self.schedule, checkpoint_seconds=0.0))
        # A folder's encoder may have changed under its name: what it says is part of the key.
        said = b"" if titles is None else titles.numpy().tobytes()
        return CachedBase(kind="career-bases", key=base_key(__name__, plain, resumes.fingerprint(), said))


@dataclass(frozen=True, kw_only=True)
class PretrainedNetwork:
    """A network that has learned from resumes. key: of its recipe. validation: nats a transition of those held out,
    epoch by epoch. seconds: of training, whoever it was that spent them."""

    network: Network
    encoding: Encoding
    occupations: Occupations
    key: str
    validation: tuple[float, ...]
    seconds: float


def pretrained(
    recipe: PretrainingRecipe, resumes: Panel | Corpus, titles: Tensor | None, context: Context
) -> PretrainedNetwork:
    """The network of a recipe, from the cache, where it is trained first if it is not there yet."""
    place = recipe.place(resumes, titles)
    group = process_group(context)
    folder = place.learned(context, lambda own: _learn(recipe, resumes, titles, own), _write, group=group)
    network, encoding, about = read_network(folder)
    return PretrainedNetwork(
        network=network,
        encoding=encoding,
        occupations=resumes.occupations,
        key=place.key,
        validation=tuple(about["validation"]),
        seconds=about["seconds"],
    )


def _learn(
    recipe: PretrainingRecipe, resumes: Panel | Corpus, titles: Tensor | None, context: Context
) -> tuple[Network, Encoding, TrainingResult]:
    careers, watched = sample_of(resumes, context) if isinstance(resumes, Corpus) else split_of(resumes)
    if not len(careers.transitions):
        raise RequestError(f"--pretrain: '{resumes.name}' has no training career of two records: nothing to learn from")
    names = names_of(careers, recipe.given)
    encoding = Encoding.fit(careers, names, [name for name in recipe.ordered if name in names])
    plan = replace(recipe.plan, columns=encoding.width)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        network = Network(plan, start_of(careers), titles)
    held_out = TransitionTable.of(watched, encoding)
    context = replace(context, seed=recipe.seed)
    if isinstance(resumes, Corpus):
        del careers, watched  # shards take their place
        stream = Stream(resumes, encoding, recipe.seed)
        schedule = replace(recipe.schedule, pace=in_windows(recipe.pace, stream.windows))
        streamed = StreamedTrainee(network=network, stream=stream, valid=held_out, schedule=schedule, context=context)
        result = train(streamed, schedule, context, "pre-training")
        of_passes = replace(result, validation=result.validation[:: stream.windows])
        return network.cpu(), encoding, of_passes
    trainee = CareerTrainee(
        network=network,
        panel=careers,
        tokens=TransitionTable.of(careers, encoding),
        valid=held_out,
        schedule=recipe.schedule,
        context=context,
    )
    result = train(trainee, recipe.schedule, context, "pre-training")
    return network.cpu(), encoding, result


def _write(learned: tuple[Network, Encoding, TrainingResult], folder: Path, seconds: float) -> None:
    network, encoding, result = learned
    write_network(folder, network, encoding, {"validation": list(result.validation), "seconds": seconds})


def matched(survey: Occupations, resumes: Occupations, match: Match) -> IntArray:
    """int64 [K]: for each state of the survey, that of the resumes which is the same; -1 where there is none.

    RequestError where nothing matches, or a title is not one state's alone.
    """
    if match == "title":
        found = same_titles(survey, resumes, ("the panel of --data", "that of --pretrain"))
    else:
        place = {code: i for i, code in enumerate(resumes.codes)}
        found = np.array([place.get(code, -1) for code in survey.codes], dtype=np.int64)
    if (found < 0).all():
        other = "code" if match == "title" else "title"
        raise RequestError(
            f"--pretrain: no {match} of the panel is one of theirs: try pretrain_match={other}, or give resumes of the "
            "same occupations"
        )
    return found


def begin_from(
    base: PretrainedNetwork, network: Network, encoding: Encoding, occupations: Occupations, states: IntArray
) -> None:
    """Give a survey's network all that the base knows. states: int64 [K], as ``matched`` has them.

    States, groups and columns that the base lacks stay as they are: random and small, or at the survey's own rates.
    """
    pairs = _pairs(base, encoding, occupations, states)
    if network.plan.shape.reader == "regression":  # a score a state, and one of staying
        last = (len(states), base.network.states.own.shape[0])
        pairs["width"] = tuple(np.append(places, end) for places, end in zip(pairs["state"], last, strict=True))
    theirs = dict(base.network.named_parameters())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            source = theirs[name]
            own, other = _places(name, parameter.shape, pairs)
            parameter[np.ix_(*own)] = source[np.ix_(*other)]
        _same_intercepts(base.network, network, states)


def _pairs(
    base: PretrainedNetwork, encoding: Encoding, occupations: Occupations, states: IntArray
) -> dict[str, tuple[IntArray, ...]]:
    """By kind of axis: positions in the survey's network, and in the base's, that mean the same."""

    def by_name(own: Sequence[str], other: Sequence[str]) -> tuple[IntArray, IntArray]:
        place = {name: i for i, name in enumerate(other)}
        both = [(i, place[name]) for i, name in enumerate(own) if name in place]
        one, two = zip(*both, strict=True) if both else ((), ())
        return np.array(one, dtype=np.int64), np.array(two, dtype=np.int64)

    known = np.flatnonzero(states >= 0)
    return {
        "state": (known, states[known]),
        "group": by_name(occupations.group_index()[1], base.occupations.group_index()[1]),
        "column": by_name(encoding.labels, base.encoding.labels),
    }


def _places(name: str, shape: Sequence[int], pairs: dict[str, Any]) -> tuple[list[IntArray], list[IntArray]]:
    """Positions along every axis of a parameter, in the survey's network and in the base's."""
    last = name.rsplit(".", maxsplit=1)[-1]
    axes: list[str] = ["width"] * len(shape)
    if last == "own" or name in ("head.bias", "head.stay_bias"):
        axes[0] = "state"
    elif last == "group":
        axes[0] = "group"
    elif name in ("columns.weight", "earlier_columns.weight"):
        axes[1] = "column"
    both = [pairs.get(axis, (np.arange(size), np.arange(size))) for axis, size in zip(axes, shape, strict=True)]
    return [own for own, _ in both], [other for _, other in both]


def _same_intercepts(base: Network, network: Network, states: IntArray) -> None:
    """Let what is added to a state's scores start where the base has it, and not at the survey's own rates."""
    known = np.flatnonzero(states >= 0)
    for start, bias in (("start", "bias"), ("stay_start", "stay_bias")):
        if hasattr(network.head, bias):
            level = getattr(base.head, start) + getattr(base.head, bias)
            getattr(network.head, bias)[known] = level[states[known]] - getattr(network.head, start)[known]
