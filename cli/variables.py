"""Environment variables FENCEPOST_...: one for each option."""

from __future__ import annotations

import click


def name_variables(command: click.Command, path: str) -> None:
    """Give each option of a command its environment variable, which --help shows.

    The name has the command in it, such as FENCEPOST_UP_WORKERS, unless the option has one
    variable for all commands, such as FENCEPOST_STORE. So it is never a variable that tells a
    command about its message, such as FENCEPOST_QUEUE.
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
