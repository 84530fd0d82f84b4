"""Keyed state against its model: every verb over two namespaces of two owners."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from fencepost import NULL, Entry, ImportFailed, InvalidInput, Keyed, StoreCorrupt
from fencepost.store.types.entry import Compared

from ..sqlite import invariants
from ..sqlite.counting import counted_right
from ..sqlite.inside import ask, connection
from .keyed_model import Address, KeyedState, Options, Row
from .machine import OPENINGS, Refused, RolledBack, StoreMachine, agree, profile

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

    def __init__(self, which: int, at: Address, options: Options, keyed: Keyed) -> None:
        self.which = which
        self.at = at
        self.options = options
        self.keyed = keyed


class KeyedMachine(StoreMachine):
    @initialize(options=asked, others=asked)
    def begin(self, options: dict[str, Any], others: dict[str, Any]) -> None:
        self.model = KeyedState()
        self.handles: list[Handle] = []
        self.seen: list[tuple[Address, str, Row | None, Any]] = []
        for which in (0, 1):
            self.reopened(which)
        self.open(0, SPACES[1], others)
        self.open(0, SPACES[0], options)

    @rule(which=OPENINGS, at=st.sampled_from(SPACES), options=asked)
    def open(self, which: int, at: Address, options: dict[str, Any]) -> None:
        plain = dict(options)
        if plain.get("ttl") is not None:
            plain["ttl"] *= 1000
        _, keyed = agree(
            lambda: self.model.open(at, plain, self.now),
            lambda: self.stores[which].keyed(*at, **options),
        )
        if keyed is not None:
            self.handles.append(Handle(which, at, plain, keyed))

    # writing

    @rule(n=handles, key=keys, value=values, ttl=ttls)
    def register(self, n: int, key: str, value: Any, ttl: float | None) -> None:
        self._register(self._handle(n), key, value, ttl)

    @rule(n=handles, key=keys, value=values, ttl=ttls)
    def register_if_absent(self, n: int, key: str, value: Any, ttl: float | None) -> None:
        self._register_if_absent(self._handle(n), key, value, ttl)

    @rule(n=handles, pairs=st.lists(st.tuples(keys, values), max_size=6), ttl=ttls)
    def register_many(self, n: int, pairs: list[tuple[str, Any]], ttl: float | None) -> None:
        handle = self._handle(n)
        items = [(key, _text(value), _ms(ttl)) for key, value in pairs]
        refusal = None
        try:
            self.model.register(handle.at, handle.options, items, self.now)
        except Refused as refused:
            refusal = refused
        if refusal is None:
            assert handle.keyed.register_many(pairs, ttl=ttl) == len(pairs)
            return
        with pytest.raises(ImportFailed) as told:
            handle.keyed.register_many(pairs, ttl=ttl)
        assert type(told.value.__cause__) is refusal.error
        assert told.value.committed == 0

    @rule(
        n=handles,
        key=keys,
        makes=st.sampled_from(["nothing", "null", "same", "text", "error"]),
        ttl=ttls,
    )
    def update(self, n: int, key: str, makes: str, ttl: float | None) -> None:
        handle = self._handle(n)

        def modelled(held: str) -> str | None:
            if makes == "error":
                raise RolledBack
            if makes == "same":
                return None if held == "null" else held
            return {"nothing": None, "null": "null", "text": '"new"'}[makes]

        def stored(held: Any) -> Any:
            if makes == "error":
                raise RolledBack
            return {"nothing": None, "null": NULL, "same": held, "text": "new"}[makes]

        def store() -> Any:
            return handle.keyed.update(key, stored, default=7, ttl=ttl)

        try:
            wanted, found = agree(
                lambda: self.model.update(
                    handle.at, handle.options, key, modelled, "7", _ms(ttl), self.now
                ),
                store,
            )
        except RolledBack:
            with pytest.raises(RolledBack):
                store()
            return
        assert wanted is None or _text(found) == wanted

    @rule(n=handles, key=keys)
    def delete(self, n: int, key: str) -> None:
        self._delete(self._handle(n), key)

    @rule(n=handles, key=keys)
    def consume(self, n: int, key: str) -> None:
        self._consume(self._handle(n), key)

    @rule(n=handles, key=keys, value=values, predicate=st.booleans())
    def delete_if(self, n: int, key: str, value: Any, predicate: bool) -> None:
        handle = self._handle(n)

        def stored() -> bool:
            if isinstance(value, list) or predicate:
                return handle.keyed.delete_if(key, lambda held: _text(held) == _text(value))
            return handle.keyed.delete_if_equal(key, value)

        wanted, found = agree(
            lambda: self.model.delete_if(handle.at, key, _text(value), self.now), stored
        )
        assert found is wanted

    @rule(n=handles)
    def clear(self, n: int) -> None:
        handle = self._handle(n)
        assert handle.keyed.clear() == self.model.clear(handle.at)

    @rule(n=handles, name=st.sampled_from(["seen", "threads", "none"]))
    def move_from(self, n: int, name: str) -> None:
        handle = self._handle(n)
        if name == handle.at[1]:
            with pytest.raises(InvalidInput):
                handle.keyed.move_from(name)
            return
        wanted, found = agree(
            lambda: self.model.move(handle.at, handle.options, name, self.now),
            lambda: handle.keyed.move_from(name),
        )
        assert found == wanted

    # comparing

    @rule(n=handles, key=keys)
    def observe(self, n: int, key: str) -> None:
        handle = self._handle(n)
        wanted, found = agree(
            lambda: (self.model.lookup(handle.at, key, self.now),),
            lambda: handle.keyed.observe(key),
        )
        if wanted is not None:
            self._same(key, wanted[0], found.entry)
            self.seen.append((handle.at, key, wanted[0], found))

    @rule(n=handles, back=st.integers(1, 4), value=values, ttl=ttls, sets=st.booleans())
    def compare(self, n: int, back: int, value: Any, ttl: float | None, sets: bool) -> None:
        if back > len(self.seen):
            return
        handle = self._handle(n)
        at, key, row, observed = self.seen[-back]
        if at != handle.at:
            with pytest.raises(InvalidInput):
                handle.keyed.compare_and_delete(key, observed.token)
            return
        text, ms = (_text(value), _ms(ttl)) if sets else (None, None)

        def stored() -> Compared:
            if sets:
                return handle.keyed.compare_and_set(key, observed.token, value, ttl)
            return handle.keyed.compare_and_delete(key, observed.token)

        wanted, found = agree(
            lambda: self.model.compare(at, handle.options, key, row, text, ms, self.now), stored
        )
        if wanted is not None:
            assert found.status == wanted[0]
            self._same(key, wanted[1], found.current.entry)
            self.seen.append((at, key, wanted[1], found.current))

    @rule(n=handles, most=st.integers(1, 4))
    def delete_observed(self, n: int, most: int) -> None:
        handle = self._handle(n)
        seen = [one for one in self.seen if one[0] == handle.at][-most:]
        wanted = []
        for at, key, row, _ in seen:
            try:
                done, _ = self.model.compare(at, {}, key, row, None, None, self.now)
            except Refused:
                done = "damaged"
            wanted.append(done == "applied")
        assert handle.keyed.delete_observed([one[3] for one in seen]) == wanted

    # reading

    @rule(n=handles, key=keys)
    def lookup(self, n: int, key: str) -> None:
        self._lookup(self._handle(n), key)

    @rule(n=handles, some=st.lists(keys, max_size=4))
    def lookup_many(self, n: int, some: list[str]) -> None:
        handle = self._handle(n)
        wanted = self.model.lookup_many(handle.at, some, self.now)
        found = handle.keyed.lookup_many(some, "none")
        assert len(found) == len(some)
        for row, value in zip(wanted, found, strict=True):
            if row is not None and row.damaged:
                assert isinstance(value, StoreCorrupt)
            else:
                assert _text(value) == ('"none"' if row is None else row.text)

    @rule(n=handles, limit=limits)
    def entries(self, n: int, limit: int | None) -> None:
        handle = self._handle(n)
        wanted = self.model.entries(handle.at, limit, self.now)
        self._all_same(wanted, handle.keyed.entries(limit=limit))

    @rule(n=handles, start=bounds, end=bounds, limit=limits, down=st.booleans())
    def range(
        self, n: int, start: str | None, end: str | None, limit: int | None, down: bool
    ) -> None:
        handle = self._handle(n)
        wanted = self.model.range(handle.at, start or "", end, limit, down, self.now)
        found = handle.keyed.range(start, end, limit=limit, descending=down)
        self._all_same(wanted, found)

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
        try:
            with self.model.whole(), self.stores[which].transaction():
                for verb, at, key, value in calls:
                    handle = Handle(which, at, {}, self.stores[which].keyed(*at))
                    if verb == "register":
                        self._register(handle, key, value, None)
                    elif verb == "absent":
                        self._register_if_absent(handle, key, value, None)
                    else:
                        {
                            "delete": self._delete,
                            "consume": self._consume,
                            "lookup": self._lookup,
                        }[verb](handle, key)
                if not commits:
                    raise RolledBack
        except RolledBack:
            assert not commits

    @rule(at=st.sampled_from(SPACES), key=keys)
    def bits_rot(self, at: Address, key: str) -> None:
        if at in self.model.spaces and key in self.model.spaces[at].rows:
            self.model.damage(at, key)
            connection(self.stores[0]).execute(_DAMAGE, (*at, key))

    @rule(which=OPENINGS)
    def sweep(self, which: int) -> None:
        assert self.stores[which].sweep() == self.model.sweep(self.now)

    # after each step

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        counted_right(self.path)
        invariants.check(self.path)
        wanted = [
            (*at, key, row.text, row.created, row.expires)
            for at, space in self.model.spaces.items()
            for key, row in space.rows.items()
        ]
        assert sorted(ask(self.path, _ROWS)) == sorted(wanted)
        store = self.stores[self.now % 2]
        found = [
            (one.owner, one.name, one.rows, one.max_entries, one.ttl, one.overflow)
            for one in store.namespaces()
        ]
        assert found == [
            (*at, len(one.rows), one.max_entries, one.ttl and one.ttl / 1000, one.overflow)
            for at, one in sorted(self.model.spaces.items())
        ]
        aside = [one.place for one in reversed(store.quarantined())]
        assert len(aside) == len(self.model.aside)
        named = sorted(place.split(", ", 1)[1] for place in aside)
        assert named == sorted(f"{at[0]}/{at[1]} {key!r}" for at, key in self.model.aside)
        for at in SPACES:
            self._within_caps(at)

    def _within_caps(self, at: Address) -> None:
        keyed = self.stores[0].keyed(*at)
        assert keyed.count() == self.model.count(at, self.now)
        capacity = keyed.capacity()
        assert (capacity is None) is (at not in self.model.spaces)
        if capacity is not None:
            assert capacity.owner_rows == self.model.rows(at[0])
            assert capacity.owner_max_entries == self.model.owner_caps[at[0]]
            assert capacity.rows <= (capacity.max_entries or 99)
            assert capacity.owner_rows <= (capacity.owner_max_entries or 99)

    # helpers

    def moments(self) -> list[int]:
        rows = [row for space in self.model.spaces.values() for row in space.rows.values()]
        return [row.expires for row in rows if row.expires is not None]

    def newest(self) -> int:
        rows = [row for space in self.model.spaces.values() for row in space.rows.values()]
        return max((row.created for row in rows), default=0)

    def rebooted(self) -> None:
        """Keyed state knows nothing of it."""

    def reopened(self, which: int) -> None:
        self.handles = [handle for handle in self.handles if handle.which != which]
        for at in reversed(SPACES):
            self.handles.append(Handle(which, at, {}, self.stores[which].keyed(*at)))

    def _handle(self, n: int) -> Handle:
        return self.handles[-1 - n % len(self.handles)]

    def _register(self, handle: Handle, key: str, value: Any, ttl: float | None) -> None:
        items = [(key, _text(value), _ms(ttl))]
        agree(
            lambda: self.model.register(handle.at, handle.options, items, self.now),
            lambda: handle.keyed.register(f" {key}\t", value, ttl),
        )

    def _register_if_absent(self, handle: Handle, key: str, value: Any, ttl: float | None) -> None:
        wanted, found = agree(
            lambda: self.model.register_if_absent(
                handle.at, handle.options, key, _text(value), _ms(ttl), self.now
            ),
            lambda: handle.keyed.register_if_absent(key, value, ttl),
        )
        assert found is wanted

    def _delete(self, handle: Handle, key: str) -> None:
        assert handle.keyed.delete(key) is self.model.delete(handle.at, key, self.now)

    def _consume(self, handle: Handle, key: str) -> None:
        wanted, found = agree(
            lambda: (self.model.consume(handle.at, key, self.now),),
            lambda: handle.keyed.consume(key, "none"),
        )
        if wanted is not None:
            assert _text(found) == ('"none"' if wanted[0] is None else wanted[0].text)

    def _lookup(self, handle: Handle, key: str) -> None:
        wanted, found = agree(
            lambda: (self.model.lookup(handle.at, key, self.now),),
            lambda: handle.keyed.lookup(key, "none"),
        )
        if wanted is not None:
            assert _text(found) == ('"none"' if wanted[0] is None else wanted[0].text)

    def _same(self, key: str, row: Row | None, entry: Entry | None) -> None:
        assert (row is None) is (entry is None)
        if row is not None and entry is not None:
            self._all_same([(key, row)], [entry])

    def _all_same(self, wanted: list[tuple[str, Row]], found: list[Entry]) -> None:
        assert [(one.key, _text(one.value), one.created_at, one.expires_at) for one in found] == [
            (key, row.text, row.created / 1000, row.expires and row.expires / 1000)
            for key, row in wanted
        ]


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


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


TestKeyed = KeyedMachine.TestCase
TestKeyed.settings = profile(examples=40, steps=40)
