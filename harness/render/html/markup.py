"""HTML in which a plain string can only be text: names come from plugins, users and data, and stay names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from harness.records.store import slug

# Controls that no name needs and that a page must not obey: C0 and C1, overrides and isolates of the text's direction
# (which would turn what stands behind the name as well), halves of surrogate pairs, and what is no character at all.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
REPLACEMENT = "\ufffd"
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
VOID = {"meta", "link", "br", "input", "circle", "line", "path", "rect"}
UNCLOSED = {"td", "th", "tr", "li", "dt", "dd"}  # ended by what follows (HTML, 13.1.2.4): a third of a long table
LONGEST_ID = 80


class Markup(str):
    """Text that is HTML already. Whatever is made of it by ``str``'s own methods is a plain string again."""

    __slots__ = ()


@lru_cache(maxsize=1 << 14)  # a page says the same numbers and names over and over
def escaped(text: str) -> str:
    """Text as HTML shows it, inside elements and inside quoted attributes alike."""
    return FORBIDDEN.sub(REPLACEMENT, " ".join(text.split())).translate(ESCAPES)


def join(parts: Iterable[str], between: str = "") -> Markup:
    """The parts in a row: Markup as it is, any other string as text."""
    return Markup(_content(between).join(map(_content, parts)))


def element(tag: str, *content: str, **attributes: str | int | bool | None) -> Markup:
    """One element. Content that is not ``Markup`` is text.

    attributes: ``class_`` is class, ``aria_label`` is aria-label. None and False are left out, True stands alone.
    """
    opened = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in VOID:
        assert not content, f"<{tag}> has no content"
        return Markup(f"<{tag}{opened}>" if tag in {"meta", "link", "br", "input"} else f"<{tag}{opened}/>")
    inside = "".join(map(_content, content))
    return Markup(f"<{tag}{opened}>{inside}" if tag in UNCLOSED else f"<{tag}{opened}>{inside}</{tag}>")


def _content(part: str) -> str:
    return part if isinstance(part, Markup) else escaped_inline(part)


def escaped_inline(text: str) -> str:
    """As ``escaped``, with the blanks at either end, which part text from a neighbouring element."""
    lead, trail = text[:1].isspace(), text[-1:].isspace() and len(text) > 1
    return f"{' ' if lead else ''}{escaped(text)}{' ' if trail else ''}"


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escaped(str(value))}"'


def name(text: str) -> Markup:
    """A name inside a sentence, its direction its own (``bdi``)."""
    return element("bdi", text)


def identifier(*parts: str) -> str:
    """A name that an element is linked to by: ASCII letters, digits, '.', '_', '-', parts joined by '/'."""
    return "/".join(re.sub(r"[^A-Za-z0-9._-]", "-", slug(part))[:LONGEST_ID] for part in parts)


def unique(ids: Iterable[str]) -> list[str]:
    """The ids, with a number behind those that stand before: ``market/next_occ~2``."""
    taken: Counter[str] = Counter()
    made = []
    for id in ids:
        taken[id.casefold()] += 1
        count = taken[id.casefold()]
        made.append(id if count == 1 else f"{id}~{count}")
    return made
