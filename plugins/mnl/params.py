"""What can be set for ``mnl``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.model import Params


class MnlParams(Params):
    """What can be set for ``mnl``."""

    stages: Literal["three", "one"] = Field(
        "three",
        description="three: staying, the destination's group, the state within it; one: a MNLogit over all states",
    )
    penalties: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (100.0, 30.0, 10.0, 3.0),
        min_length=1,
        description="ridge penalties on standardised terms, tried on the validation split in falling order",
    )
    iterations: int = Field(200, ge=1, description="most iterations of the solver at one penalty")
    strength: float = Field(50.0, gt=0, description="prior of the context frequencies, transitions (three stages)")
    pairs: int = Field(
        2_000_000, ge=1000, description="most (switch, state) pairs that the weights are fitted on (three stages)"
    )
    standard_errors: bool = Field(
        True, description="whether to compute the clustered standard errors of equations for many outcomes"
    )
    terms: tuple[str, ...] = Field(
        (),
        description="features in the MNLogit of one stage; if none is named origin, tenure, age, year, covariates",
    )
