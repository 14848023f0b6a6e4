"""Parameters of models of a frozen language model's hidden states."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.model.params import listed
from harness.plugins.llm.params import ReadingParams

Layer = Annotated[float, Field(gt=0, le=1)]


class EncoderParams(ReadingParams):
    """The base that reads, and the layer that is read, for models of other plugins."""

    layer: Layer = Field(1.0, description="depth of the hidden state, as a share of the base's layers; 1: the last")


class EmbedParams(ReadingParams):
    """The base that reads, the layer that is read, and the logit of what it says."""

    layers: Annotated[tuple[Layer, ...], BeforeValidator(listed)] = Field(
        (1.0,),
        min_length=1,
        description="depths of the hidden state, as shares of the base's layers, tried on the validation split: 0.5,1; "
        "1 is what the output head reads",
    )
    with_origin: bool = Field(True, description="whether indicators of the origin state stand beside the hidden state")
    staying: Literal["own", "plain"] = Field(
        "own",
        description="own: P(stay) is a logit of its own, and the regression is of where those go who leave; plain: one "
        "regression, in which the origin is a state like any other",
    )
    groups: bool = Field(True, description="coefficients that states of a major group share, beside their own")
    penalties: Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(listed)] = Field(
        (30_000.0, 10_000.0, 3000.0, 1000.0, 300.0, 100.0, 30.0),
        min_length=1,
        description="ridge penalties of the hidden state, each dimension in standard deviations, tried on the "
        "validation split in falling order: 1000,300; half of each times the squared coefficients is taken from the "
        "log-likelihood",
    )
    origin_penalty: float = Field(16.0, gt=0, description="ridge penalty of the indicators of the origin")
    tolerance: float = Field(
        1e-6, gt=0, lt=1, description="gain of a step, relative to the mean log-likelihood, that ends a fit"
    )
    iterations: int = Field(300, ge=1, description="most steps of limited-memory BFGS at one penalty")
    threads: int = Field(0, ge=0, description="threads of the logit; 0: as many as there are processors free")
