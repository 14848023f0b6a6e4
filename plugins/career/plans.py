"""From parameters to what is built: the network's plan, the features, the schedules."""

from __future__ import annotations

from dataclasses import replace

from harness.plugins.career.features import Given
from harness.plugins.career.head import HeadShape
from harness.plugins.career.layers import Reader, Shape
from harness.plugins.career.network import Plan
from harness.plugins.career.params import BagParams, CareerParams, FamilyParams, SequenceParams
from harness.plugins.career.pretrain import Recipe
from harness.plugins.career.train import Schedule

EXCHANGE = (0.5, 0.1)  # shares of careers, within major groups and across


def plan_of(p: FamilyParams, reader: Reader) -> Plan:
    """The network, but for the width of its columns."""
    own_stay = p.two_stage and p.stay == "own"
    if isinstance(p, SequenceParams):
        heads, inner = (p.heads, p.inner) if isinstance(p, CareerParams) else (1, 0)
        return Plan(
            Shape(reader, p.layers, p.width, heads, inner, p.dropout),
            HeadShape(p.two_stage, own_stay, p.recall == "given"),
            groups=p.groups,
            tied=p.tied,
            state_dropout=p.state_dropout,
        )
    shape = Shape(reader, width=p.width, dropout=p.dropout) if isinstance(p, BagParams) else Shape(reader)
    return Plan(shape, HeadShape(p.two_stage, own_stay))


def given_of(p: FamilyParams, reader: Reader) -> Given:
    """The features that it is given."""
    if reader == "regression":
        return "terms"
    return "history" if isinstance(p, SequenceParams) and p.history == "given" else "covariates"


def schedule_of(p: FamilyParams, tuned: bool) -> Schedule:
    """How the survey is learned. tuned: after pre-training."""
    within, across = EXCHANGE if isinstance(p, SequenceParams) and not tuned else (0.0, 0.0)
    return Schedule(
        shape=p.schedule,
        epochs=p.epochs,
        learning_rate=p.learning_rate * (p.tuning_rate if tuned else 1.0),
        warmup=p.warmup,
        weight_decay=p.weight_decay,
        batch_tokens=p.batch_tokens,
        fewest_steps=p.fewest_steps,
        patience=p.patience,
        average=p.average,
        exchange=within if p.exchange is None else p.exchange,
        exchange_across=across if p.exchange_across is None else p.exchange_across,
        checkpoint_seconds=p.checkpoint_seconds,
    )


def recipe_of(p: FamilyParams, reader: Reader) -> Recipe:
    """How the resumes are learned: as the survey is, for ``pretrain_epochs``, and with occupations as they are."""
    schedule = replace(
        schedule_of(p, tuned=False),
        epochs=p.pretrain_epochs,
        warmup=p.pretrain_warmup,
        exchange=0.0,
        exchange_across=0.0,
    )
    return Recipe(plan_of(p, reader), given_of(p, reader), p.order, schedule)
