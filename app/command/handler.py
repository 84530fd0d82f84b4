"""A command as a handler: the body on its stdin, and the exit code decides."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...log.log import log
from ...store import Message
from ...store.errors import InvalidInput
from ...store.types.messages.draft import Address
from ...store.types.validate import milliseconds
from ..context import Context
from ..exceptions import Discard, Retry
from ..handlers.handler import Handler, make_handler
from ..handlers.hooks import Hooks
from ..joins.settings import refuse_joins
from ..schedules.schedule import Schedule
from ..sending.options import SendingOptions
from ..settings import Settings
from ..source import Source
from .parent import Ended, Runner
from .steps import attempted

# Source: qmail-command(8), "EXIT CODES": 100 is a permanent error.
DEAD = 100

# After the command's own timeout the supervisor waits so long before it kills the worker.
_MARGIN_SECONDS = 10.0

# The variables that tell a command about its message. No option's variable has such a name.
VARIABLES = frozenset(
    f"FENCEPOST_{name}"
    for name in (
        "QUEUE",
        "MESSAGE_ID",
        "KEY",
        "SOURCE",
        "EVENT",
        "ATTEMPT",
        "FENCE",
        "IDEMPOTENCY_KEY",
        "RECEIVED_AT",
        "HEADERS",
    )
)

# Without "_": in a variable's name X-Event and X_Event would be the same.
_HEADER = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Commands:
    """Makes, when called, an app whose only handler is one command, for some queues.

    Attributes:
        command: Split into words as a shell splits it; no shell runs it.
    """

    store: str
    command: str
    queues: tuple[str, ...]
    timeout: float | None = None
    max_attempts: int | None = None

    def __call__(self) -> CommandApp:
        """Return the app.

        Raises:
            InvalidInput: There is no such command, or another value is not usable.
        """
        words = _words(self.command)
        program = _program(words[0])
        runner = Runner()
        handlers = {}
        for queue in self.queues:
            handlers[queue] = make_handler(
                Command(queue, program, words, self.timeout, runner),
                queue=queue,
                durable=True,
                timeout=None if self.timeout is None else self.timeout + _MARGIN_SECONDS,
                max_attempts=self.max_attempts,
            )
        return CommandApp(self.store, {}, handlers)


@dataclass(frozen=True, slots=True)
class CommandApp:
    """An app without a receiver."""

    store: str
    store_options: Mapping[str, Any]
    handlers: Mapping[str, Handler]
    sources: Mapping[str, Source] = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    version: str | None = None
    url: str | None = None
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    sending: SendingOptions | None = None

    def addresses(self, message: Message) -> Sequence[Address]:
        """Return an empty list: this app has no routes."""
        return ()

    def check(self) -> None:
        """Do nothing: the command was checked when the app was made."""


@dataclass(frozen=True, slots=True)
class Command:
    """A handler that runs a command."""

    queue: str
    program: str
    words: Sequence[str]
    timeout: float | None
    runner: Runner

    def __call__(self, message: Message, ctx: Context) -> None:
        """Return once the command has exited with 0.

        Raises:
            Discard: It exited with 100.
            Retry: It exited with another code, or was killed.
        """
        with attempted(ctx.proof) as attempt:
            try:
                ended = self.runner.run(
                    self.program,
                    self.words,
                    {**_inherited(), **variables(self.queue, message, ctx)},
                    message.body,
                    attempt.fd,
                    seconds=self.timeout,
                    go_on=lambda: not ctx.lost,
                )
            finally:
                if attempt.has_steps:
                    ctx.note_steps()
            if (stuck := attempt.stuck) is not None:
                raise Discard(stuck)
        if ended.code == 0:
            return
        reason = self._reason(ended, ctx)
        log.warning(
            "command failed",
            source=message.source,
            key=message.key,
            message=f"m{message.id}",
            queue=self.queue,
            attempt=ctx.attempt,
            reason=reason,
        )
        raise Discard(reason) if ended.code == DEAD else Retry(reason=reason)

    def _reason(self, ended: Ended, ctx: Context) -> str:
        if ended.code is None and ctx.lost:
            reason = "killed: its lease was lost"
        elif ended.code is None:
            reason = f"killed: not done after {self.timeout:g} s" if self.timeout else "killed"
        elif ended.code < 0:
            reason = f"killed by {_name(-ended.code)}"
        else:
            reason = f"exit code {ended.code}"
        return f"{reason}: {ended.said}" if ended.said else reason


def command_handler(
    command: str | Sequence[str], queue: str | None, settings: Settings, runner: Runner
) -> tuple[Command, Settings]:
    """Return the handler function of a command, and its settings.

    Args:
        queue: None names it after the program.

    Raises:
        InvalidInput: There is no such program, or another value is not usable.
    """
    refuse_joins(settings, "a command")
    words = _words(command)
    program = _program(words[0])
    name = os.path.basename(words[0]) if queue is None else queue
    timeout = settings.get("timeout")
    if timeout is None:
        return Command(name, program, words, None, runner), settings
    seconds = milliseconds(timeout, "timeout", least=1) / 1000
    settings = {**settings, "timeout": seconds + _MARGIN_SECONDS}
    return Command(name, program, words, seconds, runner), settings


def variables(queue: str, message: Message, ctx: Context) -> dict[str, str]:
    """Return the environment variables that tell a command about its message.

    A header with a NUL, or with a name of more than letters, digits and hyphens, is only in
    FENCEPOST_HEADERS.
    """
    found = {
        "STORE": ctx.store.engine.identity.address,
        "QUEUE": queue,
        "MESSAGE_ID": str(message.id),
        "KEY": message.key,
        "SOURCE": message.source,
        "EVENT": message.event,
        "ATTEMPT": str(ctx.attempt),
        "FENCE": str(ctx.fence),
        "IDEMPOTENCY_KEY": ctx.idempotency_key,
        "RECEIVED_AT": f"{message.received_at:.3f}",
        "HEADERS": json.dumps(dict(message.headers)),
    }
    for name, value in message.headers.items():
        if _HEADER.fullmatch(name):
            found[f"HEADER_{name.upper().replace('-', '_')}"] = value
    return {
        f"FENCEPOST_{name}": value
        for name, value in found.items()
        if value is not None and "\0" not in value
    }


def _inherited() -> dict[str, str]:
    """Return our environment without variables about a message: we may run in a command."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FENCEPOST_HEADER_") and name not in VARIABLES
    }


def _words(command: str | Sequence[str]) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command) if isinstance(command, str) else command)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the command cannot be split into words: {error}") from error
    if not all(isinstance(word, str) for word in words):
        raise InvalidInput(f"the words of a command must be str, not {words!r}")
    if not words or not words[0]:
        raise InvalidInput("the command is empty")
    if any("\0" in word for word in (command, *words)):
        raise InvalidInput("the command contains a NUL character")
    return words


def _program(word: str) -> str:
    """Return the full path of an executable."""
    if (found := shutil.which(word)) is not None:
        return os.path.abspath(found)
    if os.path.dirname(word) and os.path.exists(word):
        raise InvalidInput(f"{word} is not an executable file")
    raise InvalidInput(f"there is no command {word}")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # most real-time signals have no name
