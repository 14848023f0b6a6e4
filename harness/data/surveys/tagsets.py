"""The variables to ask a site for."""

from __future__ import annotations

from harness.data.surveys import cps, nls_roles, psid_merge


def variables_of(survey: str) -> list[str]:
    """Names of variables, one a line of the file that the site takes, or that one types there."""
    if survey == "psid":
        return [variable.name for variable in psid_merge.listed()]
    if survey == "cps":
        return [*cps.NEEDED, *cps.OPTIONAL]
    return nls_roles.tagset(survey)
