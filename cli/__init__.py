"""The command line: the table of commands, exit codes and errors."""

from __future__ import annotations

import importlib
import io
import sys

import click

from .. import _interrupt
from ..log.standard_streams import fill
from ..store.errors import FencepostError, InvalidInput, SchemaUnsupported, StoreOpenFailed
from .output import give_up_stdout, plain
from .variables import name_variables

# Errors that the caller can mend in the command or its environment.
_WRONG_USAGE = (InvalidInput, StoreOpenFailed, SchemaUnsupported)


# The module of each command, imported when the command is run, so that a pool starts quickly.
_COMMANDS = {
    "adopt": "upkeep.restore",
    "backup": "upkeep.backup",
    "bench": "machine.bench",
    "check": "check",
    "doctor": "upkeep.doctor",
    "enqueue": "enqueue",
    "keys": "state.keys",
    "leases": "state.leases",
    "limit": "queues",
    "messages": "messages",
    "migrate": "upkeep.migrate",
    "pause": "queues",
    "restore": "upkeep.restore",
    "resume": "queues",
    "routes": "queues",
    "scale": "pools.scale",
    "schedules": "pools.schedules",
    "secrets": "secrets",
    "send": "send",
    "serve": "running.serve",
    "sql": "sql",
    "status": "status",
    "step": "step",
    "stress": "machine.stress",
    "sweep": "upkeep.sweep",
    "up": "running.up",
    "work": "running.work",
    "workers": "pools.workers",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f".{_COMMANDS[cmd_name]}", __package__)
        command: click.Command = getattr(module, cmd_name)
        name_variables(command, cmd_name)
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="fencepost")
def cli() -> None:
    """Receive webhooks, store them, and run your handlers on them.

    TARGET names your app: module:attr, or path.py[:attr]; attr is "app" when left out.

    Example: fencepost up hooks.py --workers 4 --port 8000
    """
    _interrupt.end()  # not earlier: the command has been imported by now


def main() -> None:
    """Run a command; an error is one line on stderr.

    The exit code is 0 when the command has succeeded and 1 when it has failed. It is 2 for wrong
    usage, an app that cannot be loaded, or a store that cannot be opened, and 130 after Ctrl-C.
    """
    fill()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # the terminal may not have every character
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = _interrupt.CODE
    except click.ClickException as error:
        code = _complain(error.format_message(), error.exit_code)
    except FencepostError as error:
        wrong = isinstance(error, _WRONG_USAGE) or not getattr(error, "is_store", True)
        code = _complain(str(error), 2 if wrong else 1)
    except BrokenPipeError:
        # The program that reads the output has stopped reading.
        give_up_stdout()
        code = 1
    except OSError as error:
        give_up_stdout()
        code = _complain(str(error), 1)
    sys.exit(code or 0)


def _complain(message: str, code: int) -> int:
    click.echo(f"Error: {plain(' '.join(message.split()))}", err=True)
    return code
