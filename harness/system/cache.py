"""A cache lent to a run that must leave the user's own as it is, or must not see what other runs left there."""

from __future__ import annotations

from pathlib import Path

OF_RUNS = ("fits", "probabilities", "unfinished")  # folders of a cache


def lendable(cache: Path) -> list[Path]:
    """What a cache holds that is the same for everyone, such as pre-trained bases."""
    kept = sorted(cache.glob("*")) if cache.is_dir() else []
    return [path for path in kept if path.name not in OF_RUNS and not path.name.startswith(".")]


def borrow(cache: Path, scratch: Path) -> None:
    """A cache that has nothing of the other's runs, and all that is the same for everyone, such as pre-trained bases.

    These are linked, one by one, and whatever else is made comes to lie in the new cache alone.
    """
    scratch.mkdir(parents=True)
    for kept in lendable(cache):
        if not kept.is_dir():
            (scratch / kept.name).symlink_to(kept.resolve())
            continue
        (scratch / kept.name).mkdir()
        for one in kept.glob("[!.]*"):
            (scratch / kept.name / one.name).symlink_to(one.resolve(), target_is_directory=one.is_dir())
