"""Ensembles of finished runs, through what each said of every transition: a record like any other, and no model.

A mix gives no probabilities for new careers. It says what the runs of a board know together, the headroom that is left
to any one of them: weights are chosen on the validation split, and what they are worth is read from the test split.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from harness.errors import RequestError
from harness.records import predictions as probabilities
from harness.records.kinds import MIX, is_ranked, label
from harness.records.predictions import Said
from harness.records.record import Configuration, Measured, Record, now
from harness.stats.mixture import Weights, best_weights, log_mixture
from harness.system.machine import measured, versions
from harness.types import FloatArray

DISTRIBUTION = "labor-harness"
NUMBERS = (
    "mixing",
    "mixture",
    "probabilities",
    "slices",
    "scoring",
    "calibration",
)  # the modules that a mix's figures depend on
SPLITS = probabilities.SPLITS


def mix(parts: Sequence[Record], cache: Path, of_board: bool) -> Record:
    """The record of the mixture of these runs that gives the validation split its largest likelihood; without figures.

    of_board: whether they are all that a board has, so that the board keeps one such record and no older one.
    RequestError where there are fewer than two, where they are not of one task on one panel, where one cannot be part
    of a mix, where the cache does not hold what one of them said, and where nobody of the validation split is at risk.
    RunError where the weights cannot be found.
    """
    parts = sorted(parts, key=lambda record: record.id)
    _require_mixable(parts)
    started = now()
    with measured() as reading:
        said = {record.id: probabilities.load(cache, record) for record in parts}
        for record in parts:
            if "valid" not in said[record.id]:
                raise RequestError(without_valid(record))
        _require_same_transitions(said)
    with measured() as choosing:
        weights = _weights([of["valid"] for of in said.values()], parts[0])
    with measured() as scoring:
        mixes: dict[str, Said] = {split: mixed([of[split] for of in said.values()], weights.values) for split in SPLITS}
    cost = Measured(
        fit_seconds=round(choosing.seconds, 2),
        score_seconds=round(reading.seconds + scoring.seconds, 2),
        peak_memory_mb=round(max(cost.peak_memory_mb for cost in (reading, choosing, scoring)), 1),
        device="cpu",
        cpu_count=os.cpu_count() or 1,
        platform=f"{platform.system()} {platform.machine()}",
        versions=versions(()),
        started=started,
        finished=now(),
    )
    record = _record(parts, _configuration(parts, of_board), (weights, mixes["valid"]), cost, mixes["test"])
    probabilities.save(cache, record, mixes)
    return record


def without_valid(record: Record) -> str:
    """Why a submission cannot be part of a mix, and what would make it one."""
    return (
        f"{record.id} ({label(record)}) was submitted without the validation split, on which the weights of a mix are "
        "chosen: submit a file that covers it too ('harness score --template FILE --valid' says of what)"
    )


def mixed(said: Sequence[Said], weights: FloatArray) -> Said:
    """What the mixture says of the transitions that M runs said something of; of an event, the mean of its probability.

    weights: float64 [M]. The runs must be of the same transitions.
    """
    first = said[0]
    events = [of.log_event for of in said if of.log_event is not None]
    return replace(
        first,
        log_prob=log_mixture(np.column_stack([of.log_prob for of in said]), weights),
        log_event=log_mixture(np.column_stack(events), weights) if len(events) == len(said) else None,
    )


def _require_mixable(parts: Sequence[Record]) -> None:
    ids = [record.id for record in parts]
    if len(set(ids)) < 2 or len(set(ids)) < len(ids):
        raise RequestError(
            f"a mix needs two runs or more, each once; here there {'is' if len(ids) == 1 else 'are'} "
            f"{len(ids)} ({', '.join(ids) or 'none'})"
        )
    first = parts[0].configuration
    for record in parts:
        asked = record.configuration
        if not is_ranked(record):
            why = (
                "is a mix: name its runs instead" if asked.model == MIX else "is told the truth, and so would a mix be"
            )
            raise RequestError(f"{record.id} ({label(record)}) {why}")
        for name, mine, other in (
            ("panel", asked.panel.fingerprint[:12], first.panel.fingerprint[:12]),
            ("task", asked.task, first.task),
            ("task version", asked.task_version, first.task_version),
        ):
            if mine != other:
                raise RequestError(
                    f"{record.id} ({label(record)}) is of {name} {mine}, {parts[0].id} ({label(parts[0])}) of {other}: "
                    "a mix is of runs of one task on one panel"
                )


def _require_same_transitions(said: Mapping[str, Mapping[str, Said]]) -> None:
    first = next(iter(said))
    for run, of in said.items():
        for split in SPLITS:
            if not of[split].same_transitions(said[first][split]):
                raise RequestError(
                    f"what {run} and {first} said is not of the same {split} transitions, though their records are of "
                    "one task on one panel: run both again with --force"
                )


def _weights(said: Sequence[Said], record: Record) -> Weights:
    counts = said[0].counts()
    if not counts.any():
        asked = record.configuration
        raise RequestError(
            f"nobody in the validation split of '{asked.panel.name}' is at risk of '{asked.task}', so the weights of a "
            "mix cannot be chosen there"
        )
    return best_weights(np.column_stack([of.log_prob for of in said]), counts)


def _configuration(parts: Sequence[Record], of_board: bool) -> Configuration:
    asked, runs = parts[0].configuration, [record.id for record in parts]
    return Configuration(
        task=asked.task,
        task_version=asked.task_version,
        model=MIX,
        parameters={"of": "board" if of_board else "runs", "runs": runs},
        changed={} if of_board else {"runs": "+".join(run[:8] for run in runs)},
        panel=asked.panel,
        seed=0,
        code=_code_version(),
    )


def _record(
    parts: Sequence[Record],
    configuration: Configuration,
    chosen: tuple[Weights, Said],
    cost: Measured,
    on_test: Said,
) -> Record:
    weights, on_valid = chosen
    counts = on_valid.counts()
    return Record(
        id=configuration.id(),
        configuration=configuration,
        outcomes=parts[0].outcomes,
        sums_to_one=all(record.sums_to_one for record in parts),
        knows_truth=False,
        facts={
            "weights": {record.id: float(w) for record, w in zip(parts, weights.values, strict=True)},
            "parts": {record.id: label(record) for record in parts},
            "validation_perplexity": float(np.exp(-(counts @ on_valid.log_prob) / counts.sum())),
            "validation_gap_nats": weights.gap,
        },
        figures={},
        measured=cost,
        evidence=on_test.evidence().model_copy(update=parts[0].evidence.drawn),
        slices=None if on_test.slicing is None else on_test.slicing.parts(on_test.scores()),
    )


def _code_version() -> str:
    """As of a run: distribution, version, and 12 digits of SHA-256 over the sources that the figures depend on."""
    folder = Path(__file__).parent
    sources = b"".join((folder / f"{name}.py").read_bytes() for name in NUMBERS)
    return f"{DISTRIBUTION} {version(DISTRIBUTION)} {hashlib.sha256(sources).hexdigest()[:12]}"
