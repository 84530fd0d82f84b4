"""The command line: fencepost."""

from __future__ import annotations

import os
import sys

import click

from .. import _interrupt
from ..store.errors import (
    FencepostError,
    InvalidInput,
    SchemaUnsupported,
    StoreCorrupt,
    StoreOpenFailed,
)
from .backup import backup
from .control import limit, pause, resume, scale
from .doctor import doctor
from .keys import keys
from .leases import leases
from .messages import messages
from .migrate import migrate
from .output import plain
from .run import serve, up, work
from .status import status
from .stress import stress
from .sweep import sweep
from .workers import workers

# What the caller can put right in the command or its environment.
_WRONG_USAGE = (InvalidInput, StoreOpenFailed, StoreCorrupt, SchemaUnsupported)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fencepost")
def cli() -> None:
    """Receive webhooks once, handle them once.

    TARGET is where your app is: module:attr, or path.py[:attr]; attr is "app" when left out.

    Example: fencepost up examples/github.py --workers 4
    """


for command in (
    up,
    serve,
    work,
    status,
    scale,
    pause,
    resume,
    limit,
    workers,
    messages,
    keys,
    leases,
    doctor,
    sweep,
    backup,
    migrate,
    stress,
):
    cli.add_command(command)


def main() -> None:
    """Run a command; an error is one line on stderr.

    Exits with 0 when it is done, 1 when what was asked about failed, 2 on wrong usage, 130
    after a Ctrl-C.
    """
    try:
        _interrupt.end()
        code = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = _interrupt.CODE
    except click.ClickException as error:
        code = _complain(error.format_message(), error.exit_code)
    except FencepostError as error:
        code = _complain(str(error), 2 if isinstance(error, _WRONG_USAGE) else 1)
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        code = _give_up_stdout()
    except OSError as error:
        _give_up_stdout()
        code = _complain(str(error), 1)
    sys.exit(code or 0)


def _give_up_stdout() -> int:
    """Keep the interpreter from flushing, at its end, into what takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _complain(message: str, code: int) -> int:
    click.echo(f"Error: {plain(' '.join(message.split()))}", err=True)
    return code
