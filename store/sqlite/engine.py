"""The store's contract on one SQLite file in WAL mode."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ..clock import Clock
from ..engine import Hold, Leased
from ..errors import LimitExceeded, QueueFull, StoreCorrupt
from ..types.delivery import Content, Delivery, Outcome, Stored
from ..types.filter import Filter
from ..types.message import Caps, Death, Draft, Limits, QueueStats, Receipt
from ..types.probe import ProbeReport, ProbeStep
from ..types.transaction import Parameters, Table
from .file import paths
from .file.space import ROW_BYTES, again_when_full, again_when_refused
from .keyed.engine import SqliteKeyed
from .locks import forks
from .locks.liveness import Liveness
from .names.leases import SqliteLeases
from .names.once import SqliteOnce
from .operators import counts, listing, move, operate
from .operators.routing import SqliteRouting
from .pools.register import SqlitePools
from .queue import claim, deaths, enqueue, reap, settle
from .queue import counters as queues
from .queue.holding import require
from .session import damage
from .session.session import Session, Write
from .session.wakeup import Wakeup
from .upkeep import probe
from .upkeep.upkeep import SqliteUpkeep


@damage.tells
class SqliteEngine:
    """See fencepost.store.engine.Engine; the methods stand in its order."""

    def __init__(
        self,
        path: str,
        *,
        clock: Clock,
        busy_seconds: float,
        durability: str,
        create: bool = True,
        checksums: bool = False,
    ) -> None:
        self.path = paths.locate(path)
        paths.require(self.path, create=create)
        with contextlib.ExitStack() as undo, paths.beside(self.path):
            self._session = Session(
                self.path,
                clock=clock,
                busy_seconds=busy_seconds,
                durability=durability,
                checksums=checksums,
            )
            undo.callback(self._session.close)
            self._wakeup = Wakeup(self.path + "-wakeup")
            undo.callback(self._wakeup.close)
            self._liveness = Liveness(self.path + "-alive")
            undo.pop_all()
        self._session.on_wake = self._wakeup.wake
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._durability = durability
        self.leases = SqliteLeases(self._session)
        self.once = SqliteOnce(self._session)
        self.keyed = SqliteKeyed(self._session)
        self.pools = SqlitePools(self._session, self._liveness)
        self.routing = SqliteRouting(self._session, self.pools)
        self.upkeep = SqliteUpkeep(self._session, self._liveness)
        forks.watch(self._wakeup)
        forks.watch(self._liveness)

    def enqueue(self, drafts: Sequence[Draft]) -> list[Receipt]:
        prepared = [enqueue.prepare(draft) for draft in drafts]
        with self._session.write("enqueue", grows=_grows(prepared)) as write:
            return [enqueue.enqueue(write, each) for each in prepared]

    def enqueue_each(
        self, drafts: Sequence[Draft]
    ) -> list[Receipt | QueueFull | LimitExceeded | StoreCorrupt]:
        prepared = [enqueue.prepare(draft) for draft in drafts]
        answers: list[Receipt | QueueFull | LimitExceeded | StoreCorrupt] = []
        with self._session.write("enqueue", grows=_grows(prepared)) as write:
            for each in prepared:
                try:
                    answers.append(enqueue.enqueue(write, each))
                except (QueueFull, LimitExceeded, StoreCorrupt) as error:
                    answers.append(error)
        return answers

    def caps(self, queue: str) -> Caps:
        return queues.caps(self._session, queue)

    def set_caps(self, queue: str, caps: Caps) -> None:
        with self._session.write("set_caps") as write:
            queues.set_caps(write, queue, caps)

    def tell_deaths(self, queues: Mapping[str, bool]) -> None:
        told = dict(map(tuple, self._session.read(deaths.TOLD)))
        news = {name: wanted for name, wanted in queues.items() if told.get(name, 0) != wanted}
        if news:
            with self._session.write("tell_deaths") as write:
                for name, wanted in news.items():
                    deaths.tell(write, name, wanted)

    def on_died(self, call: Callable[[Sequence[Death]], None]) -> None:
        self._session.on_died = call

    def claim(
        self,
        queues: Sequence[str],
        *,
        limit: int,
        lease_ms: int,
        owner: int | None = None,
        limits: Mapping[str, Limits] | None = None,
        acks: Sequence[tuple[Hold, str | None]] = (),
    ) -> tuple[list[Leased], list[Hold]]:
        tried: list[Hold] = []

        # A fence must not be known to anybody before the COMMIT that makes it true.
        @again_when_full
        def transact() -> tuple[list[Leased], list[Hold], bool]:
            with self._session.write("claim", joins=False) as write:
                settle.release_each(write, tried)  # the first COMMIT may be there after all
                refused = settle.ack_each(write, acks)
                leases, more = claim.claim(
                    write,
                    queues,
                    limit=limit,
                    lease_ms=lease_ms,
                    worker=owner,
                    limits=limits or {},
                )
                tried.extend(each.hold for each in leases)
                write.wakes |= more  # whoever heard of it first is busy from now on
            return leases, refused, more and not leases

        refused: list[Hold] = []
        while True:  # as long as each turn has buried what cannot be read
            leases, lost, again = transact()
            refused += lost
            if not again:
                return leases, refused
            acks = ()

    @again_when_full
    def renew(self, hold: Hold, lease_ms: int) -> int:
        with self._session.write("renew") as write:
            return settle.renew(write, hold, lease_ms)

    @again_when_full
    def ack(self, hold: Hold, result: str | None) -> None:
        with self._session.write("ack") as write:
            settle.ack(write, hold, result)

    @again_when_full
    def ack_many(self, holds: Sequence[Hold]) -> list[Hold]:
        with self._session.write("ack") as write:
            return settle.ack_each(write, [(hold, None) for hold in holds])

    @contextmanager
    def completion(self, hold: Hold) -> Iterator[Write]:
        # Nobody can claim it while this transaction holds the write lock, so what was
        # true at its beginning is true at its end.
        with self._session.write("transaction", joins=False, nests=True) as write:
            with damage.told(self.path, "transaction"):
                require(write, hold, "transaction", done=True)
            yield write
            with damage.told(self.path, "transaction"):
                settle.ack(write, hold, None)

    @again_when_full
    def retry(self, hold: Hold, delay_ms: int, error: str | None) -> bool:
        with self._session.write("retry") as write:
            return settle.retry(write, hold, delay_ms, error)

    @again_when_full
    def release(self, hold: Hold) -> None:
        with self._session.write("release") as write:
            settle.release(write, hold)

    @again_when_full
    def bury(self, hold: Hold, error: str) -> None:
        with self._session.write("bury") as write:
            settle.bury(write, hold, error)

    def next_at_ms(self, queues: Sequence[str]) -> int | None:
        return counts.next_at_ms(self._session, queues)

    def waiting_since_ms(self, queues: Sequence[str]) -> int | None:
        return counts.waiting_since_ms(self._session, queues)

    def fileno(self) -> int:
        self._session.check()
        return self._wakeup.fileno()

    def hush(self) -> None:
        self._session.check()
        self._wakeup.hush()

    def stats(self) -> dict[str, QueueStats]:
        return counts.stats(self._session)

    def anything_left(self, queues: Sequence[str]) -> bool:
        return counts.anything_left(self._session, queues)

    def deliveries(self, wanted: Filter, limit: int, before: int | None) -> list[Delivery]:
        return listing.deliveries(self._session, wanted, limit, before)

    def delivery(self, id: int) -> Delivery | None:
        return listing.delivery(self._session, id)

    def content(self, id: int) -> Content | None:
        return listing.content(self._session, id)

    def message(self, id: int) -> Stored | None:
        return listing.message(self._session, id)

    @again_when_refused
    def replay(self, ids: Sequence[int]) -> list[Outcome]:
        with self._session.write("replay") as write:
            return [operate.replay(write, id) for id in ids]

    @again_when_full
    def cancel(self, ids: Sequence[int]) -> list[Outcome]:
        with self._session.write("cancel") as write:
            return [operate.cancel(write, id) for id in ids]

    @again_when_full
    def move(self, ids: Sequence[int], queue: str) -> list[Outcome]:
        with self._session.write("move") as write:
            reap.reap_expired(write)
            reap.promote_due(write)
            return [move.move(write, id, queue) for id in ids]

    @again_when_full
    def pause(self, queue: str, paused: bool) -> bool:
        with self._session.write("pause") as write:
            return queues.pause(write, queue, paused)

    @again_when_full
    def limit(self, queue: str, most: int | None) -> bool:
        with self._session.write("limit") as write:
            return queues.limit(write, queue, most)

    def read(
        self, sql: str, parameters: Parameters, *, timeout_ms: int, most: int | None = None
    ) -> Table:
        return self._session.query(sql, parameters, seconds=timeout_ms / 1000, most=most)

    @contextmanager
    def transaction(self, operation: str = "transaction") -> Iterator[Write]:
        with self._session.write(operation, nests=True) as write:
            yield write

    def in_transaction(self) -> bool:
        write = self._session.writing
        return write is not None and write.thread == threading.get_ident()

    def twin(self) -> SqliteEngine:
        return SqliteEngine(
            self.path,
            clock=self._clock,
            busy_seconds=self._busy_seconds,
            durability=self._durability,
            create=False,
        )

    def now_ms(self) -> int:
        return self._session.now_ms()

    def ping(self) -> None:
        self._session.read("select one from fp_store")

    def probe(self) -> ProbeReport:
        return probe.probe(self._session, self._clock)

    def integrity(self) -> ProbeStep:
        return probe.integrity(self._session)

    def close(self) -> None:
        self._session.close()
        self._wakeup.close()
        self._liveness.close()


def _grows(prepared: Sequence[enqueue.Prepared]) -> int:
    return sum(len(each.body) + ROW_BYTES for each in prepared)
