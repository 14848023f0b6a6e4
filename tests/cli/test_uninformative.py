"""Covariates that nothing can be learned from are named before a fit, and never go in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import typed

HEAD = "person,year,occupation,split,wage,wage_2,empty,late,same,job,post,age_known\n"


def careers() -> str:
    """wage_2 is wage in another unit, turned round; late is known of held-out careers alone; post names job anew."""
    lines = [HEAD]
    for i in range(40):
        split = ("train", "train", "valid", "test")[i % 4]
        for k in range(4):
            wage = (7 * i + 3 * k) % 11
            late = "" if split == "train" else str(k)
            known = ("", "3")[k % 2]
            job = "xyz"[(i + k) % 3]
            covariates = f"{wage},{100 - 2 * wage},,{late},5,{job},{job * 2},{known}"
            lines.append(f"p{i},{2000 + k},{'ab'[(i * k) % 2]},{split},{covariates}\n")
    return "".join(lines)


@pytest.mark.parametrize("model", ["marginal", "markov"])
def test_covariates_that_tell_nothing_are_named(tmp_path: Path, model: str) -> None:
    (tmp_path / "jobs.csv").write_text(careers())
    done = typed(tmp_path, "run", "--task", "next_occ", "--model", model, "--data", "jobs.csv", "--records", "results")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("covariate")]
    assert [line.split(":")[0] for line in told] == [
        "covariate 'empty' has no value in any training career",
        "covariate 'late' has no value in any training career",
        "covariate 'post' says what 'job' says in every training record",
        "covariate 'same' is the same in every training record",
        "covariate 'wage_2' says what 'wage' says in every training record",
    ]


def test_rows_left_out_and_years_without_a_century_are_told_of_any_file(tmp_path: Path) -> None:
    rows = "".join(f"p{i},{70 + k},{'' if i + k == 3 else 'ab'[i * k % 2]}\n" for i in range(60) for k in range(4))
    (tmp_path / "jobs.csv").write_text(f"person,year,occupation\n{rows}")
    run = ("run", "--task", "next_occ", "--model", "markov", "--data", "jobs.csv", "--missing", "NA", "--records", "r")
    done = typed(tmp_path, *run)
    assert done.returncode == 0, done.stderr
    assert "left out: rows of jobs.csv without a state (4)" in done.stderr
    assert "years run from 70 to 73: are they calendar years, with all four digits? --century 1930 reads" in done.stderr
    assert "years run from" not in typed(tmp_path, *run, "--century", "1930").stderr
