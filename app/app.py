"""The app: sources that messages come from, and handlers that they go to."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from ..log.log import configure
from ..schemes import Options, SchemeName, build, key_rule
from ..store import Message
from ..store.errors import InvalidInput
from ..store.naming import verbs
from ..store.types.message import MAX_BODY_BYTES, Address, LanePolicy, Redelivery
from ..store.types.validate import Duration, count, milliseconds, name
from ..store.types.validate import lane_policy as checked_lane_policy
from ..store.types.validate import redelivery as checked_redelivery
from .command.handler import command_handler
from .command.parent import Runner
from .handler import Function, Handler, Settings, make_handler
from .hooks import Hooked
from .route import Lane, Route, check_lane
from .source import Source

if TYPE_CHECKING:
    from ..ingest.answer import Answer
    from ..ingest.embedding import Bytes, Embedded
    from ..ingest.headers import Given
    from ..ingest.web.asgi import Asgi
    from ..ingest.web.wsgi import Wsgi

F = TypeVar("F", bound=Function)

DEFAULT_MAX_BODY = 1024 * 1024

_embedding = threading.Lock()  # of all apps: one of their own could not be pickled

NO_KEY = (
    "scheme {scheme!r} has no dedupe key of its own, so choose one: "
    'key="header:NAME" if a header has an id that stays the same when the sender retries, '
    'key="json:/pointer" if the body has such an id, key="body" if the sender repeats the same '
    "bytes; or require_key=False, and each request is a new message"
)


@verbs
class App(Hooked):
    """What to receive and how to handle it, for one store.

    Args:
        store: Path or URL of the store; a relative path is relative to where the
            command is run.
        busy_timeout, durability: As in `connect`; the receiver waits for the store no
            longer than senders wait for it, 1.2 s, whatever busy_timeout says.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        *,
        busy_timeout: Duration = 5.0,
        durability: str = "full",
    ) -> None:
        if not isinstance(store, str | os.PathLike):
            raise InvalidInput(f"a store's address must be a str, not {store!r}")
        Hooked.__init__(self)
        self.store = os.fspath(store)
        self.store_options: dict[str, Any] = {
            "busy_timeout": busy_timeout,
            "durability": durability,
        }
        self.sources: dict[str, Source] = {}
        self.handlers: dict[str, Handler] = {}
        self.routes: list[Route] = []
        self._runner = Runner()
        self._embedded: Embedded | None = None

    def source(
        self,
        source: str,
        *,
        scheme: SchemeName,
        secret: str | None = None,
        secrets: Sequence[str] = (),
        max_body: int = DEFAULT_MAX_BODY,
        require_key: bool = True,
        keep_for: Duration | None = None,
        keep_body_for: Duration = 0,
        redelivery: Redelivery = "revive",
        **options: Unpack[Options],
    ) -> None:
        """Accept what a sender posts to /in/<source>.

        Args:
            scheme: How the sender signs; docs/sources.md has a table of them.
            secret: What proves the sender; `secrets=[new, old]` while it is rotated.
            max_body: Bytes; a larger request is answered 413, also when it is larger only
                once it is decompressed.
            require_key: False also stores requests without a usable dedupe key, each of
                them as a new message.
            keep_for: Seconds that a key is kept after the work has ended; by default longer
                than the provider goes on to redeliver.
            keep_body_for: Seconds that a message's body is kept once all its deliveries are
                done, so that `fencepost messages replay` can have it handled again.
            key: Where the dedupe key is: "header:NAME", "json:/pointer", or "body" for the
                body's SHA-256. Scheme "hmac" needs it, the others know their provider's.
            redelivery: "revive": a message that the sender delivers again, with the same
                key and body, is ready again if it is dead, or is routed if no handler
                matched it before. What was cancelled stays so, and what a handler with
                `at_most_once` has begun is not begun again. "ignore": neither is done.
            options: The scheme's own; see docs/sources.md.

        Raises:
            InvalidInput: Something of it cannot be used, or nothing says where the key is.
        """
        name(source, "a source's name")
        if source in self.sources:
            raise InvalidInput(f"source {source!r} is declared twice")
        if secret is not None and secrets:
            raise InvalidInput("give secret= or secrets=, not both")
        given = secrets if secret is None else [secret]
        if secret is None and isinstance(secrets, list | tuple) and not secrets:
            raise InvalidInput(
                f"source {source!r}: no secret was given; is its environment variable set?"
            )
        try:
            built = build(scheme, given, **options)
        except ValueError as error:
            raise InvalidInput(f"source {source!r}: {error}") from error
        if require_key and key_rule(built) is None:
            raise InvalidInput(f"source {source!r}: {NO_KEY.format(scheme=scheme)}")
        self.sources[source] = Source(
            name=source,
            scheme=built,
            max_body=count(max_body, "max_body", most=MAX_BODY_BYTES),
            require_key=require_key,
            keep_ms=built.keep_ms if keep_for is None else milliseconds(keep_for, "keep_for"),
            keep_body_ms=milliseconds(keep_body_for, "keep_body_for"),
            redelivery=checked_redelivery(redelivery),
        )

    def on(
        self,
        source: str,
        event: str = "*",
        *,
        name: str | None = None,
        lane: Lane | None = None,
        lane_policy: LanePolicy = "strict",
        priority: int = 0,
        **settings: Unpack[Settings],
    ) -> Callable[[F], F]:
        """Handle the events of a source that match a shell pattern.

        "pull_request" also stands for all that lies below it: "pull_request.opened".

        Args:
            name: Of the handler and its queue; the function's own by default.
            lane: From a message to its lane: of one lane one is handled at a time,
                oldest first. When it raises, the delivery is dead from the start.
            lane_policy: What a lane does while its head cannot run. "strict": it waits for
                a retry, not for a dead letter. "skip": it waits for neither. "park": for
                both, for a dead letter until an operator acts.
            priority: The greater number first.
            settings: Those of `task`.

        Raises:
            InvalidInput: Something of it cannot be used.
        """
        if not isinstance(source, str):
            raise InvalidInput(f"a source's name must be a str, not {source!r}")
        if not isinstance(event, str):
            raise InvalidInput(f"an event pattern must be a str, not {event!r}")
        chosen_lane = check_lane(lane)
        count(priority, "priority", least=-(2**31))
        policy = checked_lane_policy(lane_policy)

        def register(function: F) -> F:
            handler = self._add(function, name, settings)
            self.routes.append(Route(source, event, handler.name, chosen_lane, policy, priority))
            return function

        return register

    def command(
        self,
        source: str,
        event: str,
        command: str | Sequence[str],
        *,
        name: str | None = None,
        lane: Lane | None = None,
        lane_policy: LanePolicy = "strict",
        priority: int = 0,
        **settings: Unpack[Settings],
    ) -> None:
        """Handle events as `on` does, by a program: the body is on its stdin.

        It exits with 0 when the message is done, with 100 when it is dead at once;
        anything else is tried again. See docs/handlers.md, "Commands".

        Args:
            command: The program and its arguments, or one line of them that is split as a
                shell would; no shell runs it. A relative path is relative to where the
                command line is run, as the store's is.
            name: Of the queue; the program's own by default, without its folders.
            settings: Those of `task`; after `timeout` the program is killed, with all that
                it has started.

        Raises:
            InvalidInput: There is no such program, or something else cannot be used.
        """
        function, own = command_handler(command, name, settings, self._runner)
        register = self.on(
            source,
            event,
            name=function.queue,
            lane=lane,
            lane_policy=lane_policy,
            priority=priority,
            **own,
        )
        register(function)

    def task(self, queue: str, **settings: Unpack[Settings]) -> Callable[[F], F]:
        """Handle what is put in a queue by `store.queue(queue).enqueue(...)`.

        Args:
            max_attempts, retry_for: A failure makes a delivery a dead letter once it was
                tried so many times (no bound), or for so many seconds from its first attempt
                on (3 days), whichever comes first. They count, not those of enqueue.
            backoff: The wait after the first failure, in seconds; it doubles with each
                further one up to an hour, and a random part of it, at least half, is waited.
                Or a function from the attempt that failed (1 is the first) to seconds,
                waited exactly. By default at most 1 s, 2 s, 4 s … 55 minutes, a random part
                of it, so that the first ten attempts are within 15 minutes.
            retry_on: Exception classes, each with seconds or a function like backoff's.
            discard_on: Exception classes after which trying again would not help: dead at
                once. Of the classes in both that fit, the most specific counts.
            timeout: Seconds after which the worker is killed and the delivery retried.
            soft_timeout: Seconds after which the handler is interrupted, below `timeout`.
            at_most_once: An attempt that was begun is the only one, however it ends.
            max_crashes: A delivery is dead after so many worker processes have died of it (3).
            concurrency: How many deliveries one worker has in work at a time, when the
                handler is a coroutine function (10).
            max_leased: How many are in work at a time in all workers of all pools.
            max_rows, max_bytes: The caps of the queue, as in `Store.queue`; while it is at
                one, the sender is answered 503 and nothing is stored.
            keep_body_for: Seconds that a message's body is kept once all its deliveries are
                done (0); of its handlers' and its source's the longest counts.

        Raises:
            InvalidInput: Something of it cannot be used.
        """

        def register(function: F) -> F:
            self._add(function, queue, settings)
            return function

        return register

    def check(self) -> None:
        """Refuse routes from a source that was never declared."""
        for route in self.routes:
            if route.source not in self.sources:
                raise InvalidInput(
                    f"handler {route.queue!r} is on source {route.source!r}, which is not declared"
                )

    def addresses(self, message: Message) -> list[Address]:
        """Return where a message goes: one address for each handler with a matching route."""
        found: dict[str, Address] = {}
        for route in self.routes:
            if route.queue not in found and route.matches(message):
                limits = self.handlers[route.queue].limits
                found[route.queue] = route.address(message, limits)
        return list(found.values())

    def accept(self, source: str, headers: Given, body: Bytes) -> Answer:
        """Answer a webhook as the receiver would answer it on POST /in/<source>.

        From a coroutine call `accept_async`: this one waits for the disk.

        Args:
            headers: Of the request: a mapping, in whatever case, or pairs.
            body: As it came: the signature is over its bytes.

        Raises:
            InvalidInput: These are no headers, or the body is not bytes. Whatever is wrong
                with the request or the store is an answer.
        """
        return self._in_program.accept(source, headers, body)

    async def accept_async(self, source: str, headers: Given, body: Bytes) -> Answer:
        """Answer as `accept` does; calls of one moment share a transaction."""
        return await self._in_program.accept_async(source, headers, body)

    def asgi(self) -> Asgi:
        """Return an ASGI application to mount: POST <mount>/in/<source>.

        It answers <mount>/healthz and <mount>/readyz too.
        """
        return self._in_program.asgi()

    def wsgi(self) -> Wsgi:
        """Return a WSGI application to mount: POST <mount>/in/<source>.

        It answers <mount>/healthz and <mount>/readyz too.
        """
        return self._in_program.wsgi()

    def close(self) -> None:
        """Close the store that the ways in have opened in this process, if any.

        The next request opens it anew.
        """
        if self._embedded is not None:
            self._embedded.close()

    def work(self, *, workers: int = 4, drain: bool = False) -> bool:
        """Run a pool of worker processes from a program of one's own, in the main thread.

        The app is carried over to them, handlers that are lambdas or closures included.
        The program's own code must stand under `if __name__ == "__main__":`.

        Returns False when the workers could not be started.
        """
        from ..workers.pool import PoolOptions, run_pool

        configure()
        return run_pool(self, lambda: self, PoolOptions(workers=workers, drain=drain))

    @property
    def _in_program(self) -> Embedded:
        from ..ingest.embedding import Embedded

        if self._embedded is None:
            with _embedding:
                self._embedded = self._embedded or Embedded(self)
        return self._embedded

    def _add(self, function: Function, queue: str | None, settings: Settings) -> Handler:
        durable = self.store_options["durability"] != "normal"
        handler = make_handler(function, queue=queue, durable=durable, **settings)
        known = self.handlers.setdefault(handler.name, handler)
        if known != handler:
            raise InvalidInput(f"two handlers are called {handler.name!r}; give one a name=")
        return handler
