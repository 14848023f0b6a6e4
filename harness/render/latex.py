"""Tables as LaTeX with booktabs, to be read by ``\\input`` into a paper: of what a model estimated, and of boards."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model.contract import Table
from harness.render.estimates import cell

LONG = 40  # rows that fit on a page; a table of more runs over several
WIDE = 5  # columns that fit beside one another at full size
HEADING = 11  # characters of a line of a heading
NAME = 18  # of a line of a name in a column
HEAD = (
    "% Written by harness. For \\input into a document whose preamble has\n"
    "%   \\usepackage{booktabs,graphicx,longtable}\n"
)
FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{"  # no wider than the text
ESTIMATE, ERROR, P = "coefficient", "standard error", "p"  # headings of a table of estimates
STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))
OF_STARS = "* p < 0.1, ** p < 0.05, *** p < 0.01."
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


def render(tables: Sequence[Table], stars: bool = False) -> str:
    """One tabular a table, in a float or, where it is long, over several pages; notes below.

    stars: coefficients with stars, their errors in brackets below them, in the place of z, p and intervals.
    """
    made = [_starred(t) if stars and {ESTIMATE, ERROR} <= set(t.headings) else _plain(t) for t in tables]
    return HEAD + "".join("\n" + printed(table) for table in made)


def _plain(table: Table) -> Printed:
    rows = [_cells(table.headings, row) for row in table.rows]
    return Printed(table.title, table.headings, rows, table.notes)


def _starred(table: Table) -> Printed:
    """The table as journals print it."""
    at = {heading: i for i, heading in enumerate(table.headings)}
    kept = [i for i, heading in enumerate(table.headings) if i <= at[ESTIMATE] and heading != ERROR]
    rows = []
    for row in table.rows:
        cells = _cells(table.headings, row)
        p = row[at[P]] if P in at else None
        above = [cells[i] for i in kept]
        above[-1] += raised(p if isinstance(p, float) else None)
        known = row[at[ERROR]] is not None
        rows += [above, [*[""] * (len(kept) - 1), f"({cells[at[ERROR]]})" if known else ""]]
    notes = ("Standard errors in brackets.", *((OF_STARS,) if P in at else ()), *table.notes)
    return Printed(table.title, [table.headings[i] for i in kept], rows, notes)


def raised(p: float | None) -> str:
    """The stars of a p-value, raised; '' where it is not known or large."""
    told = next((stars for most, stars in STARS if p is not None and p < most), "")
    return f"$^{{{told}}}$" if told else ""


def stacked(cells: Sequence[str], text: Sequence[int], stars: Mapping[int, str]) -> list[list[str]]:
    """A row of a board with the errors in brackets on a line below; one line where no cell has an error.

    cells: as ``harness.render.boards.table`` has them. text: positions of names. stars: by position, as ``raised``.
    """
    parts = [(cell, "", "") if i in text else cell.partition(" ± ") for i, cell in enumerate(cells)]
    above = [
        folded(cell, NAME, "[l]") if i in text else figure_cell(cell) + stars.get(i, "")
        for i, (cell, _, _) in enumerate(parts)
    ]
    below = [f"({figure_cell(error)})" if error else "" for _, _, error in parts]
    return [above, below] if any(below) else [above]


def folded(text: str, width: int, side: str = "") -> str:
    """Text over several lines, so that no column is as wide as a model's name. width: characters. side: '[l]' left."""
    lines = textwrap.wrap(text, width, break_long_words=False)
    if len(lines) < 2:
        return escaped(text)
    return rf"\shortstack{side}{{{(chr(92) * 2).join(map(escaped, lines))}}}"


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
    heading = " & ".join(folded(heading, HEADING) for heading in table.headings) + r" \\"
    rows = [" & ".join(row) + r" \\" for row in table.rows]
    notes = [rf"{{\footnotesize {escaped(' '.join(map(_sentence, table.notes)))}\par}}"] if table.notes else []
    caption = rf"\caption{{{escaped(table.title)}}}"
    small = [r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if len(table.headings) > WIDE else []
    if len(rows) > LONG:
        small = [r"\scriptsize", r"\setlength{\tabcolsep}{2pt}"] if small else small  # nothing shrinks it to the page
        top = [r"\begingroup", *small, rf"\begin{{longtable}}{{{columns}}}", caption + r" \\", r"\toprule", heading]
        lines = [*top, r"\midrule", r"\endhead", r"\bottomrule", r"\endlastfoot", *rows, r"\end{longtable}"]
        lines += [*notes, r"\endgroup"]
    else:
        top = [r"\begin{table}[htbp]", r"\centering", *small, caption, rf"{FIT}\begin{{tabular}}{{{columns}}}"]
        lines = [*top, r"\toprule", heading, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}}"]
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
