"""What named leases do."""

from __future__ import annotations

from dataclasses import dataclass

from .verdict import Broken, Fences, Refused


@dataclass(eq=False)
class Tenancy:
    """One acquisition of a name."""

    name: str
    fence: int
    token: str


@dataclass(eq=False)
class Name:
    """A name that was ever taken."""

    owner: str
    fence: int
    until: int
    holder: Tenancy | None = None  # None once released
    settled: Tenancy | None = None  # who released it


class Names:
    """All names of a store, and what was written under their fences."""

    def __init__(self, fences: Fences) -> None:
        self.fences = fences
        self.names: dict[str, Name] = {}
        self.effects: dict[str, int] = {}
        self.over: set[int] = set()  # released by their owner, or freed by an operator

    def acquire(
        self, name: str, owner: str, ttl: int, *, now: int, got: tuple[int, str, int] | None
    ) -> tuple[int, str, int]:
        known = self.names.get(name)
        fence, token, _ = got or (0, "", 0)
        tenancy = Tenancy(name, fence, token)
        if known is not None and known.holder is not None and known.until > now:
            if known.owner != owner:
                raise Refused("lease_held")
            if got and fence != known.fence:
                raise Broken("one-holder", f"{owner} has {name} twice: {known.fence}, {fence}")
            tenancy.fence = known.fence
            known.holder, known.until = tenancy, max(known.until, now + ttl)
            return known.fence, token, known.until
        if got:
            self.fences.given(fence, f"{owner} with {name}")
        settled = None if known is None else known.settled
        self.names[name] = Name(owner, fence, now + ttl, tenancy, settled)
        return fence, token, now + ttl

    def renew(self, tenancy: Tenancy, ttl: int, *, now: int, got: int | None) -> int:
        known = self._require(tenancy, now)
        known.until = max(known.until, now + ttl)
        return known.until

    def release(self, tenancy: Tenancy, *, now: int, got: None) -> None:
        known = self.names.get(tenancy.name)
        if self.is_held(tenancy, now) and known is not None:
            known.holder, known.settled, known.until = None, tenancy, now
            self.over.add(tenancy.fence)
        elif known is None or known.settled is not tenancy:
            raise Refused("lease_lost")

    def write(self, tenancy: Tenancy, *, now: int, got: None) -> None:
        """Write something in a transaction under the lease's fence."""
        self._require(tenancy, now)
        self.effects[tenancy.name] = self.effects.get(tenancy.name, 0) + 1

    def free(self, name: str, *, now: int, got: bool | None) -> bool:
        known = self.names.get(name)
        if known is None or known.holder is None or known.until <= now:
            return False
        self.over.add(known.fence)
        known.holder, known.until = None, now
        return True

    def reboot(self) -> None:
        for known in self.names.values():
            if known.holder is not None:
                known.until = 0

    def is_held(self, tenancy: Tenancy, now: int) -> bool:
        known = self.names.get(tenancy.name)
        return known is not None and known.holder is tenancy and known.until > now

    def may_believe(self, tenancy: Tenancy, now: int) -> bool:
        """True unless the name may be another owner's."""
        known = self.names.get(tenancy.name)
        mine = known is not None and known.fence == tenancy.fence and known.until > now
        return mine or tenancy.fence in self.over

    def moments(self) -> list[int]:
        return [known.until for known in self.names.values() if known.until]

    def _require(self, tenancy: Tenancy, now: int) -> Name:
        if not self.is_held(tenancy, now):
            raise Refused("lease_lost")
        return self.names[tenancy.name]
