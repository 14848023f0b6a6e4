"""Parameters of llm-titles."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.plugins.llm.params import BaseParams
from harness.training.exchange import require_shares


class TitleTokenParams(BaseParams):
    """The base, the tokens of a career, the weights to train, and the length of training."""

    tokens: int = Field(
        2,
        ge=1,
        le=3,
        description="tokens a record: 3, year, title and line break; 2, year and title; or 1, the year of a record "
        "added to the title of the record before",
    )
    start: Literal["words", "random"] = Field(
        "words", description="values that the tokens start from: the mean of their words' embeddings, or random ones"
    )
    weights: Literal["trained", "random"] = Field(
        "trained", description="the base's weights: as they come, or drawn at random in the same architecture"
    )
    rank: int = Field(16, ge=1, le=1024, description="rank of the adapters")
    alpha: int = Field(32, ge=1, description="scale of the adapters: their product is multiplied by alpha / rank")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of inputs that each adapter drops in training")
    hidden_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the tokens' embeddings, and of what the output layer reads, that is dropped",
    )
    exchange: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of training careers that an epoch reads with their occupations exchanged for "
        "others of the same major group, all along a career; falls with the learning rate",
    )
    exchange_across: float = Field(0.0, ge=0, le=1, description="share whose occupations are exchanged for any other")
    learning_rate: float = Field(5e-4, gt=0, description="peak learning rate of the adapters (AdamW)")
    token_factor: float = Field(
        0.3, gt=0, description="learning rate of the tokens' embeddings and of the output layer, in multiples of it"
    )
    weight_decay: float = Field(
        0.01, ge=0, description="decoupled weight decay: of the adapters, and of what a token has beside its words"
    )
    average: float = Field(
        0.98, ge=0, lt=1, description="what a step leaves of the running average of weights that is kept in the end"
    )
    batch_tokens: int = Field(
        512, ge=1, description="tokens in a batch, padding included; a longer career is one alone"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="what matrix products are computed in while tuning; auto: bfloat16 where the GPU or the "
        "processor has units for it, float32 elsewhere; scoring is always float32",
    )
    gradient_checkpointing: bool | None = Field(
        None,
        description="keep only each layer's input in tuning and make the rest again: less memory, slower; unset: where "
        "the rest would not fit into the memory that is free",
    )
    epochs: int = Field(6, ge=1, description="most epochs of tuning, those of the decay included")
    min_gain: float = Field(
        0.02, ge=0, description="fall of the validation loss, in nats a transition, that an epoch must bring to go on"
    )
    patience: int = Field(1, ge=1, description="epochs to wait for such a fall before the learning rate decays")
    decay: float = Field(
        1.0, gt=0, description="epochs of falling learning rate for each epoch before it; at least one in all"
    )
    checkpoint_seconds: float = Field(
        60.0, ge=0, description="seconds of tuning between checkpoints, from which a killed run goes on; 0: every step"
    )

    @model_validator(mode="after")
    def _shares_are_of_one_whole(self) -> Self:
        require_shares(self.exchange, self.exchange_across)
        return self
