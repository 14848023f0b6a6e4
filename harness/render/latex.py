"""Tables of what a model estimated as LaTeX with booktabs, to be read by ``\\input`` into a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.model import Table
from harness.render.estimates import cell

LONG = 40  # rows that fit on a page; a table of more runs over several
HEAD = (
    "% Written by 'harness explain'. For \\input into a document whose preamble has\n"
    "%   \\usepackage{booktabs,longtable}\n"
)
POWER = re.compile(r"e([+-]\d+)$")  # of ten, as Python writes it
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "²": r"\textsuperscript{2}",
    "–": "--",
    "[": "{[}",  # which at the start of a row would be read as the space after the one before
    "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def escaped(text: str) -> str:
    """Text as LaTeX prints it, whatever characters it has; those that are not printed are left out."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()) if character.isprintable())


def render(tables: Sequence[Table]) -> str:
    """One tabular a table, in a float or, where it is long, over several pages; notes below."""
    return HEAD + "".join("\n" + _table(table) for table in tables)


def _table(table: Table) -> str:
    columns = "l" + "r" * (len(table.headings) - 1)
    heading = " & ".join(map(escaped, table.headings)) + r" \\"
    rows = [" & ".join(_cells(table.headings, row)) + r" \\" for row in table.rows]
    notes = [r"\par\smallskip", r"{\footnotesize " + escaped(". ".join(table.notes)) + r".\par}"] if table.notes else []
    caption = rf"\caption{{{escaped(table.title)}}}"
    if len(rows) > LONG:
        top = [rf"\begin{{longtable}}{{{columns}}}", caption + r" \\", r"\toprule", heading, r"\midrule", r"\endhead"]
        lines = [*top, r"\bottomrule", r"\endlastfoot", *rows, r"\end{longtable}", *notes]
    else:
        top = [r"\begin{table}[htbp]", r"\centering", caption, rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
        lines = [*top, heading, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", *notes, r"\end{table}"]
    return "\n".join(lines) + "\n"


def _cells(headings: Sequence[str], row: Sequence[str | float | None]) -> list[str]:
    return [_cell(heading, value) for heading, value in zip(headings, row, strict=True)]


def _cell(heading: str, value: str | float | None) -> str:
    """A number with a minus sign in place of a hyphen, and powers of ten as such; text escaped."""
    text = cell(heading, value)
    if isinstance(value, str) or value is None:
        return escaped(text)
    text = POWER.sub(lambda found: rf"\times 10^{{{int(found[1])}}}", text)
    return f"${text.replace(',', '{,}')}$"
