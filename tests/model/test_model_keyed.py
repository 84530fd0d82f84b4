"""Keyed state: every verb over two namespaces of two owners."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from fencepost import NULL, ImportFailed, Keyed, Store, StoreCorrupt
from fencepost.store.types.keyed.entry import Compared, Observed

from ..sqlite.counting import counted_right
from ..sqlite.inside import ask, connection
from .machine import OPENINGS, Pair, RolledBack, StoreMachine, profile

Address = tuple[str, str]

SPACES = [(owner, name) for owner in ("shop", "slack") for name in ("seen", "threads")]

keys = st.sampled_from(["a", "b", "c", "é", "\U0001f511"])
values = st.sampled_from([None, 1, 1.0, True, "one", [1, {"k": None}]])
ttls = st.sampled_from([None, None, 0.001, 5, 10])
handles = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7])  # the newest most
limits = st.sampled_from([None, 1, 2, 5])
bounds = st.sampled_from([None, "", "a", "b", "c", "é"])
asked = st.fixed_dictionaries(
    {},
    optional={
        "max_entries": st.sampled_from([None, 1, 2, 3]),
        "ttl": st.sampled_from([None, 5, 10]),
        "overflow": st.sampled_from(["evict", "reject"]),
        "owner_max_entries": st.sampled_from([None, 2, 3, 4]),
    },
)


class Handle:
    """A namespace as somebody has it open, with the options that were asked for then."""

    def __init__(self, which: int, at: Address, keyed: Pair) -> None:
        self.which = which
        self.at = at
        self.keyed = keyed


class KeyedMachine(StoreMachine):
    @initialize(options=asked, others=asked)
    def begin(self, options: dict[str, Any], others: dict[str, Any]) -> None:
        self.handles: list[Handle] = []
        self.observed: list[tuple[Address, Pair]] = []
        for which in (0, 1):
            self.reopened(which)
        self.open(0, SPACES[1], others)
        self.open(0, SPACES[0], options)

    @rule(which=OPENINGS, at=st.sampled_from(SPACES), options=asked)
    def open(self, which: int, at: Address, options: dict[str, Any]) -> None:
        keyed, reference = self.both(which, lambda store: store.keyed(*at, **options))
        if keyed is not None:
            self.handles.append(Handle(which, at, Pair(keyed, reference)))

    # writing

    @rule(n=handles, key=keys, value=values, ttl=ttls)
    def register(self, n: int, key: str, value: Any, ttl: float | None) -> None:
        self._use(n, lambda keyed: keyed.register(f" {key}\t", value, ttl))

    @rule(n=handles, key=keys, value=values, ttl=ttls)
    def register_if_absent(self, n: int, key: str, value: Any, ttl: float | None) -> None:
        self._use(n, lambda keyed: keyed.register_if_absent(key, value, ttl))

    @rule(n=handles, pairs=st.lists(st.tuples(keys, values), max_size=6), ttl=ttls)
    def register_many(self, n: int, pairs: list[tuple[str, Any]], ttl: float | None) -> None:
        def register(keyed: Keyed) -> Any:
            try:
                return keyed.register_many(pairs, ttl=ttl)
            except ImportFailed as failed:
                return failed.committed, type(failed.__cause__)

        self._use(n, register)

    @rule(
        n=handles,
        key=keys,
        makes=st.sampled_from(["nothing", "null", "same", "text", "error"]),
        ttl=ttls,
    )
    def update(self, n: int, key: str, makes: str, ttl: float | None) -> None:
        def made(held: Any) -> Any:
            if makes == "error":
                raise RolledBack
            return {"nothing": None, "null": NULL, "same": held, "text": "new"}[makes]

        self._use(n, lambda keyed: _text(keyed.update(key, made, default=7, ttl=ttl)))

    @rule(n=handles, key=keys)
    def delete(self, n: int, key: str) -> None:
        self._use(n, lambda keyed: keyed.delete(key))

    @rule(n=handles, key=keys)
    def consume(self, n: int, key: str) -> None:
        self._use(n, lambda keyed: _text(keyed.consume(key, "none")))

    @rule(n=handles, key=keys, value=values, predicate=st.booleans())
    def delete_if(self, n: int, key: str, value: Any, predicate: bool) -> None:
        def deleted(keyed: Keyed) -> bool:
            if isinstance(value, list) or predicate:
                return keyed.delete_if(key, lambda held: _text(held) == _text(value))
            return keyed.delete_if_equal(key, value)

        self._use(n, deleted)

    @rule(n=handles)
    def clear(self, n: int) -> None:
        self._use(n, lambda keyed: keyed.clear())

    @rule(n=handles, name=st.sampled_from(["seen", "threads", "none"]))
    def move_from(self, n: int, name: str) -> None:
        self._use(n, lambda keyed: keyed.move_from(name))

    # comparing

    @rule(n=handles, key=keys)
    def observe(self, n: int, key: str) -> None:
        handle = self._handle(n)
        self._observed(handle, self._both(handle, lambda keyed, _: keyed.observe(key)))

    @rule(n=handles, back=st.integers(1, 4), value=values, ttl=ttls, sets=st.booleans())
    def compare(self, n: int, back: int, value: Any, ttl: float | None, sets: bool) -> None:
        if back > len(self.observed):
            return
        handle = self._handle(n)
        at, seen = self.observed[-back]

        def compared(keyed: Keyed, observed: Observed) -> Compared:
            if sets:
                return keyed.compare_and_set(observed.key, observed.token, value, ttl)
            return keyed.compare_and_delete(observed.key, observed.token)

        answer, reference = self._both(handle, compared, seen)
        assert (answer is None) is (reference is None)
        if answer is not None and reference is not None:
            assert at == handle.at
            assert answer.status == reference.status
            self._observed(handle, (answer.current, reference.current))

    @rule(n=handles, most=st.integers(1, 4))
    def delete_observed(self, n: int, most: int) -> None:
        handle = self._handle(n)
        seen = [pair for at, pair in self.observed if at == handle.at][-most:]
        both = Pair([one.sqlite for one in seen], [one.plain for one in seen])
        answer, reference = self._both(
            handle, lambda keyed, observed: keyed.delete_observed(observed), both
        )
        assert answer == reference

    # reading

    @rule(n=handles, key=keys)
    def lookup(self, n: int, key: str) -> None:
        self._use(n, lambda keyed: _text(keyed.lookup(key, "none")))

    @rule(n=handles, some=st.lists(keys, max_size=4))
    def lookup_many(self, n: int, some: list[str]) -> None:
        def looked(keyed: Keyed) -> list[Any]:
            found = keyed.lookup_many(some, "none")
            return [StoreCorrupt if isinstance(one, StoreCorrupt) else _text(one) for one in found]

        self._use(n, looked)

    @rule(n=handles, limit=limits)
    def entries(self, n: int, limit: int | None) -> None:
        self._use(n, lambda keyed: _texts(keyed.entries(limit=limit)))

    @rule(n=handles, start=bounds, end=bounds, limit=limits, down=st.booleans())
    def range(
        self, n: int, start: str | None, end: str | None, limit: int | None, down: bool
    ) -> None:
        self._use(n, lambda keyed: _texts(keyed.range(start, end, limit=limit, descending=down)))

    # together

    @rule(
        which=OPENINGS,
        calls=st.lists(
            st.tuples(
                st.sampled_from(["register", "absent", "delete", "consume", "lookup"]),
                st.sampled_from(SPACES),
                keys,
                values,
            ),
            min_size=2,
            max_size=5,
        ),
        commits=st.booleans(),
    )
    def together(
        self, which: int, calls: list[tuple[str, Address, str, Any]], commits: bool
    ) -> None:
        def called(store: Store) -> list[Any]:
            answers = []
            with store.transaction():
                for verb, at, key, value in calls:
                    try:
                        answers.append(_called(store.keyed(*at), verb, key, value))
                    except StoreCorrupt:
                        answers.append(StoreCorrupt)
                if not commits:
                    raise RolledBack
            return answers

        self.same(which, called)

    @rule(at=st.sampled_from(SPACES), key=keys)
    def bits_rot(self, at: Address, key: str) -> None:
        rows = self.tables.entries.get(at, {})
        if key in rows:
            rows[key] = rows[key]._replace(value="{")
            connection(self.stores[0]).execute(_DAMAGE, (*at, key))

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        self.same(which, lambda store: store.sweep())

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        self.check()
        counted_right(self.path)
        wanted = [
            (*at, key, row.value, row.created_ms, row.expires_ms)
            for at, rows in self.tables.entries.items()
            for key, row in rows.items()
        ]
        assert sorted(ask(self.path, _ROWS)) == sorted(wanted)
        which = self.now % 2
        self.same(which, lambda store: store.namespaces())
        self.same(
            which, lambda store: sorted(one.place.split(", ", 1)[1] for one in store.quarantined())
        )
        for at in SPACES:
            self.same(which, lambda store, at=at: store.keyed(*at).count())  # type: ignore[misc]
            capacity = self.same(which, lambda store, at=at: store.keyed(*at).capacity())  # type: ignore[misc]
            if capacity is not None:
                assert capacity.rows <= (capacity.max_entries or 99)
                assert capacity.owner_rows <= (capacity.owner_max_entries or 99)

    # helpers

    def moments(self) -> list[int]:
        rows = [row for space in self.tables.entries.values() for row in space.values()]
        return [row.expires_ms for row in rows if row.expires_ms is not None]

    def newest(self) -> int:
        rows = [row for space in self.tables.entries.values() for row in space.values()]
        return max((row.created_ms for row in rows), default=0)

    def reopened(self, which: int) -> None:
        self.handles = [handle for handle in self.handles if handle.which != which]
        for at in reversed(SPACES):
            self.handles.append(
                Handle(which, at, Pair(self.stores[which].keyed(*at), self.plain[which].keyed(*at)))
            )

    def _handle(self, n: int) -> Handle:
        return self.handles[-1 - n % len(self.handles)]

    def _use(self, n: int, call: Callable[[Keyed], Any]) -> None:
        handle = self._handle(n)
        self.same(handle.which, lambda store: call(handle.keyed.of(store)))

    def _both(
        self,
        handle: Handle,
        call: Callable[[Keyed, Any], Any],
        given: Pair | None = None,
    ) -> tuple[Any, Any]:
        given = given or Pair(None, None)
        return self.both(handle.which, lambda store: call(handle.keyed.of(store), given.of(store)))

    def _observed(self, handle: Handle, both: tuple[Any, Any]) -> None:
        """Compare what was observed, and keep it; the tokens are each store's own."""
        answer, reference = both
        assert (answer is None) is (reference is None)
        if answer is not None:
            assert _texts([answer.entry]) == _texts([reference.entry])
            self.observed.append((handle.at, Pair(answer, reference)))


_DAMAGE = """
update fp_entry
set value = '{'
where namespace = (select id from fp_namespace where owner = ? and name = ?) and key = ?
"""

_ROWS = """
select n.owner, n.name, e.key, e.value, e.created_at_ms, e.expires_at_ms
from fp_entry as e
join fp_namespace as n on n.id = e.namespace
"""


def _called(keyed: Keyed, verb: str, key: str, value: Any) -> Any:
    if verb == "register":
        keyed.register(key, value)
        return None
    if verb == "absent":
        return keyed.register_if_absent(key, value)
    if verb == "delete":
        return keyed.delete(key)
    return _text(keyed.consume(key, "none") if verb == "consume" else keyed.lookup(key, "none"))


def _texts(entries: list[Any]) -> list[Any]:
    return [
        entry and (entry.key, _text(entry.value), entry.created_at, entry.expires_at)
        for entry in entries
    ]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


TestKeyed = KeyedMachine.TestCase
TestKeyed.settings = profile(examples=40, steps=40)
