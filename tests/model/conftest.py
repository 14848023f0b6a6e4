"""Careers that nobody can foresee, for tests of who foresees them."""

from __future__ import annotations

import numpy as np
import pytest

from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status

STATES = 5


@pytest.fixture(scope="module")
def careers() -> Panel:
    """Two hundred persons whose states are drawn anew each year: nothing honest beats the margin."""
    generator = np.random.default_rng(5)
    lengths = generator.integers(2, 9, 200)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    n = int(offsets[-1])
    year = 2000 + np.concatenate([np.arange(length) for length in lengths])
    codes = tuple("abcde")
    employed = (Status.EMPLOYED,) * STATES
    return Panel(
        name="drawn",
        persons=np.array([f"p{i:03d}" for i in range(200)]),
        offsets=offsets.astype(np.int64),
        year=year.astype(np.int32),
        state=generator.integers(0, STATES, n).astype(np.int32),
        occupations=Occupations(codes, codes, codes, employed),
        split=np.repeat([0, 1, 2], [80, 20, 100]).astype(np.int8),
        covariates={"wage": Covariate("numeric", generator.random(n))},
    )
