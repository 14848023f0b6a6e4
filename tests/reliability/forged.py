"""Part 5: records that somebody changed, and the answers of the commands that read them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from harness.records.record import Record, figures
from harness.records.store import to_text
from reliability.damaged import BOARDS
from reliability.disturbed import DATA, RUN, Deed, copied, prepared
from reliability.forked import Done, Terms, in_parallel, typed
from reliability.tables import paragraph, table

Plain = dict[str, Any]
Forge = Callable[[Plain], None]
MODELS = (*RUN, "--model", "marginal", "--model", "markov")


def _set(path: str, value: Any) -> Forge:
    def forge(record: Plain) -> None:
        *above, last = path.split(".")
        for name in above:
            record = record[name]
        record[last] = value(record[last]) if callable(value) else value

    return forge


def _better(record: Plain) -> None:
    evidence = record["evidence"]
    evidence["log_likelihood"] = [round(value * 0.8, 6) for value in evidence["log_likelihood"]]


def _sliced(record: Plain) -> None:
    for levels in record["slices"].values():
        for part in levels.values():
            part["log_likelihood"] = [round(value * 0.8, 3) for value in part["log_likelihood"]]


def _refigured(record: Plain) -> None:
    record["figures"] = figures(Record.model_validate(record))


def _renamed_id(record: Plain) -> None:
    record["id"] = Record.model_validate(record | {"id": "0" * 16}).configuration.id()


def _fewer(record: Plain) -> None:
    """Without the ten persons of the least likelihood."""
    evidence = record["evidence"]
    order = sorted(
        range(len(evidence["ids"])), key=lambda i: evidence["log_likelihood"][i] / evidence["transitions"][i]
    )
    kept = sorted(order[10:])
    for name, column in evidence.items():
        if isinstance(column, list) and len(column) == len(order):
            evidence[name] = [column[i] for i in kept]


def _all(*forges: Forge) -> Forge:
    def forge(record: Plain) -> None:
        for one in forges:
            one(record)

    return forge


FORGERIES: dict[str, tuple[str, Forge]] = {
    "figure": ("a better perplexity", _set("figures.perplexity", lambda p: p * 0.9)),
    "evidence": ("better log-likelihoods", _better),
    "evidence-figures": ("both, to fit", _all(_better, _refigured)),
    "evidence-figures-slices": ("both and the slices, to fit", _all(_better, _sliced, _refigured)),
    "slices": ("better slices", _sliced),
    "fewer": ("no persons of low likelihood, figures to fit", _all(_fewer, _refigured)),
    "renamed-persons": ("other ids of persons", _set("evidence.ids", lambda ids: [f"x{i}" for i in ids])),
    "doubled-person": ("a person twice", _set("evidence.ids", lambda ids: [ids[1], *ids[1:]])),
    "hits": ("more hits than transitions", _set("evidence.top_5", lambda hits: [10 * h for h in hits])),
    "positive": ("a log-likelihood above zero", _set("evidence.log_likelihood", lambda ll: [-v for v in ll])),
    "huge": ("1e308 in the evidence", _set("evidence.log_likelihood", lambda ll: [-1e308, *ll[1:]])),
    "nan": ("NaN in a figure", _set("figures.perplexity", float("nan"))),
    "model": ("another model's name, the id as it was", _set("configuration.model", "gbm")),
    "model-id": ("another model's name, and the id to fit", _all(_set("configuration.model", "mnl"), _renamed_id)),
    "code": (
        "another version of the code, and the id to fit",
        _all(_set("configuration.code", "harness 9.9"), _renamed_id),
    ),
    "seed": ("another seed, and the id to fit", _all(_set("configuration.seed", 7), _renamed_id)),
    "task-path": ("a path for a task", _set("configuration.task", "../../next_occ")),
    "panel": (
        "another panel's fingerprint, and the id to fit",
        _all(_set("configuration.panel.fingerprint", "0" * 64), _renamed_id),
    ),
    "panel-name": ("another name of the panel", _set("configuration.panel.name", "nlsy97")),
    "truth": ("a model that knows the truth, so that it is not ranked", _set("knows_truth", True)),
    "sums": ("rows that need not sum to one", _set("sums_to_one", False)),
    "checked": ("a spot check of another size", _set("checked.transitions", 100_000)),
    "isolated": ("a run said to be isolated", _set("checked.isolated", True)),
    "unchecked": ("no word of a spot check", lambda record: record.pop("checked")),
    "facts": ("another number of parameters", _set("facts", lambda facts: facts | {"parameters_trained": 1})),
    "time": ("a fit of no time", _set("measured.fit_seconds", 0.0)),
    "future": ("an end in ten years", _set("measured.finished", "2040-01-01T00:00:00Z")),
    "submitted": ("a submission's record, said to be a run", _all(_better, _sliced, _refigured, _set("checked", None))),
    "unknown-field": ("a field that no record has", lambda record: record.update(rank=1)),
    "schema": ("another schema", _set("schema_version", 2)),
}


def measure(scale: float) -> dict[str, Any]:
    """Every forgery, and three commands."""
    names = list(FORGERIES)[:: max(1, round(1 / scale))]
    answers = dict(zip(names, in_parallel(forge, [(name,) for name in names]), strict=True))
    wrong = [f"{name}: {answer} without a word" for name, of in answers.items() for answer in of if answer == "failed"]
    return {"answers": answers, "surprises": wrong}


@cache
def _before() -> Path:
    deed = Deed("forged", BOARDS, (MODELS, BOARDS))
    return prepared(deed, Path(mkdtemp()) / "before")


def forge(name: str) -> list[str]:
    """The answers of ``leaderboard --check``, of ``leaderboard`` and then ``--check``, and of ``verify``."""
    with TemporaryDirectory() as made:
        folder = copied(_before(), Path(made) / "folder")
        [path] = (folder / "records").glob("*/next_occ-markov-*.json")
        record = json.loads(path.read_text())
        changed = copy.deepcopy(record)
        FORGERIES[name][1](changed)
        path.write_text(_text(changed))
        terms = Terms(said_in=Path(made))
        verified = _answer(typed(folder, ("verify", str(path), *DATA, "--records", "records"), terms), verify=True)
        checked = _answer(typed(folder, (*BOARDS, "--check"), terms))
        shown = typed(folder, BOARDS, terms)
        again = _answer(typed(folder, (*BOARDS, "--check"), terms)) if shown.status == 0 else _answer(shown)
        return [checked, again, verified]


def _text(record: Plain) -> str:
    """As the harness lays it out, where it can."""
    try:
        return to_text(Record.model_validate(record))
    except ValueError:
        return json.dumps(record, indent=2)


def _answer(done: Done, verify: bool = False) -> str:
    if "Traceback" in done.said or (done.status and not (done.said + done.told).strip()):
        return "failed"
    if not verify:
        return "refused" if done.status else "accepted"
    verdicts = ("does not reproduce", "within its interval", "reproduces", "identical")
    told = (done.told + done.said).lower()
    return "refused" if done.status == 2 else next((v for v in verdicts if v in told), f"status {done.status}")


def text(found: Mapping[str, Any]) -> Iterable[str]:
    """A row a forgery."""
    yield "## 5. Forged records"
    yield ""
    yield from paragraph(
        "One record of `markov` on `next_occ`, changed, in a folder of four. `--check`: of the boards of before. "
        "`leaderboard`: boards made anew by whoever changed the record, and then checked. `verify`: run again, from "
        "the record's own configuration. *accepted*: no word against it. A record whose evidence, figures and slices "
        "say the same is told from an honest one by running it again alone, or by a signature (`--signers`)."
    )
    rows = [(f"`{name}`", FORGERIES[name][0], *map(_marked, answers)) for name, answers in found["answers"].items()]
    yield from table(("forgery", "which says", "`--check`", "`leaderboard`", "`verify`"), rows)


def _marked(answer: str) -> str:
    return f"**{answer}**" if answer in ("accepted", "identical") else answer
