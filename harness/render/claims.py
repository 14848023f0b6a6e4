"""The verdicts on a paper's claims as text: for a terminal, in Markdown, in LaTeX for a paper, and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from harness.claims.found import Page
from harness.claims.verdict import Comparison, Verdict
from harness.render.boards.markdown import bullets, escape
from harness.render.boards.table import NONE, bracketed, error_text
from harness.render.latex import HEAD, Printed, escaped, figure_cell, printed
from harness.system.words import counted

CLAIM_HEADINGS = ("claim", "verdict", "against", "difference", "95% interval", "p", "adjusted p", "outcome")
CLAIM_NUMBERS = (False, False, False, True, True, True, True, False)  # which are set to the right
ADDED = " (added)"


def rows(verdict: Verdict) -> Iterator[list[str]]:
    """As ``CLAIM_HEADINGS``: a row a comparison, the claim and its verdict on the first."""
    for i, comparison in enumerate(verdict.comparisons):
        head = [verdict.claim, verdict.verdict] if i == 0 else ["", ""]
        yield [*head, *cells(comparison)]


def cells(comparison: Comparison) -> list[str]:
    """Those of ``CLAIM_HEADINGS`` from 'against' on."""
    gap = comparison.difference
    named = comparison.label + ("" if comparison.decides else ADDED)
    named += f" ({comparison.seeds} seeds)" if comparison.seeds is not None else ""
    if gap is None:
        return [named, NONE, NONE, NONE, NONE, comparison.outcome]
    return [
        named,
        f"{gap.value:+.4f} ± {error_text(gap, 4)}",
        bracketed(gap, "{:+.4f}".format),
        NONE if gap.p is None else f"{gap.p:.4f}",
        NONE if gap.p_adjusted is None else f"{gap.p_adjusted:.4f}",
        comparison.outcome,
    ]


def notes(weights: str | None = None, several: bool = False) -> list[str]:
    """Notes that a reader needs to read the verdicts rightly, a sentence or two each. several: over several seeds."""
    over = (
        "persons resampled and paired, over persons and seeds together where an arm has several (intervals and p allow "
        "for few of them). An arm with one seed is taken as it came out."
        if several
        else "persons resampled and paired. Fits are not: one seed was run."
    )
    per = "transition" if weights is None else f"transition weighted by {weights}"
    return [
        f"difference: log-likelihood per {per} of the claim's model less that of the other, in nats, on the test "
        f"split; ± its standard error, {over}",
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
        f"# {escape(page.panel.name)}: what {escape(page.paper.title)} claims",
        "",
        f"The claims of the abstract of {page.paper.cite}, tested with {escape(page.model)}, {_seeds(page)}; base "
        f"{escape(page.base or 'unknown')}.",
        "",
        "| claim | verdict | why |",
        "| :--- | :--- | :--- |",
    ]
    for verdict in page.verdicts:
        lines.append(f"| {escape(verdict.text)} | **{verdict.verdict}** | {escape(verdict.reason)} |")
    for verdict in page.verdicts:
        lines += ["", *_section(verdict)]
    lines += ["", *bullets(notes(weights, _is_of_several(page.verdicts))), ""]
    lines += [
        f"Panel {page.panel.fingerprint[:12]} ({counted(page.panel.persons, 'person')}, "
        f"{counted(page.panel.records, 'record')}). "
        "Computed from the record files; `harness claims` makes those that are missing.",
        "",
    ]
    return "\n".join(lines)


def _seeds(page: Page) -> str:
    return f"seed {page.seed}" if page.seeds == 1 else f"{page.seeds} seeds from {page.seed} on"


def _is_of_several(verdicts: Sequence[Verdict]) -> bool:
    """True where an arm has more than one seed."""
    return any(v.seeds is not None or any(c.seeds is not None for c in v.comparisons) for v in verdicts)


def _section(verdict: Verdict) -> Iterator[str]:
    ran = verdict.label if verdict.record is None else f"{verdict.label}, {verdict.record}"
    ran += f" and {verdict.seeds - 1} more of other seeds" if verdict.seeds is not None else ""
    yield f"## {escape(verdict.claim)}: {verdict.verdict}"
    yield ""
    yield f"{escape(verdict.text)}. Task {escape(verdict.task)}: {escape(ran)}."
    if all(comparison.difference is None for comparison in verdict.comparisons):
        return
    yield ""
    headings = (*CLAIM_HEADINGS[2:], "record")
    yield "| " + " | ".join(headings) + " |"
    yield "| " + " | ".join("---:" if number else ":---" for number in (*CLAIM_NUMBERS[2:], False)) + " |"
    for comparison in verdict.comparisons:
        found = comparison.record or comparison.missing or NONE
        yield "| " + " | ".join(escape(cell) for cell in (*cells(comparison), found)) + " |"


def latex(page: Page) -> str:
    """A booktabs table a claim, its verdict in the title; what all have in common below the last."""
    weights = page.panel.source.get("weights")
    made = []
    for verdict in page.verdicts:
        ran = f"Task {verdict.task}: {verdict.label}; {verdict.reason}"
        common = notes(weights, _is_of_several(page.verdicts)) if verdict is page.verdicts[-1] else []
        title = f"{page.panel.name}: {verdict.text}: {verdict.verdict}"
        made.append(
            Printed(
                title=title,
                headings=CLAIM_HEADINGS[2:],
                rows=[*_latex_rows(verdict)],
                notes=[ran, *common],
                text=(0, 5),
            )
        )
    return HEAD + "".join("\n" + printed(table) for table in made)


def _latex_rows(verdict: Verdict) -> Iterator[list[str]]:
    for comparison in verdict.comparisons:
        shown = zip(cells(comparison), CLAIM_NUMBERS[2:], strict=True)
        yield [figure_cell(cell) if number else escaped(cell) for cell, number in shown]


def plain(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """JSON-able data; floats to ten significant digits, so that every machine writes the same bytes."""
    made: list[dict[str, Any]] = _rounded([asdict(verdict) for verdict in verdicts])
    for verdict in made:
        for one in (verdict, *verdict["comparisons"]):
            if one["seeds"] is None:  # of one seed nothing is said
                del one["seeds"]
    return made


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return None if isnan(value) else float(f"{value:.10g}")
    return value


def files(pages: Sequence[Page], folder: Path) -> dict[Path, str]:
    """Path -> text: ``<folder>/<panel>/claims.md``, ``.tex`` and ``.json``."""
    made: dict[Path, str] = {}
    for page in pages:
        content = {
            "source": page.paper.cite,
            "panel": page.panel.model_dump(mode="json"),
            "language_model": page.model,
            "base": page.base,
            "seed": page.seed,
            **({} if page.seeds == 1 else {"seeds": page.seeds}),
            "claims": plain(page.verdicts),
        }
        made[folder / page.folder / f"{page.paper.file}.md"] = render(page)
        made[folder / page.folder / f"{page.paper.file}.tex"] = latex(page)
        made[folder / page.folder / f"{page.paper.file}.json"] = (
            json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        )
    return made
