"""The app: sources that messages come from, and handlers that they go to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, Unpack

from ..log.log import configure
from ..schemes import Options, SchemeName
from ..store import Message
from ..store.errors import InvalidInput
from ..store.naming import verbs
from ..store.types.messages.draft import Address, LanePolicy, Redelivery
from ..store.types.sending.outgoing import OUTBOX
from ..store.types.validate import Duration, count, name, web_address
from ..store.types.validate import lane_policy as checked_lane_policy
from .command.handler import command_handler
from .command.parent import Runner
from .embedding import Embeddable
from .handlers.handler import AnyFunction, Handler, make_handler
from .handlers.hooks import Hooked
from .joins.settings import key_as_lane, lane_as_key
from .route import Lane, Matchings, Route, check_lane
from .schedules.every import Scheduled
from .sending.options import SendingOptions, sending_options
from .settings import Settings
from .source import DEFAULT_MAX_BODY, Source, WaitKey, make_source

F = TypeVar("F", bound=AnyFunction)


@verbs
class App(Hooked, Scheduled, Embeddable):
    """The sources, routes and handlers of one store.

    Args:
        store: Path or URL of the store. A relative path is relative to the folder in which
            the command is run.
        busy_timeout: As in `connect`. The receiver waits for the store at most 1.2 s,
            because senders do not wait longer.
        durability: As in `connect`.
        version: What you call this state of the code, such as a commit: kept with each step that
            a handler records, and shown when a step has changed.
        send_to_private: True lets the app's webhooks be sent to addresses of this machine and
            of its private networks, and over plain http. Link-local addresses stay refused.
        secrets: Secrets that sign its webhooks, by the names that `Context.send` is given; a
            list of them while one is rotated, the newest first.
        url: The address below which the receiver is reached from outside, with the mount:
            `ctx.wait_url` gives URLs below it.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        *,
        busy_timeout: Duration = 5.0,
        durability: str = "full",
        version: str | None = None,
        send_to_private: bool = False,
        secrets: Mapping[str, str | Sequence[str]] | None = None,
        url: str | None = None,
    ) -> None:
        if not isinstance(store, str | os.PathLike):
            raise InvalidInput(f"a store's address must be a str, not {store!r}")
        Hooked.__init__(self)
        Scheduled.__init__(self)
        Embeddable.__init__(self)
        self.store = os.fspath(store)
        self.store_options: dict[str, Any] = {
            "busy_timeout": busy_timeout,
            "durability": durability,
        }
        self.version = None if version is None else name(version, "version")
        self.sending: SendingOptions | None = sending_options(
            private=send_to_private, secrets=secrets
        )
        self.url = None if url is None else web_address(url, "url")
        self.sources: dict[str, Source] = {}
        self.handlers: dict[str, Handler] = {}
        self.routes: list[Route] = []
        self.matchings = Matchings(self.routes, self.handlers)
        self._runner = Runner()

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
        wait_key: WaitKey | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Declare a sender, whose webhooks are posted to `/in/<source>`.

        Args:
            source: The source's name.
            scheme: How the sender signs; the page "Sources" has a table of the schemes.
            secret: What proves the sender.
            secrets: Several secrets, the newest first, while a secret is rotated.
            max_body: The largest body in bytes, also after decompression. A larger one is
                answered 413.
            require_key: False stores requests without a usable dedupe key too, each as a new
                message.
            keep_for: Seconds for which a key is kept after its work has ended; by default
                longer than the provider redelivers.
            keep_body_for: Seconds for which a message's body is kept once all its deliveries
                are done, so that `fencepost messages replay` can run it again.
            key: Where the dedupe key is: "header:NAME", "json:/pointer", or "body" for the
                body's SHA-256. Scheme "hmac" needs it; the others know their provider's.
            redelivery: What a redelivery with the same key and body does. "revive": dead
                deliveries of the message become ready again, and a message that no route
                had matched is routed again. Cancelled deliveries and those that a handler
                with `at_most_once` has begun do not change. "ignore": nothing changes.
            wait_key: A function from a message to the key by which handlers wait for it; see
                `Context.wait_for`. If it raises, the message has none.
            options: Options of the scheme; the page "Sources" lists them.

        Raises:
            InvalidInput: An argument is not usable, or nothing says where the key is.
        """
        made = make_source(
            source,
            scheme,
            secret,
            secrets,
            max_body=max_body,
            require_key=require_key,
            keep_for=keep_for,
            keep_body_for=keep_body_for,
            redelivery=redelivery,
            wait_key=wait_key,
            options=options,
        )
        if source in self.sources:
            raise InvalidInput(f"source {source!r} is declared twice")
        self.sources[source] = made

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
        """Decorate a handler: it gets the events of a source that match a pattern.

        Args:
            source: The source's name.
            event: A shell pattern. "pull_request" also matches "pull_request.opened" and
                everything else below it.
            name: The name of the handler and its queue; by default the function's name.
            lane: A function from a message to its lane. Deliveries with the same lane run
                one at a time, oldest first. If it raises, the delivery is a dead letter from
                the start.
            lane_policy: Whether the rest of a lane waits while its first delivery cannot
                run. "strict": it waits for a retry, not for a dead letter. "skip": it waits
                for neither. "park": it waits for both, for a dead letter until an operator
                replays or cancels it.
            priority: A delivery with a greater number is claimed first.
            settings: The settings of `task`.

        Raises:
            InvalidInput: An argument is not usable.
        """
        if not isinstance(source, str):
            raise InvalidInput(f"a source's name must be a str, not {source!r}")
        if not isinstance(event, str):
            raise InvalidInput(f"an event pattern must be a str, not {event!r}")
        chosen_lane = key_as_lane(check_lane(lane), lane_policy, settings)
        count(priority, "priority", least=-(2**31))
        policy = checked_lane_policy(lane_policy)

        def register(function: F) -> F:
            handler = self._add(function, name, settings)
            self.routes.append(
                Route(source, event, handler.name, chosen_lane, policy, priority, handler.join)
            )
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
        """Run a program for the events of a source, as `on` calls a function.

        The program gets the body on stdin. Exit code 0 means done, 100 means dead at once;
        any other exit is retried. The page "Handlers" has a section "Commands".

        Args:
            source: The source's name.
            event: A shell pattern, as in `on`.
            command: The program and its arguments, as a list or as one line, which is split
                into words as a shell splits it. No shell runs it. A relative path is
                relative to the folder in which `fencepost` is run.
            name: The name of the queue; by default the program's file name.
            lane: As in `on`.
            lane_policy: As in `on`.
            priority: As in `on`.
            settings: The settings of `task`. After `timeout` the program is killed with
                everything that it has started.

        Raises:
            InvalidInput: There is no such program, or another argument is not usable.
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
        """Decorate a handler: it gets what `store.queue(queue).enqueue(...)` puts in a queue.

        Args:
            queue: The queue's name.
            settings: When to retry and when to give up, time limits, and caps of the queue; each
                is described in `Settings`.

        Raises:
            InvalidInput: An argument is not usable.
        """
        lane_as_key(settings)

        def register(function: F) -> F:
            self._add(function, queue, settings)
            return function

        return register

    def check(self) -> None:
        """Check that the source of every route is declared, and what answers a sender has one.

        Raises:
            InvalidInput: A source is not declared, or a handler with `respond` is on none.
        """
        self.matchings.check(self.sources)

    def addresses(self, message: Message) -> list[Address]:
        """Return one address for each handler with a route that matches the message."""
        matching = self.matchings.of(message.source, message.event)
        return [route.address(message, limits) for route, limits in matching.routes]

    def common_addresses(self, source: str, event: str) -> Sequence[Address] | None:
        """Return the addresses of every message of an event; None if a lane depends on it."""
        return self.matchings.of(source, event).addresses

    def work(self, *, workers: int = 4, drain: bool = False) -> bool:
        """Run a pool of worker processes in your own program; call it in the main thread.

        Handlers may be lambdas and closures. Put the program's own code under
        `if __name__ == "__main__":`. The call returns when the pool has stopped, and returns
        False if the workers could not be started.

        Args:
            workers: The number of worker processes.
            drain: True stops the pool when no work is left.
        """
        from ..workers import PoolOptions, run_pool

        configure()
        return run_pool(self, lambda: self, PoolOptions(workers=workers, drain=drain))

    def _add(self, function: AnyFunction, queue: str | None, settings: Settings) -> Handler:
        durable = self.store_options["durability"] != "normal"
        handler = make_handler(function, queue=queue, durable=durable, **settings)
        if handler.name == OUTBOX:
            raise InvalidInput(
                f"queue {OUTBOX!r} is built in: it sends webhooks; choose another name"
            )
        known = self.handlers.setdefault(handler.name, handler)
        if known != handler:
            raise InvalidInput(f"two handlers are called {handler.name!r}; give one a name=")
        return handler
