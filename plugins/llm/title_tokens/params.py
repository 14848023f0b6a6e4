"""Parameters of llm-titles."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.plugins.llm.params import BaseParams, TuningParams
from harness.training.exchange import require_shares


class TitleTokenParams(TuningParams, BaseParams):
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
    average: float = Field(
        0.98, ge=0, lt=1, description="what a step leaves of the running average of weights that is kept in the end"
    )
    batch_tokens: int = Field(
        512, ge=1, description="tokens in a batch, padding included; a longer career is one alone"
    )
    epochs: int = Field(6, ge=1, description="most epochs of tuning, those of the decay included")
    decay: float = Field(
        1.0, gt=0, description="epochs of falling learning rate for each epoch before it; at least one in all"
    )

    @model_validator(mode="after")
    def _shares_are_of_one_whole(self) -> Self:
        require_shares(self.exchange, self.exchange_across)
        return self
