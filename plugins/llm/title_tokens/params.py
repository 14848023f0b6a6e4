"""Parameters of llm-titles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from harness.model.teaching import TeacherParams
from harness.plugins.llm.params import BaseParams, EnsembleParams, StepParams
from harness.training.exchange import require_shares

if TYPE_CHECKING:
    from harness.training.schedule import Schedule


class TitleTokenParams(TeacherParams, StepParams, EnsembleParams, BaseParams):
    """The base, the tokens of a career, the weights to train, and the length of training."""

    tokens: int = Field(
        1,
        ge=1,
        le=3,
        description="tokens a record: 3, year, title and line break; 2, year and title; or 1, the year of a record "
        "added to the title of the record before",
    )
    history: Literal["given", "learned"] = Field(
        "given",
        description="tenure, spells and years since: given to the head as numbers, counted over the whole career; or "
        "to be learned from the tokens",
    )
    recall: Literal["given", "learned"] = Field(
        "given", description="states held before: scored as such, or to be learned from the tokens"
    )
    likeness: str = Field(
        "",
        description="sentence encoder by which titles that are like those held so far are scored as such: 'builtin' "
        "(all-MiniLM-L6-v2, from a package), a folder, or a hub name; unset: none",
    )
    width: int = Field(64, ge=1, description="dimensions in which hidden state, origin and covariates are added up")
    career_layers: int = Field(
        0,
        ge=0,
        le=24,
        description="layers of a small transformer, as CAREER's, that reads states and covariates beside the language "
        "model and learns with the head before it; 0: the head reads the origin alone",
    )
    start: Literal["words", "random"] = Field(
        "words", description="values that the tokens start from: the mean of their words' embeddings, or random ones"
    )
    weights: Literal["trained", "random"] = Field(
        "trained", description="the base's weights: as they come, or drawn at random in the same architecture"
    )
    rank: int = Field(16, ge=1, le=1024, description="rank of the adapters")
    alpha: int = Field(32, ge=1, description="scale of the adapters: their product is multiplied by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of inputs that each adapter drops in training")
    hidden_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the tokens' embeddings, and of what the head reads, that is dropped in training",
    )
    state_dropout: float = Field(0.1, ge=0, lt=1, description="share of a history's titles hidden in training")
    exchange: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of training careers that an epoch reads with their occupations exchanged for "
        "others of the same major group, all along a career; falls with the learning rate. Where the head learns by "
        "itself first, in its epochs alone",
    )
    exchange_across: float = Field(0.1, ge=0, le=1, description="share whose occupations are exchanged for any other")
    head_epochs: int = Field(
        30,
        ge=0,
        description="epochs in which the head learns by itself, from origin, tenure and covariates, before it "
        "reads the language model, three times fewest_steps at least; 0: both learn from the first step",
    )
    head_learning_rate: float = Field(2e-3, gt=0, description="peak learning rate of the head by itself (AdamW)")
    learning_rate: float = Field(2e-4, gt=0, description="peak learning rate of the adapters (AdamW)")
    head_factor: float = Field(
        1.0, gt=0, description="learning rate of the tokens' embeddings and of the head beside them, in multiples of it"
    )
    head_decay: float = Field(0.5, ge=0, description="decoupled weight decay of their matrices")
    average: float = Field(
        0.98, ge=0, lt=1, description="what a step leaves of the running average of weights that is kept in the end"
    )
    batch_tokens: int = Field(
        1024, ge=1, description="tokens in a batch, padding included; a longer career is one alone"
    )
    epochs: int = Field(3, ge=1, description="epochs, in which the learning rate falls to zero in a straight line")
    warmup: int = Field(50, ge=0, description="steps in which it rises to its peak")
    fewest_steps: int = Field(
        200, ge=1, description="steps that tuning has at least, in more epochs where careers are few"
    )

    compiled: bool = Field(
        False,
        description="compile the language model's layers for tuning (torch.compile): a minute before the first step, "
        "then half as many tokens a second again on a processor, which needs a C++ compiler; losses differ by the "
        "rounding of products",
    )

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        require_shares(self.exchange, self.exchange_across)
        if self.career_layers and self.width % 2:
            raise ValueError(f"width={self.width} is odd, and career_layers have two heads: give an even width")
        if self.compiled and self.gradient_checkpointing:
            raise ValueError("compiled=true keeps all activations: set it or gradient_checkpointing=true, not both")
        return self


def schedule_of(p: TitleTokenParams) -> Schedule:
    """The schedule of these parameters."""
    from harness.training.schedule import LinearDecay, Schedule

    return Schedule(
        pace=LinearDecay(epochs=p.epochs, warmup=p.warmup, fewest_steps=p.fewest_steps),
        learning_rate=p.learning_rate,
        batch_tokens=p.batch_tokens,
        weight_decay=p.weight_decay,
        average=p.average,
        checkpoint_seconds=p.checkpoint_seconds,
        exchange=p.exchange,
        exchange_across=p.exchange_across,
    )
