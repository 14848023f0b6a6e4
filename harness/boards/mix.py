"""Ensembles of finished runs, through what each said of every transition: a record like any other, and no model.

A mix gives no probabilities for new careers. It says what the runs of a board know together, the headroom that is left
to any one of them: weights are chosen on the validation split, and what they are worth is read from the test split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import RequestError
from harness.records.kinds import MIX, UNCHECKED_PARTS, is_checked, is_mixable, is_submitted, label
from harness.records.predictions import HELD_OUT, Predictions, load, save
from harness.records.record import Configuration, Measured, Record, figures, now
from harness.stats.figures import Metric
from harness.stats.mixture import MixtureWeights, best_weights, log_mixture
from harness.system.machine import measured
from harness.system.sources import digest
from harness.system.version import version
from harness.types import FloatArray

DISTRIBUTION = "labor-harness"


def mix(parts: Sequence[Record], cache: Path, of_board: bool, further: Iterable[Metric] = ()) -> Record:
    """The record of the mixture of these runs that gives the validation split its largest likelihood.

    of_board: whether they are all that a board has, so that the board keeps one such record and no older one. further:
    metrics of plugins. RequestError where there are fewer than two, where they are not of one task on one panel, where
    one cannot be part of a mix, where the cache lacks the predictions of one of them, and where nobody of the
    validation split is at risk. RunError where the weights cannot be found.
    """
    parts = sorted(parts, key=lambda record: record.id)
    _require_mixable(parts)
    started = now()
    with measured() as reading:
        predictions = {record.id: load(cache, record) for record in parts}
        for record in parts:
            if "valid" not in predictions[record.id]:
                raise RequestError(without_valid(record))
        _require_same_transitions(predictions)
    with measured() as choosing:
        weights = _weights([of["valid"] for of in predictions.values()], parts[0])
    with measured() as scoring:
        on_valid, on_test = (mixed([of[split] for of in predictions.values()], weights.values) for split in HELD_OUT)
    cost = Measured.of(choosing, reading + scoring, started=started)
    configuration = _configuration(parts, of_board)
    record = Record(
        id=configuration.id(),
        configuration=configuration,
        outcomes=parts[0].outcomes,
        sums_to_one=all(record.sums_to_one for record in parts),
        knows_truth=False,
        facts=_facts(parts, weights, on_valid),
        figures={},
        measured=cost,
        evidence=on_test.evidence().model_copy(update=parts[0].evidence.drawn),
        slices=None if on_test.slicing is None else on_test.slicing.parts(on_test.scores()),
    )
    record = record.model_copy(update={"figures": figures(record, further)})
    save(cache, record, {"valid": on_valid, "test": on_test})
    return record


def without_valid(record: Record) -> str:
    """The reason that a record without predictions of the validation split is no part of a mix, and the way in."""
    if not is_submitted(record):
        return f"{record.id} ({label(record)}) has no predictions of the validation split: 'harness mix' makes them"
    return (
        f"{record.id} ({label(record)}) was submitted without the validation split, on which the weights of a mix are "
        "chosen: submit a file that covers it too ('harness score --template FILE --valid' says of what)"
    )


def mixed(predictions: Sequence[Predictions], weights: FloatArray) -> Predictions:
    """The predictions of the mixture of M runs; of an event, the mean of its probability.

    weights: float64 [M]. The runs must be of the same transitions.
    """
    first = predictions[0]
    events = [of.log_event for of in predictions if of.log_event is not None]
    return replace(
        first,
        log_prob=log_mixture(np.column_stack([of.log_prob for of in predictions]), weights),
        log_event=log_mixture(np.column_stack(events), weights) if len(events) == len(predictions) else None,
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
        if not is_mixable(record):
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


def _require_same_transitions(predictions: Mapping[str, Mapping[str, Predictions]]) -> None:
    first = next(iter(predictions))
    for run, of in predictions.items():
        for split in HELD_OUT:
            if not of[split].same_transitions(predictions[first][split]):
                raise RequestError(
                    f"the predictions of {run} and {first} are not of the same {split} transitions, though their "
                    "records are of one task on one panel: run both again with --force"
                )


def _weights(predictions: Sequence[Predictions], record: Record) -> MixtureWeights:
    counts = predictions[0].counts()
    if not counts.any():
        asked = record.configuration
        raise RequestError(
            f"nobody in the validation split of '{asked.panel.name}' is at risk of '{asked.task}', so the weights of a "
            "mix cannot be chosen there"
        )
    return best_weights(np.column_stack([of.log_prob for of in predictions]), counts)


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


def _facts(parts: Sequence[Record], weights: MixtureWeights, on_valid: Predictions) -> dict[str, Any]:
    counts = on_valid.counts()
    unchecked = [record.id for record in parts if not is_checked(record)]
    return {
        **({UNCHECKED_PARTS: unchecked} if unchecked else {}),
        "weights": {record.id: float(w) for record, w in zip(parts, weights.values, strict=True)},
        "parts": {record.id: label(record) for record in parts},
        "validation_perplexity": float(np.exp(-(counts @ on_valid.log_prob) / counts.sum())),
        "validation_gap_nats": weights.gap,
    }


def _code_version() -> str:
    """As of a run (``harness.runs.identity``): distribution, version, and 12 digits over the code that makes a mix."""
    return f"{DISTRIBUTION} {version(DISTRIBUTION)} {digest('harness.boards.mix')[:12]}"
