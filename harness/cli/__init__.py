"""The ``harness`` command: parse, call, print. No command imports a heavy library before it needs one."""

from __future__ import annotations

import importlib
import io
import os
import sys
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from typing import Annotated, Any

import typer

from harness.cli import console
from harness.cli.once import once
from harness.cli.summaries import SUMMARIES
from harness.errors import HarnessError, in_one_line
from harness.registry import Registry, implementations, load_commands, load_registry
from harness.system import processes
from harness.system.progress import PROGRESS
from harness.system.supervisor import INTERRUPTED
from harness.system.terminal import visible, write_out_what_cannot_be_encoded
from harness.system.version import installed_version

COMMANDS = {  # name -> module of this package, and the function there
    "run": ("run", "run"),
    "list": ("show", "list_all"),
    "show": ("show", "show"),
    "leaderboard": ("board", "leaderboard"),
    "compare": ("compare", "compare"),
    "card": ("card", "card"),
    "plot": ("plot", "plot"),
    "mix": ("mix", "mix"),
    "score": ("score", "score"),
    "verify": ("verify", "verify"),
    "sign": ("sign", "sign"),
    "migrate": ("migrate", "migrate"),
    "explain": ("explain", "explain"),
    "ablate": ("ablate", "ablate"),
    "tune": ("tune", "tune"),
    "claims": ("claims", "claims"),
    "forecast": ("forecast", "forecast"),
    "import": ("importing", "import_survey"),
    "doctor": ("upkeep", "doctor"),
    "audit": ("plugin", "audit"),
    "new-plugin": ("plugin", "new_plugin"),
}
GROUPS = {
    "data": ("data", "app"),
    "study": ("study", "app"),
    "submission": ("submission", "app"),
    "cache": ("upkeep", "cache"),
}  # name -> module, and the commands there
GRACE = 5.0  # seconds
COMPLETION = "_HARNESS_COMPLETE"  # set by a shell that completes a line
HELP = "Models of a worker's next occupation, side by side on one split with one likelihood."


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(installed_version())
        raise typer.Exit


def build_app(registry: Registry, only: str | None = None) -> typer.Typer:
    """The command with those that plugins add through ``harness_cli``.

    only: of those that come with the harness, this one alone, so that no other is imported.
    """
    app = _empty_app(registry)
    for name in (*COMMANDS, *GROUPS):
        if only in (None, name):
            _add_own(app, name)
    _add_commands(app, registry)
    once(app)
    return app


def _add_own(app: typer.Typer, name: str) -> None:
    """Add a command, or a group of them, that comes with the harness."""
    module, attribute = (COMMANDS | GROUPS)[name]
    found = getattr(importlib.import_module(f"harness.cli.{module}"), attribute)
    if name in COMMANDS:
        app.command(name)(found)
    else:
        app.add_typer(found, name=name)


def listing_app(registry: Registry) -> typer.Typer:
    """The command as its help on all commands needs it: those that come with the harness do nothing here.

    One without a line in ``SUMMARIES`` is imported to say its own.
    """
    app = _empty_app(registry)
    for name in (*COMMANDS, *GROUPS):
        if name in SUMMARIES:
            app.command(name, help=SUMMARIES[name])(_nothing)
        else:
            _add_own(app, name)
    _add_commands(app, registry)
    return app


def _nothing() -> None:
    """Stand for a command in a list of them."""


def _empty_app(registry: Registry) -> typer.Typer:
    app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.callback()
    def common(
        context: typer.Context,
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
        ] = False,
    ) -> None:
        context.obj = registry
        context.meta[PROGRESS] = console.TerminalProgress()

    common.__doc__ = HELP
    return app


def _add_commands(app: typer.Typer, registry: Registry) -> None:
    """Commands of plugins; a plugin that fails, or takes a name that is there, adds none and is told in ``broken``."""
    for implementation in implementations(registry.manager, "harness_cli"):
        commands, groups = list(app.registered_commands), list(app.registered_groups)
        try:
            implementation.function(app)
            twice = [name for name, count in Counter(_names(app)).items() if count > 1]
            problem = f"the command '{twice[0]}' is there already" if twice else ""
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's function may raise anything
            problem = in_one_line(error)
        if problem:
            registry.broken[implementation.plugin_name] = f"harness_cli: {problem}"
            app.registered_commands, app.registered_groups = commands, groups


def _names(app: typer.Typer) -> list[str]:
    named: list[Any] = [*app.registered_commands, *app.registered_groups]
    return [str(one.name or getattr(one.callback, "__name__", "")).replace("_", "-") for one in named]


def main() -> None:
    """The entry point. Exit status: 0 done, 1 the run failed, 2 the request or the data is wrong.

    Of several processes that a launcher started, the main one speaks; the others help it run models, and say after a
    moment, in which the launcher ends them if the main one has failed as well, what only they know to be wrong.
    """
    write_out_what_cannot_be_encoded(sys.stdout, sys.stderr)
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # taken anywhere on the line
    if processes.is_main():
        _main(arguments)
    elif arguments[:1] in (["run"], ["ablate"], ["claims"]):  # the main one waits for them in every fit
        screen, said = sys.stderr, io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            try:
                _main(arguments)
            except SystemExit as end:
                if end.code:
                    time.sleep(GRACE)
                    last = said.getvalue().strip().split("\n")[-1]
                    print(visible(f"process {processes.rank()}: {last}"), file=screen, flush=True)
                raise


def _asks_for_help(arguments: list[str]) -> bool:
    """True where no command is named; a shell that asks for completions is told of every option."""
    return (not arguments or arguments[0] in ("--help", "--version")) and COMPLETION not in os.environ


def _told(error: Exception) -> str:
    """An error in a line; one of the system by its file, as every command names it."""
    if isinstance(error, HarnessError):
        return str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror} (see --debug)"
    return f"{in_one_line(error)} (see --debug)"


def _main(arguments: list[str]) -> None:
    try:
        if _asks_for_help(arguments):
            registry = load_commands()
            app = listing_app(registry)
        else:
            registry = load_registry()
            asked = arguments[0] if arguments and arguments[0] in {*COMMANDS, *GROUPS} else None
            app = build_app(registry, asked)
        known = set(registry.broken)
        try:
            app(args=arguments, prog_name="harness")
        finally:  # plugins that failed while the command ran: it went on without them
            for plugin in registry.broken.keys() - known:
                console.say(f"plugin '{plugin}' failed and was passed over: {registry.broken[plugin]}")
    except SystemExit as end:
        if not end.code:
            processes.close_group()
        raise
    except Exception as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        # pydantic wraps whatever it meets where it writes, and that is where most time of many records goes
        if isinstance(error.__cause__, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        status = error.exit_status if isinstance(error, HarnessError) else 1
        console.say(f"error: {_told(error)}")
        sys.exit(status)
