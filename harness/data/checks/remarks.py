"""Remarks on a sound panel that are worth a second look: nothing here stops a run."""

from __future__ import annotations

import numpy as np

from harness.data.checks.findings import Findings
from harness.panel.careers import Covariate, Panel

WORDS_FOR_MISSING = ("NA", "N/A", "NaN", "nan", "None", "NULL", "null", ".", "-")


def remark(panel: Panel, findings: Findings) -> None:
    """Notes on covariates that give the outcome away, or that write missing values in words."""
    for name, covariate in panel.covariates.items():
        if _says_state(panel, covariate):
            findings.note(
                panel.name,
                "every state has one value of its own: is this known of the person, or of the job of that same year? "
                "Then it tells a model the outcome; leave it out",
                column=name,
            )
        for word in WORDS_FOR_MISSING:
            if word in covariate.levels:
                message = "is taken as a value like any other; leave the entry blank if it means that none is known"
                findings.note(panel.name, message, column=name, value=word)


def _says_state(panel: Panel, covariate: Covariate) -> bool:
    """True where the value follows from the state of the same record, and is not simply fixed for the person."""
    if covariate.fixed:
        return False
    _, value = np.unique(covariate.values, return_inverse=True)
    if value.max(initial=0) == 0:
        return False
    pairs = np.unique(panel.state.astype(np.int64) * (value.max() + 1) + value)
    states = len(np.unique(panel.state))
    return len(pairs) == states and panel.n_records > 2 * states
