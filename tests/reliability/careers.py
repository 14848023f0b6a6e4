"""Careers in which everything that a model must not see tells the outcome, and nothing honest tells much."""

from __future__ import annotations

from pathlib import Path

import numpy as np

STATES = "abcde"
SHARES = {"train": 100, "valid": 20, "test": 480}  # persons
FLOOR = 4.99  # a model of equal chances has perplexity 5: below this, a model knew something


def write_careers(file: Path, persons: int = sum(SHARES.values()), seed: int = 3) -> Path:
    """A csv file of careers in five states, which a model of equal chances scores at a perplexity of 5.

    A person's favourite state goes with their place in the file and their id; the last record is 'e' more often than
    not; a record of state 'd' is followed by a gap of two years; a wage tells the state of the year before it, so the
    next one tells the outcome. ``offer`` is a covariate of the same year, known before the outcome and honestly useful.
    """
    generator = np.random.default_rng(seed)
    rows = ["person,year,occupation,wage,offer,split"]
    splits = np.repeat(list(SHARES), [round(n * persons / sum(SHARES.values())) for n in SHARES.values()])
    for person in range(persons):
        within = int(np.flatnonzero(splits == splits[person])[0])
        favourite = (person - within) * len(STATES) // int((splits == splits[person]).sum())
        year, last = 1990 + int(generator.integers(0, 9)), int(generator.integers(0, len(STATES)))
        length = int(generator.integers(5, 10))
        for t in range(length):
            state = int(generator.integers(0, len(STATES)))
            if generator.random() < 0.4:
                state = last if generator.random() < 0.5 else favourite
            if t == length - 1 and generator.random() < 0.7:
                state = 4
            wage = last + round(float(generator.random()), 6)
            offer = state if generator.random() < 0.5 else int(generator.integers(0, len(STATES)))
            rows.append(f"p{person:04d},{year},{STATES[state]},{wage:.6f},{offer},{splits[person]}")
            year, last = year + (2 if state == 3 else 1), state
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(rows) + "\n")
    return file
