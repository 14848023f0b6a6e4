"""Parameters of gbm and of its direct fits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.model import Params, SearchRange


class TreeParams(Params):
    """Parameters of trees; every step uses the same settings."""

    rounds: int = Field(1000, ge=1, description="most boosting rounds of a step, trees")
    early_stopping: int = Field(25, ge=1, description="rounds without gain on the validation split before a step stops")
    learning_rate: Annotated[float, SearchRange(0.02, 0.3, log=True)] = Field(
        0.1, gt=0, le=1, description="share of each tree's step that is taken"
    )
    leaves: Annotated[int, SearchRange(7, 127, log=True)] = Field(
        31, ge=2, le=4096, description="most leaves of a tree"
    )
    min_data: Annotated[int, SearchRange(5, 200, log=True)] = Field(
        20, ge=1, description="fewest transitions or pairs in a leaf"
    )
    min_weight: Annotated[float, SearchRange(1, 50, log=True)] = Field(
        10.0, ge=0, description="smallest sum of p (1 - p) in a leaf, transitions' worth"
    )
    l2: Annotated[float, SearchRange(0.1, 30, log=True)] = Field(1.0, ge=0, description="ridge penalty on leaf values")
    sample: Annotated[float, SearchRange(0.4, 1.0)] = Field(
        0.7, gt=0, le=1, description="share of rows, and of columns, that each tree sees"
    )
    strength: Annotated[float, SearchRange(5, 500, log=True)] = Field(
        50.0, gt=0, description="prior of the context frequencies, transitions"
    )
    categorical: Annotated[bool, SearchRange()] = Field(
        True, description="split levels and groups into sets rather than in their order"
    )
    monotone: Annotated[bool, SearchRange()] = Field(
        True, description="hold staying, or the event, to rise or fall with tenure as theory says"
    )
    members: int = Field(1, ge=1, le=100, description="fits from seeds of their own whose probabilities are averaged")
    threads: int = Field(0, ge=0, description="threads; 0: as many as there are processors free")


class GbmParams(TreeParams):
    """Parameters of ``gbm``."""

    monotone_destinations: Annotated[bool, SearchRange()] = Field(
        False,
        description="hold a destination's score to rise with records there and its flow, and fall with years away",
    )
    pairs: int = Field(2_000_000, ge=1000, description="most (switch, alternative) pairs that a step is fitted on")
