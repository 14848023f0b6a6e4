"""A board's line on one record: its figures, its place among the others, and what was unusual about its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from harness.boards.means import mean_cost, mean_figures, mean_mass, spread
from harness.records.kinds import MIX, is_mix_of_board, is_ranked, is_run, is_submitted, label, label_over_seeds
from harness.records.record import Mass, Measured, Record, figures
from harness.stats.figures import METRICS
from harness.stats.inference import Estimate

REPLICATION_CODE = "replication_code"  # the fact of a submission that has the address of its code
MAY_HAVE_SEEN = "base_may_have_seen"  # the fact that says if a pre-trained base may have met the careers
Seen = Literal["yes", "no", "unknown"]
NAMED_WEIGHT = 0.01  # the weight from which a part of an ensemble is named


@dataclass(frozen=True)
class Row:
    """One model's line. None, of any field: not defined here."""

    rank: int | None
    """Place among the models that compete: not the truth, a mix of finished runs, nor what nobody here checked."""
    record: str
    """Id of the record; of several seeds, of the first."""
    model: str
    """Name of the model, or of the submission."""
    label: str
    """The model and the parameters it was run with where they differ from the defaults."""
    base: str | None
    """Name of the base that the fit started from."""
    figures: Mapping[str, float | None]
    """Figures by the keys of their metrics (``harness.stats.figures``); of several seeds their means, perplexity's of
    its logarithm."""
    perplexity: Estimate
    """Perplexity, with its person-clustered standard error; of several seeds exp of minus the mean log-likelihood over
    them, and the error over persons and seeds (``harness.stats.seeds``)."""
    mcfadden_r2: float | None
    """1 - log-likelihood / that of ``marginal``."""
    regret: Estimate | None
    """Log-likelihood of the true probabilities less the model's, in nats per transition, paired on persons."""
    mass: Mass | None
    """Mean probability inside the choice set, of a model whose rows may sum to less than one."""
    sums_to_one: bool
    """False where a row of probabilities may sum to less."""
    knows_truth: bool
    """True of a model that knows the generator of a simulated panel."""
    parameters_trained: int | None
    """Number of parameters that were estimated."""
    seed: int
    """Seed of every random draw; of several, the first."""
    code: str
    """Distribution, version and digest of the sources that the numbers come from."""
    measured: Measured
    """Costs of the run and the machine it ran on; of several seeds, of a run on average."""
    tied: tuple[int, int] | None
    """The first and the last rank that it cannot be told from (``harness.stats.confidence_set.ranks``)."""
    in_confidence_set: bool
    """True where it is among those that cannot be told from the best model at 95%."""
    confidence_p: float | None
    """Its p-value in the confidence set."""
    behind: Estimate | None
    """Log-likelihood per transition less that of the best model, in nats, paired on persons. p_adjusted: for all rows
    at once."""
    submitted: bool = False
    """True where its probabilities were made elsewhere."""
    on_frontier: bool = False
    """True where no row here is both better and quicker to fit and score."""
    train_also: str | None = None
    """Further panels that the model was trained on, each with how its fingerprint begins."""
    pretrained_on: str | None = None
    """The panel that it learned from before, with how its fingerprint begins."""
    records_unseen: int | None = None
    """Number of records of the scored careers that the model had no room for (``Estimator.unseen``)."""
    transitions_cut_short: int | None = None
    """Number of scored transitions where the model had no room for the whole history."""
    fitted_without_weights: bool | None = None
    """True where the panel has weights, and the fit did not use them."""
    mix_of: str | None = None
    """Of an ensemble: its parts and their weights from 1% on."""
    mix_superseded: int | None = None
    """Of an ensemble: the number of its parts that a newer record stands before."""
    mix_without: str | None = None
    """The rows that a mix of the board could have had and does not."""
    seeds: int | None = None
    """Number of seeds, where there are several."""
    seed_spread: float | None = None
    """Standard deviation of perplexity over seeds, S - 1 in its denominator."""
    records: tuple[str, ...] | None = None
    """Ids of the records of all seeds, by seed, where there are several."""
    unchecked: bool | None = None
    """True where nobody here checked that its probabilities know nothing of the careers that are held out."""
    held_against: str | None = None
    """Of an unchecked row: the truth and the best checked model, where there are, that it was held against."""
    implausible: str | None = None
    """The limits that the row passes and no forecast does that was made without the answers
    (``harness.stats.plausibility``)."""
    not_spot_checked: bool | None = None
    """True of a model that was run before every run made a spot check."""
    replication_code: str | None = None
    """Of a submission: the address of the code that made it."""
    base_may_have_seen: str | None = None
    """Of a submission: 'yes', 'no' or 'unknown' to a base of it having met the careers in pre-training."""
    signed: bool | None = None
    """Where it was asked who signed: True where the record is signed, or those of all seeds are."""
    signed_by: str | None = None
    """Those who signed its records."""

    @property
    def all_records(self) -> tuple[str, ...]:
        """Ids of the records that the row is computed from."""
        return self.records or (self.record,)


# Fields of a row that are left out of tables where nothing is to be said, so that older tables stay as they are.
OPTIONAL_FIELDS = (
    "replication_code",
    "base_may_have_seen",
    "signed",
    "signed_by",
    "train_also",
    "pretrained_on",
    "records_unseen",
    "transitions_cut_short",
    "fitted_without_weights",
    "mix_of",
    "mix_superseded",
    "mix_without",
    "seeds",
    "seed_spread",
    "records",
    "unchecked",
    "held_against",
    "implausible",
    "not_spot_checked",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A row's place among the others: fields of ``Row``."""

    perplexity: Estimate
    behind: Estimate | None
    mcfadden_r2: float | None
    regret: Estimate | None
    rank: int | None = None
    tied: tuple[int, int] | None = None
    in_confidence_set: bool = False
    confidence_p: float | None = None
    unchecked: bool | None = None


def row_of(seeds: Sequence[Record], standing: Standing, shown: Sequence[Record]) -> Row:
    """The line of the records that differ in their seed alone. shown: all records on its board, as parts of a mix."""
    record = seeds[0]
    asked = record.configuration
    return Row(
        **{field.name: getattr(standing, field.name) for field in fields(Standing)},
        record=record.id,
        model=asked.model,
        label=label_over_seeds(seeds),
        base=record.facts.get("base"),
        figures=mean_figures([with_newer(one) for one in seeds]),
        mass=mean_mass([one.mass for one in seeds]),
        sums_to_one=record.sums_to_one,
        knows_truth=record.knows_truth,
        parameters_trained=record.facts.get("parameters_trained"),
        seed=asked.seed,
        code=asked.code,
        measured=mean_cost([one.measured for one in seeds]),
        submitted=is_submitted(record),
        replication_code=_stated(record, REPLICATION_CODE),
        base_may_have_seen=_stated(record, MAY_HAVE_SEEN),
        not_spot_checked=True if any(is_run(one) and one.checked is None for one in seeds) else None,
        fitted_without_weights=record.facts.get("fitted_without_weights"),
        records_unseen=record.facts.get("records_unseen"),
        transitions_cut_short=record.facts.get("transitions_cut_short"),
        train_also=", ".join(f"{p.name} {p.fingerprint[:12]}" for p in asked.train_also) or None,
        pretrained_on=f"{asked.pretrain.name} {asked.pretrain.fingerprint[:12]}" if asked.pretrain else None,
        **_of_mix(record, shown),
        **_of_seeds(seeds),
    )


def _stated(record: Record, fact: str) -> str | None:
    """A statement of whoever submitted a record, which anyone may have written."""
    told = record.facts.get(fact)
    return told if isinstance(told, str) and is_submitted(record) else None


def _of_seeds(seeds: Sequence[Record]) -> dict[str, Any]:
    """A row's words on its seeds; none where there is one."""
    if len(seeds) == 1:
        return {}
    return {
        "seeds": len(seeds),
        "seed_spread": spread([float(with_newer(one)["perplexity"] or 0.0) for one in seeds]),
        "records": tuple(one.id for one in seeds),
    }


def with_signers(row: Row, signers: Mapping[str, str]) -> Row:
    """The row with who signed its records. signers: by the ids of those that are signed."""
    names = [signers.get(id) for id in row.all_records]
    told = ", ".join(dict.fromkeys(name for name in names if name is not None))
    return replace(row, signed=None not in names, signed_by=told or None)


def with_newer(record: Record) -> dict[str, float | None]:
    """A record's figures, and those that it is older than, from its evidence."""
    if all(metric.key in record.figures for metric in METRICS):
        return record.figures
    newer = {key: value for key, value in figures(record).items() if key not in record.figures and value is not None}
    return record.figures | newer


def _of_mix(record: Record, shown: Sequence[Record]) -> dict[str, Any]:
    """A row's words on an ensemble; none on any other record. shown: the records on its board."""
    if record.configuration.model != MIX:
        return {}
    weights, names = record.facts["weights"], record.facts["parts"]
    large = sorted((run for run in weights if weights[run] >= NAMED_WEIGHT), key=lambda run: (-weights[run], run))
    told = ", ".join(f"{names[run]} {weights[run]:.2f}" for run in large)
    small = len(weights) - len(large)
    without = [label(other) for other in shown if is_ranked(other) and other.id not in weights]
    return {
        "mix_of": told + (f"; {small} more of less than {NAMED_WEIGHT:.0%}" if small else ""),
        "mix_superseded": len(set(weights) - {other.id for other in shown}) or None,
        "mix_without": ", ".join(sorted(without)) or None if is_mix_of_board(record) else None,
    }
