"""From parameters to what is built: the network's plan, the features, the schedules."""

from __future__ import annotations

from dataclasses import replace

from harness.features.selection import Given
from harness.network.head import HeadShape
from harness.network.layers import Reader, Shape
from harness.plugins.career.network import NetworkPlan
from harness.plugins.career.params import BagParams, CareerParams, FamilyParams, SequenceParams
from harness.plugins.career.pretrain import PretrainingRecipe
from harness.training.schedule import InverseRoot, LinearDecay, Schedule

EXCHANGE = (0.5, 0.1)  # shares of careers, within major groups and across


def plan_of(p: FamilyParams, reader: Reader) -> NetworkPlan:
    """The network, but for the width of its columns."""
    own_stay = p.two_stage and p.stay == "own"
    if isinstance(p, SequenceParams):
        heads, inner = (p.heads, p.inner) if isinstance(p, CareerParams) else (1, 0)
        return NetworkPlan(
            Shape(reader=reader, layers=p.layers, width=p.width, heads=heads, inner=inner, dropout=p.dropout),
            HeadShape(p.two_stage, own_stay, p.recall == "given"),
            groups=p.groups,
            tied=p.tied,
            state_dropout=p.state_dropout,
        )
    shape = Shape(reader, width=p.width, dropout=p.dropout) if isinstance(p, BagParams) else Shape(reader)
    return NetworkPlan(shape, HeadShape(p.two_stage, own_stay))


def given_of(p: FamilyParams, reader: Reader) -> Given:
    """The features that it is given."""
    if reader == "regression":
        return "terms"
    return "history" if isinstance(p, SequenceParams) and p.history == "given" else "covariates"


def schedule_of(p: FamilyParams, tuned: bool) -> Schedule:
    """The schedule for the survey. tuned: after pre-training."""
    within, across = EXCHANGE if isinstance(p, SequenceParams) and not tuned else (0.0, 0.0)
    return Schedule(
        pace=_pace(p, p.epochs, p.warmup),
        learning_rate=p.learning_rate * (p.tuning_rate if tuned else 1.0),
        batch_tokens=p.batch_tokens,
        weight_decay=p.weight_decay,
        average=p.average,
        checkpoint_seconds=p.checkpoint_seconds,
        exchange=within if p.exchange is None else p.exchange,
        exchange_across=across if p.exchange_across is None else p.exchange_across,
    )


def _pace(p: FamilyParams, epochs: int, warmup: int) -> LinearDecay | InverseRoot:
    if p.schedule == "linear":
        return LinearDecay(epochs=epochs, warmup=warmup, fewest_steps=p.fewest_steps)
    return InverseRoot(epochs=epochs, warmup=warmup, patience=p.patience)


def recipe_of(p: FamilyParams, reader: Reader) -> PretrainingRecipe:
    """The recipe for resumes: as for the survey, for ``pretrain_epochs``, and with occupations as they are."""
    schedule = replace(
        schedule_of(p, tuned=False),
        pace=_pace(p, p.pretrain_epochs, p.pretrain_warmup),
        exchange=0.0,
        exchange_across=0.0,
    )
    return PretrainingRecipe(plan=plan_of(p, reader), given=given_of(p, reader), ordered=p.order, schedule=schedule)
