"""Parameters of ``softmax``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.model import Params, SearchRange
from harness.model.params import listed


class SoftmaxParams(Params):
    """Terms of the regression, and the penalties that hold them to zero."""

    penalties: Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(listed)] = Field(
        (16.0, 8.0, 4.0),
        min_length=1,
        description="ridge penalties tried on the validation split, in falling order: 16,8; half of each times the "
        "squared coefficients is taken from the log-likelihood",
    )
    staying: Literal["own", "plain"] = Field(
        "own",
        description="own: P(stay) is a logit of its own, on further terms as well, and the regression is of where "
        "those go who leave; plain: one regression, in which the origin is a state like any other",
    )
    recall: Annotated[bool, SearchRange()] = Field(True, description="terms of states and minor groups held before")
    groups: Annotated[bool, SearchRange()] = Field(
        True, description="terms of major and minor groups, beside those of single states"
    )
    pieces: Annotated[int, SearchRange(2, 12)] = Field(
        6, ge=1, le=50, description="pieces, between quantiles, that a number is linear in"
    )
    tolerance: float = Field(
        1e-6, gt=0, lt=1, description="gain of a step, relative to the mean log-likelihood, that ends a fit"
    )
    iterations: int = Field(300, ge=1, description="most steps of limited-memory BFGS at one penalty")
    threads: int = Field(0, ge=0, description="threads; 0: as many as there are processors free")
