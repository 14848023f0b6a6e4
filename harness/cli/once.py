"""Commands whose options may be given once, but for those that are meant to be repeated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand

from harness.errors import RequestError


class OnceCommand(TyperCommand):
    """A command that takes no option twice: of two values the last would count, and the first be gone in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As every command does. RequestError where an option that has one value is given again."""
        _, _, met = self.make_parser(ctx).parse_args(args=list(args))
        times = Counter(param for param in met if _has_one_value(param))
        for option, count in times.items():
            if count > 1:
                raise RequestError(
                    f"{max(option.opts, key=len)} is given {count} times: it has one value, so give it once"
                )
        return list(super().parse_args(ctx, args))


def once(app: typer.Typer) -> None:
    """Have every command of the app, and of its groups, be such a command where it has no class of its own."""
    for command in app.registered_commands:
        if command.cls is None or command.cls is TyperCommand:
            command.cls = OnceCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            once(group.typer_instance)


def _has_one_value(param: Any) -> bool:
    return param.param_type_name == "option" and not (param.multiple or param.is_flag or param.count)
