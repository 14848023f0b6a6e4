"""Parameters of CAREER and its family: presets, networks, training, pre-training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.model import Params, SearchRange
from harness.model.params import listed
from harness.model.teaching import TeacherParams
from harness.training.exchange import require_shares

# What the published model was trained with (Vafa et al. 2022, and the commands beside its code), where that is not what
# a survey likes best. Peak rates: 5e-4 in 4,000 steps on resumes, a fifth of it in 500 steps on the survey.
PAPER: dict[str, Any] = {
    "two_stage": True,
    "layers": 12,
    "width": 192,
    "heads": 3,
    "inner": 768,
    "dropout": 0.1,
    "state_dropout": 0.0,
    "stay": "origin",
    "history": "learned",
    "recall": "learned",
    "groups": False,
    "tied": True,
    "schedule": "inverse-sqrt",
    "learning_rate": 5e-4,
    "warmup": 500,
    "pretrain_warmup": 4000,
    "pretrain_epochs": 200,
    "weight_decay": 0.01,
    "batch_tokens": 16_000,
    "epochs": 200,
    "patience": 5,
    "tuning_rate": 0.2,
    "average": 0.0,
    "exchange": 0.0,
    "exchange_across": 0.0,
    "members": 1,
}


RATE = "peak learning rate (Adam with betas of 0.9 and 0.98)"
DECAY = "decoupled weight decay, of matrices"


class FamilyParams(Params):
    """Parameters that CAREER and its rivals have in common: those of the trainer."""

    two_stage: bool = Field(
        True, description="P(stay) apart from where to (CAREER, eq. 3-4); else one softmax over all states"
    )
    stay: Literal["own", "origin"] = Field(
        "own", description="what P(stay) is read from: weights of its own, or the score of the origin, as published"
    )
    ordered: str = Field(
        "",
        description="covariates whose levels stand in order, separated by commas; the order is that of columns.json, "
        "and the alphabet's without it",
    )
    schedule: Literal["linear", "inverse-sqrt"] = Field(
        "linear",
        description="of the learning rate after its warm-up: down to zero in a straight line, in as many epochs as are "
        "asked for; or with the inverse square root of the steps, until the validation loss has not fallen for "
        "'patience' epochs",
    )
    learning_rate: Annotated[float, SearchRange(3e-4, 1e-2, log=True)] = Field(2e-3, gt=0, description=RATE)
    warmup: int = Field(100, ge=0, description="steps in which the learning rate rises to its peak")
    weight_decay: Annotated[float, SearchRange(0.01, 2, log=True)] = Field(0.05, ge=0, description=DECAY)
    batch_tokens: int = Field(2048, ge=1, description="transitions in a batch; a longer career is one alone")
    epochs: Annotated[int, SearchRange(10, 60, log=True)] = Field(
        25, ge=1, description="epochs; with schedule=inverse-sqrt, the most"
    )
    fewest_steps: int = Field(
        500, ge=1, description="schedule=linear: steps that training has at least, in more epochs where careers are few"
    )
    patience: int = Field(5, ge=1, description="schedule=inverse-sqrt: epochs to wait for a lower validation loss")
    average: float = Field(
        0.99, ge=0, lt=1, description="what a step leaves of the running average of weights that is validated and kept"
    )
    exchange: Annotated[float | None, SearchRange(0, 0.8)] = Field(
        None,
        ge=0,
        le=1,
        description="share of training careers that an epoch reads with their occupations exchanged for others of the "
        "same major group, all along a career; falls with the learning rate where that falls in a straight line; "
        "unset: 0.5 for networks that read whole careers, 0 for any other and after pre-training",
    )
    exchange_across: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of them whose occupations are exchanged for any other; unset: 0.1 in the place of 0.5",
    )
    members: int = Field(
        1,
        ge=1,
        description="how many to train, one after another from different seeds; the mean of what they say counts. Time "
        "and memory grow with them",
    )
    pretrain_match: Literal["title", "code"] = Field(
        "title", description="--pretrain: what tells that a state of the resumes is one of the survey's"
    )
    pretrain_epochs: int = Field(10, ge=1, description="--pretrain: epochs; with schedule=inverse-sqrt, the most")
    pretrain_warmup: int = Field(100, ge=0, description="--pretrain: steps in which the rate rises to its peak")
    tuning_rate: float = Field(
        0.2, gt=0, description="--pretrain: peak learning rate on the survey, as a multiple of learning_rate"
    )
    checkpoint_seconds: float = Field(
        30.0,
        ge=0,
        description="seconds of training between checkpoints, from which a killed run goes on; 0: every step",
    )

    @model_validator(mode="after")
    def _shares_are_of_one_whole(self) -> Self:
        require_shares(self.exchange, self.exchange_across)
        return self

    @property
    def order(self) -> tuple[str, ...]:
        """The covariates of ``ordered``."""
        return tuple(name.strip() for name in self.ordered.split(",") if name.strip())


class SequenceParams(TeacherParams, FamilyParams):
    """And what can be set of a network that reads whole careers."""

    layers: Annotated[int, SearchRange(1, 4)] = Field(2, ge=1, description="layers")
    width: Annotated[int, SearchRange(choices=("32", "64", "128"))] = Field(
        64, ge=1, description="dimensions of embeddings and hidden states"
    )
    dropout: Annotated[float, SearchRange(0, 0.4)] = Field(
        0.1, ge=0, lt=1, description="share of what a layer gives that is dropped in training"
    )
    state_dropout: Annotated[float, SearchRange(0, 0.3)] = Field(
        0.1, ge=0, lt=1, description="share of a history's states that is hidden in training"
    )
    history: Literal["given", "learned"] = Field(
        "given", description="tenure, spells and years since: given as covariates, or to be learned from the states"
    )
    recall: Literal["given", "learned"] = Field(
        "given", description="states held before: scored as such, or to be learned from the states"
    )
    groups: bool = Field(True, description="whether states of one major group share a part of their embeddings")
    tied: bool = Field(True, description="whether states are predicted by the embeddings that they are read by")
    weight_decay: Annotated[float, SearchRange(0.01, 2, log=True)] = Field(0.5, ge=0, description=DECAY)


class CareerParams(SequenceParams):
    """A decoder-only transformer over states, of a size for a survey unless the published one is asked for."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"survey": {}, "paper": PAPER}

    preset: Literal["survey", "paper"] = Field(
        "survey",
        description="where what is not set comes from: 'survey', the size that does best on a few thousand persons; "
        "'paper', the published one: 12 layers of 192, 3 heads, inverse square root schedule, nothing given",
    )
    heads: int = Field(2, ge=1, description="attention heads; their number divides the width")
    inner: int = Field(256, ge=1, description="dimensions between the two maps of a feed-forward layer")

    @model_validator(mode="before")
    @classmethod
    def _from_the_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {**cls.PRESETS.get(given.get("preset", "survey"), {}), **given}

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.heads:
            right = f"choose a width that is a multiple of {self.heads}"
            raise ValueError(f"width={self.width} cannot be divided among heads={self.heads}: {right}")
        return self


class TitlesParams(CareerParams):
    """The same, with embeddings that start from what titles say."""

    encoder: str = Field(
        "builtin",
        description="sentence encoder of the titles: 'builtin' (all-MiniLM-L6-v2, from a package, no network needed), "
        "a folder, or a hub name",
    )


class EncodedParams(CareerParams):
    """The same, with what a frozen language model says of each career."""

    base: str = Field(
        "builtin", description="language model that reads the careers, as of llm-lora: 'builtin', a name, or a folder"
    )
    layer: float = Field(
        1.0, gt=0, le=1, description="depth of its hidden state, as a share of its layers; 1: the last"
    )
    encoder_options: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="further parameters of the encoder, as of llm-embed, separated by commas: birth_year=false"
    )
    encoded_at: Literal["input", "head"] = Field(
        "head",
        description="where it enters: read by the transformer with state and covariates, or added to what that has "
        "read",
    )


class NemoParams(SequenceParams):
    """An LSTM over states and covariates."""

    layers: Annotated[int, SearchRange(1, 2)] = Field(1, ge=1, description="LSTM layers")


class BagParams(FamilyParams):
    """The present state and the mean of those before it, linearly."""

    width: Annotated[int, SearchRange(choices=("64", "128", "256"))] = Field(
        128, ge=1, description="dimensions of the embeddings"
    )
    dropout: Annotated[float, SearchRange(0, 0.4)] = Field(
        0.1, ge=0, lt=1, description="share of their sum that is dropped in training"
    )
    learning_rate: Annotated[float, SearchRange(1e-3, 2e-2, log=True)] = Field(5e-3, gt=0, description=RATE)


class RegressionParams(FamilyParams):
    """Logits of staying and of where to, of hand-made terms."""

    learning_rate: Annotated[float, SearchRange(2e-3, 5e-2, log=True)] = Field(1e-2, gt=0, description=RATE)
