"""The parts of a cache: what runs leave there, and what models are shown of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harness.system.machine import cache_folder

# Folders of a cache, which hold what became of the careers of a test.
OF_RUNS = ("fits", "probabilities", "searches", "unfinished")
OF_MODELS = "models"  # the folder of it that models are shown, and nothing of a run lies in


def models_cache(cache: Path) -> Path:
    """The folder of a cache for what is the same for everyone, such as pre-trained bases: ``Context.cache``.

    What an older version left beside the folders of runs is moved there.
    """
    folder = cache / OF_MODELS
    for kept in _visible(cache):
        if kept.name not in (*OF_RUNS, OF_MODELS):
            folder.mkdir(exist_ok=True)
            with suppress(OSError):  # another process moved it, or made it anew
                kept.rename(folder / kept.name)
    return folder


def models_folder() -> Path:
    """``models_cache`` of the user's own cache."""
    return models_cache(cache_folder())


def lendable(cache: Path) -> list[Path]:
    """The files and folders that models keep in a cache: nothing that a run left there."""
    return _visible(models_cache(cache))


def borrow(cache: Path, scratch: Path) -> None:
    """A cache that has nothing of the other's runs, and all that is the same for everyone, such as pre-trained bases.

    These are linked, one by one, and whatever else is made comes to lie in the new cache alone.
    """
    scratch.mkdir(parents=True)
    lent = scratch / OF_MODELS
    lent.mkdir()
    for kept in lendable(cache):
        if not kept.is_dir():
            (lent / kept.name).symlink_to(kept.resolve())
            continue
        (lent / kept.name).mkdir()
        for one in kept.glob("[!.]*"):
            (lent / kept.name / one.name).symlink_to(one.resolve(), target_is_directory=one.is_dir())


def _visible(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*")) if folder.is_dir() else []
