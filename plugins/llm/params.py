"""Parameters of the models of this plugin, and their consequences for text and training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.model import Params, SearchRange
from harness.plugins.llm.text.facts import CareerFacts
from harness.plugins.llm.text.template import ResumeTemplate, resolved
from harness.training.exchange import require_shares

if TYPE_CHECKING:
    from harness.plugins.llm.text.resume import TextOptions


class BaseParams(Params):
    """The base that a model starts from, and the parts of a career that are written for it."""

    base: str = Field(
        "builtin",
        description="model to start from: 'builtin' (pre-trained here on the pool, no network needed), 'smollm2' "
        "(SmolLM2-135M-Instruct, once 'harness llm fetch smollm2' has brought it), a GGUF file (FILE.gguf), a folder "
        "that save_pretrained wrote, or a hub name; safetensors only",
    )
    subfolder: str = Field("", description="folder inside the base's folder or hub repository that holds the model")
    titles: Literal["words", "codes"] = Field(
        "words", description="what stands for a state: its title, or its code in the place of the title"
    )
    demographics: bool = Field(True, description="whether the covariates that never change head the resume")
    birth_year: bool = Field(True, description="whether the birth year does")
    max_context: int | None = Field(
        None,
        ge=8,
        description="most tokens of history, target and all, that the model sees; unset: what the base was made for",
    )
    pool: str = Field(
        "market-resumes", description="builtin base: data set or path of the resumes it is pre-trained on"
    )
    base_layers: int = Field(2, ge=1, description="builtin base: transformer layers")
    base_width: int = Field(128, ge=8, description="builtin base: dimensions of the hidden state")
    base_heads: int = Field(2, ge=1, description="builtin base: attention heads; their number divides the width")
    base_vocabulary: int = Field(1024, ge=258, description="builtin base: most tokens of its byte-level BPE")
    base_context: int = Field(1024, ge=32, description="builtin base: most tokens it sees")
    base_tokens: int = Field(3_000_000, ge=1, description="builtin base: tokens of pre-training")
    base_symbols: int = Field(
        512, ge=0, description="builtin base: tokens that stand for any occupation, what a new title's token starts as"
    )
    base_disguised: float = Field(
        0.6, ge=0, le=1, description="builtin base: share of the pool's resumes whose occupations are such symbols"
    )
    base_loss: Literal["titles", "all"] = Field(
        "titles", description="builtin base: tokens that count in pre-training, those of titles and delimiters or all"
    )
    base_batch_tokens: int = Field(2048, ge=1, description="builtin base: tokens in a batch of pre-training")
    base_learning_rate: float = Field(3e-3, gt=0, description="builtin base: peak learning rate of pre-training")


class ReadingParams(BaseParams):
    """A base that reads careers as text."""

    history: Literal["all"] | Annotated[int, Field(ge=1)] = Field(
        "all", description="records before the target that the model sees, in training and in scoring: all, or how many"
    )
    template: str = Field(
        "harness",
        description="what stands around the titles: 'harness'; 'labor-llm', the sentences and lines of the paper; or "
        "FILE.jinja, a jinja2 template ('harness llm template' prints one to start from), whose text is kept with the "
        "fit",
    )
    career_facts: CareerFacts = Field(
        "none",
        description="facts of the career so far in the head of each line: none; tenure, the years in the job before; "
        "or all, also how many times it was held before that. Counted over the whole career, whatever 'history'",
    )

    @field_validator("template")
    @classmethod
    def _template_is_its_text(cls, value: str) -> str:
        """A file's text in the place of its name: what is read is part of the request, and outlives the file."""
        return resolved(value)


class EnsembleParams(Params):
    """The number of models that are tuned and averaged."""

    members: int = Field(
        1,
        ge=1,
        description="how many to tune, one after another from different seeds; P(next state) is the mean of what they "
        "say. Time and memory grow with them",
    )


class StepParams(Params):
    """The cost of a step of tuning, and the weights that are kept of many."""

    weight_decay: Annotated[float, SearchRange(1e-3, 0.1, log=True)] = Field(
        0.01, ge=0, description="decoupled weight decay of tuning"
    )
    average: float = Field(
        0.99, ge=0, lt=1, description="what a step leaves of the running average of weights that is kept in the end"
    )
    batch_tokens: int = Field(
        2048, ge=1, description="tokens in a batch, padding included; a longer career is one alone"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="what matrix products are computed in while tuning, trained weights being float32 throughout; "
        "auto: bfloat16 where the GPU or the processor has units for it, float32 elsewhere; scoring is always float32",
    )
    gradient_checkpointing: bool | None = Field(
        None,
        description="keep only each layer's input in tuning and make the rest again: less memory, slower; unset: where "
        "the rest would not fit into the memory that is free",
    )
    checkpoint_seconds: float = Field(
        60.0, ge=0, description="seconds of tuning between checkpoints, from which a killed run goes on; 0: every step"
    )


class TuningParams(StepParams):
    """And its length, which the validation split decides."""

    epochs: int = Field(40, ge=1, description="most epochs of tuning, those of the decay included")
    min_gain: float = Field(
        0.02, ge=0, description="fall of the validation loss, in nats a transition, that an epoch must bring to go on"
    )
    patience: int = Field(1, ge=1, description="epochs to wait for such a fall before the learning rate decays")
    decay: float = Field(
        2.0, gt=0, description="epochs of falling learning rate for each epoch before it; at least one in all"
    )


class LlmParams(TuningParams, EnsembleParams, ReadingParams):
    """And the weights to train, and the length of training."""

    tuning: Literal["lora", "full", "none"] = Field(
        "lora", description="what is trained: low-rank adapters, every weight, or nothing"
    )
    shots: int = Field(
        0, ge=0, description="tuning=none: other people's careers, of the training split, shown before each resume"
    )
    rank: Annotated[int, SearchRange(choices=("8", "16", "32", "64"))] = Field(
        32, ge=1, le=1024, description="rank of the adapters"
    )
    alpha: int = Field(64, ge=1, description="scale of the adapters: their product is multiplied by alpha / rank")
    dropout: Annotated[float, SearchRange(0, 0.4)] = Field(
        0.2, ge=0, lt=1, description="share of inputs that each adapter drops in training"
    )
    hidden_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the hidden states after the embeddings that is dropped in training"
    )
    exchange: Annotated[float | None, SearchRange(0, 0.8)] = Field(
        None,
        ge=0,
        le=1,
        description="share of training careers that an epoch reads with their occupations exchanged for others of the "
        "same major group, all along a career; falls with the learning rate; unset: 0.6 for the builtin base, 0 for "
        "any other",
    )
    exchange_across: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of them whose occupations are exchanged for any other; unset: 0.2 for the builtin base, 0 "
        "for any other",
    )
    train_embeddings: bool | None = Field(
        None,
        description="train the token embeddings and the output head too, in full; unset: for the builtin base only",
    )
    extend_vocabulary: Literal["none", "words", "titles"] | None = Field(
        None,
        description="what gets a token of its own where it takes several: nothing, each word, or each word and each "
        "whole title; unset: words for the builtin base, nothing for any other",
    )
    loss: Literal["titles", "all"] = Field(
        "titles", description="tokens that count in tuning: those of titles and their delimiters, or all"
    )
    learning_rate: Annotated[float | None, SearchRange(2e-4, 1e-2, log=True)] = Field(
        None, gt=0, description="peak learning rate of tuning (AdamW); unset: 2e-3 for adapters, 5e-4 for every weight"
    )
    embedding_factor: Annotated[float, SearchRange(0.5, 3)] = Field(
        1.5, gt=0, description="learning rate of the embeddings and the output head, where trained, in multiples of it"
    )
    packing: bool | None = Field(
        None,
        description="put the careers of a batch in one row without padding, each attending to itself alone; unset: on "
        "a GPU only; models that cannot be read this way have padded batches of careers of similar length",
    )
    shard: bool = Field(
        False,
        description="several processes (--processes) each hold a part of every weight while tuning (FSDP), no copy: "
        "less memory, more exchange",
    )
    renormalise: Literal["none", "certified", "exact"] = Field(
        "none",
        description="whether P(title) is divided by the mass of all titles: never; by its bound, found by reading no "
        "more titles than 'tolerance' asks; or by the sum over every title",
    )
    tolerance: float = Field(
        1e-3, gt=0, le=0.5, description="renormalise=certified: most that ln of that mass may be off, in nats"
    )

    @model_validator(mode="after")
    def _examples_are_for_models_as_they_come(self) -> Self:
        if self.shots and self.tuning != "none":
            raise ValueError(
                f"shots={self.shots} shows examples to a model that is not tuned on them: set tuning=none, or leave "
                "out shots"
            )
        return self

    @model_validator(mode="after")
    def _shares_are_of_one_whole(self) -> Self:
        require_shares(self.exchange, self.exchange_across)
        return self

    @model_validator(mode="after")
    def _members_differ(self) -> Self:
        if self.members > 1 and self.tuning == "none" and not self.shots:
            raise ValueError(f"members={self.members} of a model that is not tuned all say the same: leave out members")
        return self


def exchange_of(p: LlmParams) -> tuple[float, float]:
    """The shares of careers whose occupations are exchanged, within major groups and across; one whole at most."""
    within, across = (0.6, 0.2) if p.base == "builtin" else (0.0, 0.0)
    within = min(within, 1.0 - (p.exchange_across or 0.0)) if p.exchange is None else p.exchange
    across = min(across, 1.0 - within) if p.exchange_across is None else p.exchange_across
    return within, across


def options_of(p: BaseParams) -> TextOptions:
    """The parts of a career that the model of these parameters reads."""
    from harness.plugins.llm.text.resume import TextOptions

    of_all = TextOptions(titles=p.titles, demographics=p.demographics, birth_year=p.birth_year)
    if not isinstance(p, ReadingParams):
        return of_all
    return replace(
        of_all,
        history=None if p.history == "all" else p.history,
        career_facts=p.career_facts,
        template=ResumeTemplate.of(p.template),
    )
