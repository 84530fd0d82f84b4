"""What two-phase claims of keys do."""

from __future__ import annotations

from dataclasses import dataclass

from .verdict import Fences, Refused


@dataclass(eq=False)
class Turn:
    """One claim of a key; `keep` is for how long its result shall be kept."""

    key: str
    fence: int
    keep: int = 0
    over: bool = False


@dataclass(eq=False)
class Key:
    """A key that was ever claimed."""

    state: str
    fence: int
    until: int  # of the lease while claimed, of the memory once done
    holder: Turn | None = None  # None once completed or released
    settled: Turn | None = None
    result: int | None = None


class Keys:
    """All keys of a namespace."""

    def __init__(self, fences: Fences) -> None:
        self.fences = fences
        self.keys: dict[str, Key] = {}

    def claim(
        self, key: str, lease: int, *, now: int, got: tuple[str, int | None, int] | None
    ) -> tuple[str, int | None, int]:
        """Return "claimed" with the fence, "done" with the result, or "in work"."""
        known = self.keys.get(key)
        if known is not None and known.until > now and known.state != "released":
            return ("done", known.result, 0) if known.state == "done" else ("in work", None, 0)
        turn = Turn(key, 0)
        if got is not None and got[0] == "claimed":
            turn.fence = got[2]
            self.fences.given(turn.fence, f"a claim of key {key}")
        settled = None if known is None or known.state == "done" else known.settled
        self.keys[key] = Key("claimed", turn.fence, now + lease, turn, settled)
        return "claimed", None, turn.fence

    def renew(self, turn: Turn, lease: int, *, now: int, got: int | None) -> int:
        known = self._require(turn)
        if known.until <= now:
            raise Refused("lease_lost")
        known.until = max(known.until, now + lease)
        return known.until

    def complete(self, turn: Turn, result: int, keep: int, *, now: int, got: None) -> None:
        if not self._settled(turn, done=True):
            self._settle(self._require(turn), turn, "done", now + keep)
            self.keys[turn.key].result = result

    def release(self, turn: Turn, *, now: int, got: None) -> None:
        if not self._settled(turn, done=False):
            self._settle(self._require(turn), turn, "released", now)

    def reboot(self) -> None:
        for known in self.keys.values():
            if known.state == "claimed":
                known.until = 0

    def moments(self) -> list[int]:
        return [known.until for known in self.keys.values() if known.until]

    def may_believe(self, turn: Turn, now: int) -> bool:
        """True unless the key may be another's."""
        known = self.keys.get(turn.key)
        return turn.over or (known is not None and known.holder is turn and known.until > now)

    def _require(self, turn: Turn) -> Key:
        known = self.keys.get(turn.key)
        if known is None or known.holder is not turn:
            raise Refused("lease_lost")
        return known

    def _settled(self, turn: Turn, *, done: bool) -> bool:
        known = self.keys.get(turn.key)
        return known is not None and known.settled is turn and (known.state == "done") == done

    def _settle(self, known: Key, turn: Turn, state: str, until: int) -> None:
        known.state, known.until, known.holder, known.settled = state, until, None, turn
        turn.over = True
