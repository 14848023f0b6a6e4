"""Parameters of ``mnl``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.model import Params, SearchRange
from harness.model.params import listed


class MnlParams(Params):
    """Parameters of ``mnl``."""

    stages: Literal["three", "one"] = Field(
        "three",
        description="three: staying, the destination's group, the state within it; one: a MNLogit over all states",
    )
    penalties: Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(listed)] = Field(
        (100.0, 30.0, 10.0, 3.0),
        min_length=1,
        description="ridge penalties on standardised terms, tried on the validation split in falling order: 30,10",
    )
    iterations: int = Field(200, ge=1, description="most iterations of the solver at one penalty")
    strength: Annotated[float, SearchRange(5, 500, log=True)] = Field(
        50.0, gt=0, description="prior of the context frequencies, transitions (three stages)"
    )
    pairs: int = Field(
        2_000_000, ge=1000, description="most (switch, state) pairs that the weights are fitted on (three stages)"
    )
    standard_errors: bool = Field(
        True, description="whether to compute the clustered standard errors of equations for many outcomes"
    )
    terms: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (),
        description="features of the MNLogit of one stage, or 'NAME squared': origin,age,age squared; if none is named "
        "origin, tenure, age, age squared, year and the covariates",
    )

    @model_validator(mode="after")
    def _terms_of_one_stage(self) -> Self:
        if self.terms and self.stages != "one":
            raise ValueError("terms are those of the MNLogit over all states: add stages=one, or leave them out")
        return self


class MlogitParams(Params):
    """Parameters of ``mlogit``."""

    formula: str = Field(
        "",
        description="right-hand side over features ('harness list features'), such as C(education) * age + age**2; if "
        "none is given tenure, age, its square, and the origin's major group where that is not too much",
    )
    base: str = Field("", description="base outcome: a state's code or title; the most frequent one where empty")
    most_coefficients: int = Field(
        600,
        ge=1,
        description="most coefficients, outcomes times terms; the time of a step grows with their square",
    )
    iterations: int = Field(100, ge=1, description="most Newton steps")
    marginal_effects: bool = Field(True, description="whether to compute average marginal effects on every outcome")
