"""The verdicts on a paper's claims as text: rows for a terminal, Markdown for the repository, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.claims.found import Page
from harness.claims.paper import CITE
from harness.claims.verdict import Comparison, Verdict
from harness.render.markdown import escape
from harness.render.table import NONE

HEADINGS = ("claim", "verdict", "against", "difference", "95% interval", "p", "adjusted p", "outcome")
NUMBERS = (False, False, False, True, True, True, True, False)
ADDED = " (added)"


def rows(verdict: Verdict) -> Iterator[list[str]]:
    """As ``HEADINGS``: a row a comparison, the claim and its verdict on the first."""
    for i, comparison in enumerate(verdict.comparisons):
        head = [verdict.claim, verdict.verdict] if i == 0 else ["", ""]
        yield [*head, *cells(comparison)]


def cells(comparison: Comparison) -> list[str]:
    """Those of ``HEADINGS`` from 'against' on."""
    gap = comparison.difference
    named = comparison.label + ("" if comparison.decides else ADDED)
    if gap is None:
        return [named, NONE, NONE, NONE, NONE, comparison.outcome]
    return [
        named,
        f"{gap.value:+.4f} ± {gap.standard_error:.4f}",
        f"[{gap.low:+.4f}, {gap.high:+.4f}]",
        NONE if gap.p is None else f"{gap.p:.4f}",
        NONE if gap.p_adjusted is None else f"{gap.p_adjusted:.4f}",
        comparison.outcome,
    ]


def notes(weights: str | None = None) -> list[str]:
    """What a reader must know to read the verdicts rightly, a sentence or two each."""
    per = "transition" if weights is None else f"transition weighted by {weights}"
    return [
        f"difference: log-likelihood per {per} of the claim's model less that of the other, in nats, on the test "
        "split; ± its standard error, persons resampled and paired. Fits are not: one seed was run.",
        "better, worse: the 95% interval leaves out zero, and p is below 0.05.",
        "supported: better than each; every comparison is held to its own level, which keeps that of the whole "
        "(intersection-union test).",
        "contradicted: worse than one, with p adjusted for all comparisons of the claim (Romano and Wolf's stepdown).",
        "not supported here: neither. not tested: a run is missing, and the others do not speak against the claim.",
        "added: Harness's own, beside the paper's; it decides nothing.",
        "Language models are scored by the chain rule over the tokens of a title, unless renormalised; a base off the "
        "shelf also pays for what it spends on text that is no title.",
    ]


def render(page: Page) -> str:
    """Markdown: the verdicts, then for each claim what was compared."""
    weights = page.panel.source.get("weights")
    lines = [
        f"# {escape(page.panel.name)}: what LABOR-LLM claims",
        "",
        f"The claims of the abstract of {CITE}, tested with {escape(page.language_model)}, seed {page.seed}.",
        "",
        "| claim | verdict | why |",
        "| :--- | :--- | :--- |",
    ]
    for verdict in page.verdicts:
        lines.append(f"| {escape(verdict.text)} | **{verdict.verdict}** | {escape(verdict.reason)} |")
    for verdict in page.verdicts:
        lines += ["", *_section(verdict)]
    lines += ["", *(f"- {note}" for note in notes(weights)), ""]
    lines += [f"Panel {page.panel.fingerprint[:12]}. Computed from the record files by `harness claims`.", ""]
    return "\n".join(lines)


def _section(verdict: Verdict) -> Iterator[str]:
    ran = verdict.label if verdict.record is None else f"{verdict.label}, {verdict.record}"
    yield f"## {escape(verdict.claim)}: {verdict.verdict}"
    yield ""
    yield f"{escape(verdict.text)}. Task {escape(verdict.task)}: {escape(ran)}."
    yield ""
    headings = (*HEADINGS[2:], "record")
    yield "| " + " | ".join(headings) + " |"
    yield "| " + " | ".join("---:" if number else ":---" for number in (*NUMBERS[2:], False)) + " |"
    for comparison in verdict.comparisons:
        found = comparison.record or comparison.missing or NONE
        yield "| " + " | ".join(escape(cell) for cell in (*cells(comparison), found)) + " |"


def plain(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """JSON-able data; floats to ten significant digits, so that every machine writes the same bytes."""
    made: list[dict[str, Any]] = _rounded([asdict(verdict) for verdict in verdicts])
    return made


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def files(pages: Sequence[Page], folder: Path) -> dict[Path, str]:
    """Path -> text: ``<folder>/<panel>/claims.md`` and ``claims.json``."""
    made: dict[Path, str] = {}
    for page in pages:
        head = {"panel": page.panel.model_dump(mode="json"), "language_model": page.language_model, "seed": page.seed}
        content = {"source": CITE, **head, "claims": plain(page.verdicts)}
        made[folder / page.folder / "claims.md"] = render(page)
        made[folder / page.folder / "claims.json"] = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return made
