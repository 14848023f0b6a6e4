"""Several training panels as one: whose occupations are the same, told by their titles.

LABOR-LLM (Athey et al. 2024) pools PSID, NLSY79 and NLSY97, which share no persons and code occupations alike. Codes of
other surveys differ; titles are what a reader would match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.errors import RequestError
from harness.panel.careers import SPLITS, Panel
from harness.panel.corpus import Corpus, in_memory
from harness.panel.occupations import Occupations
from harness.system.hidden_files import revealed_files
from harness.types import IntArray


def pool(main: Panel, others: Iterable[Panel | Corpus]) -> tuple[Panel | Corpus, ...]:
    """The training careers of further panels, titles spelt as those of ``main`` where they are the same.

    A state that ``main`` does not have keeps its own title. A corpus stays one, of its training careers alone; its
    shards are read once, one at a time. RequestError where training careers are given twice or are those of ``main``,
    where there is none, times are in another unit, two states have one title, or a career is trained on that ``main``
    holds out.
    """
    made: list[Panel | Corpus] = []
    seen: list[tuple[Panel | Corpus, str]] = [(main.part("train"), "--data")]
    for other in others:
        if other.unit != main.unit:
            raise RequestError(
                f"--train-also: '{other.name}' has times in {other.unit}s, and '{main.name}' in {main.unit}s: their "
                "steps do not compare; thin one of them (--every)"
            )
        train = _training(main, other)
        if not train.n_persons:
            raise RequestError(f"--train-also: '{other.name}' has nobody in its train split, so nothing to train on")
        if first := next((where for known, where in seen if _same_careers(known, train)), None):
            raise RequestError(
                f"--train-also: '{other.name}' is the same panel as that of {first}; a panel is trained on once"
            )
        seen.append((train, f"another --train-also, '{other.name}'"))
        spelt = replace(train, occupations=_spelt_as(main, other))
        if isinstance(spelt, Panel):
            require_apart(main, spelt, "--train-also")
        made.append(spelt)
    return tuple(made)


def _training(main: Panel, other: Panel | Corpus) -> Panel | Corpus:
    """The training careers of a panel, or of a corpus, each of whose shards is held against what ``main`` holds out."""
    if isinstance(other, Panel):
        return other.part("train")
    return other.training(lambda part: require_apart(main, part, "--train-also"))


def _same_careers(one: Panel | Corpus, other: Panel | Corpus) -> bool:
    """Those of a corpus are put together only where both have as many persons and as many records."""
    if (one.n_persons, one.n_records) != (other.n_persons, other.n_records):
        return False
    return in_memory(one).fingerprint() == in_memory(other).fingerprint()


def require_apart(main: Panel, learned: Panel, option: str) -> None:
    """RequestError where a career that is learned from is one that ``main`` holds out.

    Careers are the same when person, years and states are: their titles, but for case and blanks, or their codes.
    """
    kept = main.select(np.flatnonzero(main.split != SPLITS.index("train")))
    # Careers of other persons are others, and a corpus has many of these.
    known = np.intersect1d(kept.persons, learned.persons)
    kept, learned = (panel.select(np.flatnonzero(np.isin(panel.persons, known))) for panel in (kept, learned))
    for names in (_titles, _codes):
        held_out = set(_careers(kept, names(kept)))
        if both := next((career for career in _careers(learned, names(learned)) if career in held_out), None):
            raise RequestError(
                f"{option}: '{learned.name}' trains on person {both[0]}, whom --data holds out with the same career; "
                "split both alike, or give other persons other ids"
            )


def open_apart(open_panel: Callable[[str], Panel], main: Panel, place: str) -> Panel:
    """Another panel for a model of ``main`` to learn from; RequestError where it holds careers that ``main`` holds out.

    place: a data set's name or a path, which may be one that the model itself must not open.
    """
    with revealed_files():
        opened = open_panel(place)
    require_apart(main, opened, "the model's own panel")
    return opened


def same_titles(
    of: Occupations, main: Occupations, names: tuple[str, str] = ("the panel", "the panel of --data")
) -> IntArray:
    """int64 [K]: for each state of ``of``, that of ``main`` with the same title; -1 where there is none.

    Titles are the same when they differ in nothing but case and blanks. names: what to call both in an error.
    RequestError where two states of ``of`` have one title, or two of ``main`` have one that is asked for.
    """
    known: dict[str, list[int]] = {}
    for state, title in enumerate(main.titles):
        known.setdefault(_plain(title), []).append(state)
    first: dict[str, int] = {}
    found = np.full(len(of), -1, dtype=np.int64)
    for state, title in enumerate(of.titles):
        key = _plain(title)
        if key in first:
            raise RequestError(_twice(of, [first[key], state], names[0]))
        first[key] = state
        matches = known.get(key, [])
        if len(matches) > 1:
            raise RequestError(_twice(main, matches, names[1]))
        if matches:
            found[state] = matches[0]
    return found


def _titles(panel: Panel) -> list[str]:
    return [_plain(title) for title in panel.occupations.titles]


def _codes(panel: Panel) -> list[str]:
    return list(panel.occupations.codes)


def _careers(panel: Panel, names: Sequence[str]) -> Iterator[tuple[str, bytes, tuple[str, ...]]]:
    """Every person with a transition: the name, the years as bytes of int64, and the states' names."""
    for person, first, stop in zip(panel.persons.tolist(), panel.offsets[:-1], panel.offsets[1:], strict=True):
        if stop - first > 1:
            years = panel.year[first:stop].astype(np.int64).tobytes()
            yield str(person), years, tuple(names[k] for k in panel.state[first:stop].tolist())


def _plain(title: str) -> str:
    return " ".join(title.split()).casefold()


def _twice(occupations: Occupations, states: list[int], where: str) -> str:
    one, other = states[:2]
    codes, titles = occupations.codes, occupations.titles
    return (
        f"occupations are matched by title, and {where} has one for two of its states, '{codes[one]}' and "
        f"'{codes[other]}': {titles[one]!r} and {titles[other]!r}; give them titles that differ in more than case and "
        "blanks"
    )


def _spelt_as(main: Panel, other: Panel | Corpus) -> Occupations:
    same = same_titles(other.occupations, main.occupations, (f"'{other.name}'", "the panel of --data"))
    own, wanted = other.occupations.titles, main.occupations.titles
    titles = tuple(wanted[k] if k >= 0 else title for title, k in zip(own, same.tolist(), strict=True))
    return replace(other.occupations, titles=titles)
