"""Tables as LaTeX with booktabs, to be read by ``\\input`` into a paper: of what a model estimated, and of boards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.contract import Table
from harness.render.estimates import cell

LONG = 40  # rows that fit on a page; a table of more runs over several
WIDE = 5  # columns that fit beside one another at full size
HEAD = "% Written by harness. For \\input into a document whose preamble has\n%   \\usepackage{booktabs,longtable}\n"
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
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "[": "{[}",  # which at the start of a row would be read as the space after the one before
    "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


NUMBER = re.compile(r"(≈ |< )?[-+]?[\d,]+(\.\d+)?( ± (\d+(\.\d+)?|–))?")
LAST_KNOWN = 0x17F  # Latin letters with accents: what the fonts of any LaTeX have


def escaped(text: str) -> str:
    """Text as LaTeX prints it, whatever characters it has.

    Those that are not printed are left out; those that a standard installation has no glyph for become a question mark,
    as an error would stop the whole document.
    """
    return "".join(map(_escaped, filter(str.isprintable, " ".join(text.split()))))


def _escaped(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    return character if ord(character) <= LAST_KNOWN else "?"


def render(tables: Sequence[Table]) -> str:
    """One tabular a table, in a float or, where it is long, over several pages; notes below."""
    made = [Printed(t.title, t.headings, [_cells(t.headings, row) for row in t.rows], t.notes) for t in tables]
    return HEAD + "".join("\n" + printed(table) for table in made)


@dataclass(frozen=True)
class Printed:
    """A table whose cells are LaTeX already; title, headings and notes are text. text: columns set to the left."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    text: tuple[int, ...] = (0,)


def printed(table: Printed) -> str:
    """A tabular in a float; a longtable where it has more rows than a page."""
    columns = "".join("l" if i in table.text else "r" for i in range(len(table.headings)))
    heading = " & ".join(map(escaped, table.headings)) + r" \\"
    rows = [" & ".join(row) + r" \\" for row in table.rows]
    notes = [rf"{{\footnotesize {escaped(' '.join(map(_sentence, table.notes)))}\par}}"] if table.notes else []
    caption = rf"\caption{{{escaped(table.title)}}}"
    small = [r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if len(table.headings) > WIDE else []
    if len(rows) > LONG:
        top = [r"\begingroup", *small, rf"\begin{{longtable}}{{{columns}}}", caption + r" \\", r"\toprule", heading]
        lines = [*top, r"\midrule", r"\endhead", r"\bottomrule", r"\endlastfoot", *rows, r"\end{longtable}"]
        lines += [*notes, r"\endgroup"]
    else:
        top = [r"\begin{table}[htbp]", r"\centering", *small, caption, rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
        lines = [*top, heading, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
        lines += [r"\par\smallskip", *notes] if notes else []
        lines += [r"\end{table}"]
    return "\n".join(lines) + "\n"


def _sentence(note: str) -> str:
    return note if note.endswith(".") else note + "."


def _cells(headings: Sequence[str], row: Sequence[str | float | None]) -> list[str]:
    return [_cell(heading, value) for heading, value in zip(headings, row, strict=True)]


def _cell(heading: str, value: str | float | None) -> str:
    """A number with a minus sign in place of a hyphen, and powers of ten as such; text escaped."""
    text = cell(heading, value)
    if isinstance(value, str) or value is None:
        return escaped(text)
    text = POWER.sub(lambda found: rf"\times 10^{{{int(found[1])}}}", text)
    return f"${text.replace(',', '{,}')}$"


def figure_cell(text: str) -> str:
    """A cell of a board: numbers, with their errors, as mathematics; all else escaped."""
    if not NUMBER.fullmatch(text):
        return escaped(text)
    for plain, told in ((",", "{,}"), ("±", r"\pm"), ("≈", r"\approx"), ("–", r"\mbox{--}")):
        text = text.replace(plain, told)
    return f"${text}$"
