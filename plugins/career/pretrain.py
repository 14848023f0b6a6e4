"""Pre-training on resumes: a network of their states and of the covariates they have, and a survey's begun from it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.errors import RequestError
from harness.panel import Occupations, Panel
from harness.panel.pooling import same_titles
from harness.plugins.career.encoding import Encoding
from harness.plugins.career.features import Given, names_of
from harness.plugins.career.files import read_network, write_network
from harness.plugins.career.network import Network, Plan
from harness.plugins.career.start import start_of
from harness.plugins.career.tokens import Tokens
from harness.plugins.career.train import Careers, Fit, Schedule, train
from harness.runs.run import sources_digest
from harness.system.files import publishing, unfinished
from harness.types import IntArray

if TYPE_CHECKING:
    from torch import Tensor

    from harness.model import Context

Match = Literal["title", "code"]
PACKAGE = "harness.plugins.career"


@dataclass(frozen=True)
class Recipe:
    """All that decides what pre-training comes to, beside the resumes. plan: its ``columns`` do not count.

    seed: always the same, so that every run of a model starts from one base.
    """

    plan: Plan
    given: Given
    ordered: tuple[str, ...]
    schedule: Schedule
    seed: int = 0

    def key(self, fingerprint: str, titles: Tensor | None) -> str:
        """16 hexadecimal digits: of the recipe, of what is in the pool and what its titles say, and of the code."""
        plain = asdict(replace(self, schedule=replace(self.schedule, checkpoint_seconds=0.0)))
        digest = hashlib.sha256(json.dumps([plain, fingerprint, sources_digest(PACKAGE)], sort_keys=True).encode())
        if titles is not None:  # a folder's encoder may have changed under its name
            digest.update(titles.numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Base:
    """A network that has learned from resumes. key: what its recipe hashes to. validation: nats a transition of those
    held out, epoch by epoch. seconds: of training, whoever it was that spent them."""

    network: Network
    encoding: Encoding
    occupations: Occupations
    key: str
    validation: tuple[float, ...]
    seconds: float


def base_of(recipe: Recipe, pool: Panel, titles: Tensor | None, context: Context) -> Base:
    """The base of a recipe, from the cache, where it is trained first if it is not there yet."""
    folder = context.cache / "career-bases" / recipe.key(pool.fingerprint(), titles)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(context.cache, f"career-base-{folder.name}") as scratch:
            start = time.perf_counter()
            network, encoding, fit = _pretrained(recipe, pool, titles, replace(context, scratch=scratch.folder))
            seconds = round(scratch.seconds + time.perf_counter() - start, 2)
            with publishing(folder) as draft:
                write_network(draft, network, encoding, {"validation": list(fit.validation), "seconds": seconds})
    network, encoding, about = read_network(folder)
    return Base(network, encoding, pool.occupations, folder.name, tuple(about["validation"]), about["seconds"])


def _pretrained(recipe: Recipe, pool: Panel, titles: Tensor | None, context: Context) -> tuple[Network, Encoding, Fit]:
    import torch

    careers, watched = pool.part("train"), pool.part("valid")
    if not len(careers.transitions):
        raise RequestError(f"--pretrain: '{pool.name}' has no training career of two records: nothing to learn from")
    names = names_of(careers, recipe.given)
    encoding = Encoding.fit(careers, names, [name for name in recipe.ordered if name in names])
    plan = replace(recipe.plan, columns=encoding.width)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        network = Network(plan, start_of(careers), titles)
    tokens, held_out = (Tokens.of(panel, encoding) for panel in (careers, watched))
    reading = Careers(careers, tokens, recipe.schedule, recipe.seed)
    fit: Fit = train(network, reading, held_out, context, "pre-training")
    return network.cpu(), encoding, fit


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


def begin_from(base: Base, network: Network, encoding: Encoding, occupations: Occupations, states: IntArray) -> None:
    """Give a survey's network all that the base knows. states: int64 [K], as ``matched`` has them.

    States, groups and columns that the base lacks stay as they are: random and small, or at the survey's own rates.
    """
    import torch

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
    base: Base, encoding: Encoding, occupations: Occupations, states: IntArray
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
    """What is added to a state's scores starts where the base has it, and not at the survey's own rates."""
    known = np.flatnonzero(states >= 0)
    for start, bias in (("start", "bias"), ("stay_start", "stay_bias")):
        if hasattr(network.head, bias):
            level = getattr(base.head, start) + getattr(base.head, bias)
            getattr(network.head, bias)[known] = level[states[known]] - getattr(network.head, start)[known]
