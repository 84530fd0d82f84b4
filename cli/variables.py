"""Environment variables FENCEPOST_...: one for each option."""

from __future__ import annotations

import click


def name_variables(command: click.Command, path: str) -> None:
    """Give each option of a command its variable, and have --help show it.

    It is named after the command, as FENCEPOST_UP_WORKERS, unless it has a name for all
    commands, as FENCEPOST_STORE. So it is never one of those that tell
    a program which message it is run for, such as FENCEPOST_QUEUE.
    """
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                name_variables(found, f"{path} {name}")
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_eager:
            option.envvar = option.envvar or variable(path, option)
            option.show_envvar = True


def variable(path: str, option: click.Option) -> str:
    """Return the name of the variable of an option."""
    long = max(option.opts, key=len).lstrip("-")
    return f"FENCEPOST_{path}_{long}".replace(" ", "_").replace("-", "_").upper()
