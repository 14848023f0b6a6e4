"""harness llm: the builtin base, and what a model reads of a career."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import RequestError
from harness.model import Context
from harness.model.params import parse, validate
from harness.plugins.llm import LlmParams
from harness.system.machine import cache_folder, resolve_device
from harness.system.progress import PROGRESS, Progress

SetOption = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, as for llm-lora. Repeatable.")]


def command() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True, help="The builtin base of llm-lora, and what it reads of a career.")

    @app.command()
    def pretrain(
        context: typer.Context,
        settings: SetOption = None,
        device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
        output: Annotated[Path | None, typer.Option(help="Copy the finished base there, a new folder.")] = None,
        force: Annotated[bool, typer.Option("--force", help="Train again what the cache holds.")] = False,
    ) -> None:
        """Pre-train the base that llm-lora starts from, unless the cache holds it."""
        if output is not None and output.exists():
            raise RequestError(f"{output} is there already: name a folder that is not")
        folder, seconds = _pretrained(_params(settings), device, context.meta[PROGRESS], force)
        typer.echo(f"{folder}: " + (f"pre-trained in {seconds:.0f} s" if seconds else "was there already"))
        if output is not None:
            shutil.copytree(folder, output)
            typer.echo(f"{output}: a copy, for --set base={output} or transformers' from_pretrained")

    @app.command()
    def text(
        data: Annotated[str, typer.Option(help="A data set's name or a path.")] = "market",
        person: Annotated[str | None, typer.Option(help="Whose; the first person where it is left out.")] = None,
        settings: SetOption = None,
    ) -> None:
        """Print a career as the model reads it."""
        from harness.data.open import open_panel
        from harness.plugins.llm.model import options_of
        from harness.plugins.llm.text.prompt import drawn, written_prompt
        from harness.plugins.llm.text.resume import written_resume

        params = _params(settings)
        panel = open_panel(data)
        names = [str(name) for name in panel.persons.tolist()]
        if person is not None and person not in names:
            raise RequestError(f"'{data}' has no person '{person}'; it has {names[0]} to {names[-1]}")
        options = options_of(params)
        if params.shots:  # those that a run with seed 0 draws
            typer.echo(written_prompt(drawn(panel.part("train"), params.shots, 0), options), nl=False)
        typer.echo(written_resume(panel, names.index(person) if person else 0, options), nl=False)

    return app


def _params(settings: list[str] | None) -> LlmParams:
    return validate(LlmParams, parse(settings or [], ["llm-lora"]).models["llm-lora"], "llm-lora")


def _pretrained(params: LlmParams, device: str, progress: Progress, force: bool) -> tuple[Path, float]:
    """(folder in the cache, seconds of training; 0 where it was there)."""
    from harness.data.open import open_panel
    from harness.plugins.llm.base.pretrain import base_folder, builtin_base, recipe_of

    recipe, cache = recipe_of(params), cache_folder()
    pool = open_panel(params.pool)
    folder = base_folder(recipe, pool, cache)
    if folder.is_dir() and not force:
        return folder, 0.0
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        context = Context(0, Path(scratch), cache, resolve_device(device, ("torch",)), progress)
        builtin_base(recipe, lambda: pool, context)
    return folder, time.perf_counter() - start
