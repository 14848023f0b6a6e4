"""Verification of a record: its configuration is run once more, from the start, and the two are compared.

A figure's interval says what another sample of persons could have shown. Two runs of one configuration meet the same
persons, so that noise cancels between them, and their paired difference is known far better than either level: to lie
within the record's interval is little, and to be told apart on the same persons is possible long before that. So both
are asked, and a difference that is real but tiny beside the interval counts as none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any, Literal

from pydantic import ValidationError

from harness.errors import RequestError
from harness.model.contract import ModelSpec
from harness.model.task import Task
from harness.panel import Corpus, Panel
from harness.records.paired import Paired
from harness.records.record import PanelFacts, Record, figures
from harness.registry import Registry
from harness.runs.run import Run
from harness.runs.teachers import teacher_of
from harness.stats import figures as scoring
from harness.stats.figures import Metric
from harness.stats.inference import Estimate
from harness.system.entry import Entry

# Of half the record's interval: an interval whose centre is off by so much still covers in 94.5 of 100 surveys, not 95.
NEGLIGIBLE = 0.1
LONGEST = 60  # characters of a value that a verification tells

Verdict = Literal["identical", "reproduces", "within its interval", "does not reproduce"]


@dataclass(frozen=True)
class Verification:
    """A record beside the same configuration run again.

    verdict:
        'identical': the same figures and evidence, to the last digit that records keep.
        'reproduces': the new perplexity lies in the record's 95% interval, and on the same persons the two runs cannot
        be told apart: the 95% interval of their paired difference holds zero, or the difference is at most
        ``NEGLIGIBLE`` of half the record's interval (of ln perplexity).
        'within its interval': the first of the two alone. The level stands; a rank that rests on less than the
        difference does not.
        'does not reproduce': neither, or the two do not count the same transitions, or the record says something else
        of the run than the run does (``said``).
    perplexity: the record's. again: the new one. difference: log-likelihood per transition of the new run less the
    record's, in nats, paired on persons; above zero, the new run is better. None where they count other transitions.
    figures: those that differ, key -> (record's, new). changed: what else is other than it was, as ``circumstances``.
    said: what no noise explains, field -> (record's, new), as ``said_otherwise``.
    """

    verdict: Verdict
    perplexity: Estimate
    again: float
    difference: Estimate | None
    negligible: float
    figures: Mapping[str, tuple[float | None, float | None]]
    changed: Mapping[str, tuple[str, str]]
    said: Mapping[str, tuple[str, str]]

    @property
    def holds(self) -> bool:
        return self.verdict != "does not reproduce"


def contradictions(record: Record, further: Collection[Metric] = ()) -> dict[str, tuple[float | None, float | None]]:
    """The figures of a record that are not what its own evidence gives: key -> (said, computed).

    further: metrics of plugins; figures of plugins that are not installed here cannot be computed and are passed over.
    """
    computed = figures(record, further)
    return {
        key: (value, computed[key])
        for key, value in record.figures.items()
        if key in computed and computed[key] != value
    }


def run_of(
    record: Record, registry: Registry, panel: Panel, device: str, learned: tuple[Panel | Corpus, ...] = ()
) -> Run:
    """The request that a record answers, to be run by the code that is here.

    learned: the panels of ``train_also``, and last that of ``pretrain`` where there is one. RequestError where this
    code knows no such model, parameter, task or version of it.
    """
    asked = record.configuration
    entry = registry.model(asked.model)
    resumes = learned[len(asked.train_also)] if asked.pretrain else None
    params = params_of(entry, asked.parameters)
    run = Run(
        model=entry,
        params=params,
        tasks=(task_of(record, registry),),
        panel=panel,
        seed=asked.seed,
        device=device,
        train_also=learned[: len(asked.train_also)],
        resumes=resumes,
        train_persons=asked.train_persons,
        teacher=teacher_of(entry.item, params, registry),
    )
    for name, digest in asked.contents.items():  # records of before have none
        if run.contents.get(name) != digest:
            here = (
                "is not here" if name not in run.contents else f"has another content here ({run.contents[name][:12]})"
            )
            raise RequestError(
                f"{asked.model}.{name}={asked.parameters.get(name)} {here} than when {record.id} was made "
                f"({digest[:12]}): verify it where that content is"
            )
    return run


def params_of(entry: Entry[ModelSpec], parameters: Mapping[str, Any]) -> Any:
    """The parameters of a record as its model takes them here. RequestError where it takes them no more."""
    try:
        return entry.item.params.model_validate(dict(parameters))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(
            f"the record's parameters are not those of '{entry.item.name}' as it is here ({where}: {first['msg']}): "
            f"verify it with the version that made it"
        ) from error


def task_of(record: Record, registry: Registry) -> Task:
    """The task of a record. RequestError where it has another version here, whose figures do not compare."""
    asked = record.configuration
    name = asked.task.removesuffix("-entry")
    task = registry.task(name).with_entry(name != asked.task)
    if task.version != asked.task_version:
        raise RequestError(
            f"the record is of version {asked.task_version} of task '{task.key}', and this is version {task.version}: "
            "their figures do not compare"
        )
    return task


def require_same(panel: Panel | Corpus, facts: PanelFacts, option: str) -> None:
    """RequestError, saying what differs, where a panel is not the one that a record is of."""
    if panel.fingerprint() == facts.fingerprint:
        return
    sizes = {
        "persons": (panel.n_persons, facts.persons),
        "records": (panel.n_records, facts.records),
        "states": (panel.n_states, facts.states),
    }
    other = [f"{here:,} {what} in place of {there:,}" for what, (here, there) in sizes.items() if here != there]
    raise RequestError(
        f"{option}: '{panel.name}' ({panel.fingerprint()[:12]}) is not the panel of the record, '{facts.name}' "
        f"({facts.fingerprint[:12]}): {', '.join(other) or 'as many persons, records and states, but other contents'}"
    )


def verify(record: Record, again: Record) -> Verification:
    """Compare the two. again: the record of the same request, made now."""
    same = record.evidence.same_transitions(again.evidence)
    drawn = Paired.of([record, again] if same else [record]).drawn
    perplexity = drawn.perplexities()[0]
    found = Verification(
        verdict="does not reproduce",
        perplexity=perplexity,
        again=scoring.perplexity(again.arrays()),
        difference=drawn.differences(0)[1] if same else None,
        negligible=NEGLIGIBLE * (log(perplexity.high) - log(perplexity.low)) / 2,
        figures=_differing(record, again),
        changed=circumstances(record, again),
        said=said_otherwise(record, again),
    )
    return replace(found, verdict=_verdict(found, record, again))


def _verdict(found: Verification, record: Record, again: Record) -> Verdict:
    difference, perplexity = found.difference, found.perplexity
    if difference is None or found.said:
        return "does not reproduce"
    if not found.figures and _same_evidence(record, again):
        return "identical"
    if perplexity.low <= found.again <= perplexity.high:
        told_apart = difference.low > 0 or difference.high < 0
        return "within its interval" if told_apart and abs(difference.value) > found.negligible else "reproduces"
    return "does not reproduce"


def said_otherwise(record: Record, again: Record) -> dict[str, tuple[str, str]]:
    """Statements of the record on its run that the run contradicts, by field: (record's, new).

    Noise from machine to machine moves probabilities, and with them all else. Where every person's log-likelihood is
    the same to the last digit nothing else has a reason to differ. What an older record does not hold it does not say.
    """
    pairs: dict[str, tuple[Any, Any]] = {
        name: (getattr(record, name), getattr(again, name)) for name in ("outcomes", "sums_to_one", "knows_truth")
    }
    if record.checked is not None and again.checked is not None:
        pairs["checked"] = record.checked.asked, again.checked.asked
    mine, other = record.configuration.panel, again.configuration.panel
    pairs |= {f"panel.{name}": (getattr(mine, name), getattr(other, name)) for name in ("persons", "records", "states")}
    if record.evidence.log_likelihood == again.evidence.log_likelihood:
        held, new = record.evidence.model_dump(), again.evidence.model_dump()
        pairs |= {f"evidence.{name}": (held[name], new[name]) for name in held if new.get(name) is not None}
        if record.slices is not None and again.slices is not None:
            pairs |= {f"slices.{name}": (own, again.slices.get(name)) for name, own in record.slices.items()}
        pairs["mass"] = record.mass, again.mass
        facts = {name for name in {*record.facts, *again.facts} if not name.endswith("seconds")}
        pairs |= {f"facts.{name}": (record.facts.get(name), again.facts.get(name)) for name in facts}
    return {
        name: (_short(was), _short(now)) for name, (was, now) in sorted(pairs.items()) if was is not None and was != now
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _differing(record: Record, again: Record) -> dict[str, tuple[float | None, float | None]]:
    """The figures that the record has, and the other otherwise; of what it lacks, its evidence may be too old."""
    pairs = {key: (value, again.figures.get(key)) for key, value in record.figures.items() if value is not None}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _same_evidence(record: Record, again: Record) -> bool:
    """True where all that the record holds of evidence is in the other; one that is older may hold less."""
    mine, other = record.evidence.model_dump(), again.evidence.model_dump()
    if any(other.get(name) != values for name, values in mine.items() if values is not None):
        return False
    return record.slices is None or record.slices == again.slices


def circumstances(record: Record, again: Record) -> dict[str, tuple[str, str]]:
    """Changes that could explain a difference: of code, device, machine, versions of libraries. name -> (was, is)."""
    was, now = record.measured, again.measured
    pairs = {
        "code": (record.configuration.code, again.configuration.code),
        "device": (was.device, now.device),
        "platform": (was.platform, now.platform),
        "cpu_count": (str(was.cpu_count), str(now.cpu_count)),
    }
    for name in sorted({*was.versions, *now.versions}):
        pairs[name] = (was.versions.get(name, "not said"), now.versions.get(name, "not said"))
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
