"""The claims of a paper, as a plugin describes them: configurations, and which of them is said to be better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """A configuration that claims compare.

    name: for records and JSON. summary: for tables. changes: parameters and values, as --set has them, beside those
    asked for the model. free: of these, the parameters whose value a user may choose. pools: trained on the further
    panels as well. pretrained: on resumes. added: by Harness, so that it decides no claim. only: the tasks that it is
    compared on; empty: any.
    """

    name: str
    summary: str
    model: str
    changes: Mapping[str, str] = field(default_factory=dict, hash=False)
    free: tuple[str, ...] = ()
    pools: bool = False
    pretrained: bool = False
    added: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Against:
    """An arm that a claim compares with. decides: the verdict depends on it."""

    arm: Arm
    decides: bool = True


@dataclass(frozen=True)
class Claim:
    """The claim that ``ours`` gives outcomes of ``task`` a higher likelihood than each arm of ``against`` that decides.

    text: as the paper has it. by_size: the first of ``against`` must start from a larger base; the second is then the
    smaller one without the thing that is claimed to make up for its size.
    """

    name: str
    text: str
    task: str
    ours: Arm
    against: tuple[Against, ...]
    by_size: bool = False

    def arms(self) -> tuple[Arm, ...]:
        """All that it compares, ``ours`` first."""
        return (self.ours, *(other.arm for other in self.against))


@dataclass(frozen=True)
class FurtherData:
    """Stand-ins for the paper's further data beside a data set, by name; ``also`` with its parameters.

    resumes: the panel that models are pre-trained on. also: careers of another population than the one that is scored.
    """

    resumes: str
    also: str
    settings: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A paper's claims on one model, whose arms are the configurations of it that the claims compare."""

    name: str
    """For --paper."""
    title: str
    """For tables."""
    cite: str
    model: str
    """The model that the claims are on."""
    claims: tuple[Claim, ...]
    reference: Arm
    """The model as it was asked for: all other arms of it differ from this one."""
    variants: tuple[Arm, ...]
    """The model with other parameters."""
    prior: tuple[Arm, ...]
    """Other models."""
    is_of_base: Callable[[str], bool]
    """True of a parameter that says which base the model starts from, and not how that is tuned."""
    pooled: Arm | None = None
    """The model trained on further panels as well, where a claim is on that."""
    larger: Arm | None = None
    """The model from a larger base, where a claim is on that."""
    enlarge: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = None
    """From the reference's parameters to the changes that make its base larger; RequestError where none are known."""
    further: Mapping[str, FurtherData] = field(default_factory=dict)
    """Data set -> its stand-ins."""
    file: str = "claims"
    """Stem of the files that verdicts are written to, beside a panel's boards."""

    @property
    def fixed(self) -> dict[str, str]:
        """The values that make a variant: a reference has none of them."""
        return {name: value for arm in self.variants for name, value in arm.changes.items() if name not in arm.free}

    @property
    def free(self) -> tuple[str, ...]:
        """The parameters of variants whose value a user may choose."""
        return tuple(name for arm in self.variants for name in arm.free)
