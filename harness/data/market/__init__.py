"""The simulated labor market: a survey of it, and a pool of resumes from it, with probabilities known to the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from harness.errors import RequestError
from harness.hookspecs import hookimpl
from harness.model.contract import Params
from harness.model.dataset import DatasetSpec
from harness.panel.careers import SPLITS, Panel


class MarketParams(Params):
    """The number of people to survey, and the seed that draws them."""

    persons: int = Field(2400, ge=1, description="persons in the survey, about 22 records each")
    seed: int = Field(1, ge=0, description="of the persons and their choices; the economy is always the same")
    train_persons: int | None = Field(
        None,
        ge=1,
        description="most persons of the training split that are kept, the first ones, and a seventh as many of the "
        "validation split; the test split stays whole; unset: all",
    )


class ResumesParams(Params):
    """The number of resumes to collect, and the seed that draws them."""

    persons: int = Field(20_000, ge=1, description="resumes in the pool, about 15 records each")
    seed: int = Field(1, ge=0, description="of the persons and their choices; the economy is always the same")


def _named(panel: Panel, params: Params) -> Panel:
    """The panel under a name that carries the parameters where they are not the defaults."""
    name = panel.name
    if params != type(params)():
        name += "".join(f"-{key}-{value}" for key, value in params.model_dump(exclude_none=True).items())
    return replace(panel, name=name)


def load_market(params: MarketParams) -> Panel:
    """The survey: birth year, gender, ethnicity, region and education, one record a year from 1997 to 2022 at most."""
    from harness.data.market.simulate import draw_panel  # here, so that a list of data sets does not load the economy

    panel = draw_panel("survey", params.persons, params.seed)
    if params.train_persons is not None:
        most = {"train": params.train_persons, "valid": max(1, params.train_persons // 7), "test": panel.n_persons}
        kept = [np.flatnonzero(panel.split == i)[: most[split]] for i, split in enumerate(SPLITS)]
        panel = panel.select(np.sort(np.concatenate(kept)))
    return _named(panel, params)


def load_resumes(params: ResumesParams) -> Panel:
    """The resumes: birth year and education only; the able and the attached to work are over-represented."""
    from harness.data.market.simulate import draw_panel

    return _named(draw_panel("resumes", params.persons, params.seed), params)


def part_of_resumes(params: ResumesParams, number: int, parts: int) -> Panel:
    """A part of the resumes: persons that follow one another, about as many as in any other."""
    from harness.data.market.simulate import draw_panel

    first, stop = (params.persons * i // parts for i in (number, number + 1))
    return _named(draw_panel("resumes", params.persons, params.seed, range(first, stop)), params)


def part_of_market(params: MarketParams, number: int, parts: int) -> Panel:
    """A part of the survey, as ``part_of_resumes``. RequestError where only some training persons are kept."""
    if params.train_persons is not None:
        raise RequestError(
            "train_persons keeps the first persons of all: leave it out where the survey is made in parts"
        )
    from harness.data.market.simulate import draw_panel

    first, stop = (params.persons * i // parts for i in (number, number + 1))
    return _named(draw_panel("survey", params.persons, params.seed, range(first, stop)), params)


@hookimpl
def harness_datasets() -> list[DatasetSpec]:
    cite = "after Keane and Wolpin (1997), The Career Decisions of Young Men, Journal of Political Economy 105(3)"
    return [
        DatasetSpec(
            name="market",
            summary="simulated labor market: 333 states, known probabilities, moments of a survey",
            load=load_market,
            params=MarketParams,
            part=part_of_market,
            cite=cite,
            license="MIT",
            simulated=True,
        ),
        DatasetSpec(
            name="market-resumes",
            summary="resumes from the same market: more college, fewer spells out of work, no demographics",
            load=load_resumes,
            params=ResumesParams,
            part=part_of_resumes,
            cite=cite,
            license="MIT",
            simulated=True,
        ),
    ]
