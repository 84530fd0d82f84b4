"""What named leases do: who has each name, until when, and who had it before."""

from __future__ import annotations

from dataclasses import dataclass

from fencepost import LeaseHeld, LeaseLost

from .machine import Refused

DAY = 86_400_000


@dataclass(eq=False)
class Tenant:
    """A lease as the one who acquired it has it; times in ms."""

    name: str
    owner: str
    until: int
    believed_until: int
    ttl: int
    fence: int = 0
    refused: bool = False

    def lost(self, now: int) -> bool:
        self.refused = self.refused or now >= self.believed_until
        return self.refused


@dataclass(eq=False)
class Name:
    """What is known of a name."""

    owner: str
    fence_of: Tenant  # who brought its fence
    holder: Tenant | None
    acquired: int
    expires: int
    released: Tenant | None = None  # who was the last to release it

    def live(self, now: int) -> bool:
        return self.holder is not None and self.expires > now


class Leases:
    """All names of a store."""

    def __init__(self) -> None:
        self.names: dict[str, Name] = {}

    def acquire(
        self, name: str, owner: str, ttl: int, now: int
    ) -> tuple[Tenant, Tenant | None, tuple[str, int, float] | None]:
        """Return the lease, whose fence it goes on with, and whose lapsed one it displaced."""
        known = self.names.get(name)
        if known is not None and known.live(now):
            if known.owner != owner:
                facts = {"holder": known.owner, "expires_at": known.expires / 1000}
                after = (known.expires - now) / 1000
                raise Refused(LeaseHeld, **facts, retry_after=after)
            known.expires = max(known.expires, now + ttl)
            known.holder = Tenant(name, owner, known.expires, known.expires, ttl)
            return known.holder, known.fence_of, None
        displaced = None
        if known is not None and known.holder is not None and known.owner != owner:
            displaced = known.owner, known.fence_of.fence, known.expires / 1000
        tenant = Tenant(name, owner, now + ttl, now + ttl, ttl)
        released = None if known is None else known.released
        self.names[name] = Name(owner, tenant, tenant, now, now + ttl, released)
        return tenant, None, displaced

    def renew(self, tenant: Tenant, ttl: int | None, now: int) -> int:
        try:
            known = self.require(tenant, now)
        except Refused:
            tenant.refused = True
            raise
        ttl = tenant.ttl if ttl is None else ttl
        known.expires = max(known.expires, now + ttl)
        # The store says how long it lasts, also where that is longer than what was asked.
        tenant.until = tenant.believed_until = max(tenant.until, known.expires)
        return known.expires

    def release(self, tenant: Tenant, now: int) -> None:
        known = self.names.get(tenant.name)
        if known is not None and known.released is tenant:
            return
        known = self.require(tenant, now)
        known.holder, known.released, known.expires = None, tenant, now

    def require(self, tenant: Tenant, now: int) -> Name:
        """Return the name of a lease that is held."""
        known = self.names.get(tenant.name)
        if known is None:
            raise Refused(LeaseLost, cause="missing")
        if known.holder is tenant and known.expires > now:
            return known
        if known.holder is tenant:
            raise Refused(LeaseLost, cause="expired")
        if known.released is tenant or (known.holder is None and self._same(known, tenant)):
            raise Refused(LeaseLost, cause="released")
        raise Refused(LeaseLost, cause="superseded")

    def free(self, name: str, now: int) -> bool:
        known = self.names.get(name)
        if known is None or not known.live(now):
            return False
        known.holder, known.expires = None, now
        return True

    def sweep(self, now: int) -> int:
        over = [name for name, known in self.names.items() if known.expires <= now - DAY]
        for name in over:
            del self.names[name]
        return len(over)

    def reboot(self) -> None:
        for known in self.names.values():
            if known.holder is not None:
                known.expires = 0

    def _same(self, known: Name, tenant: Tenant) -> bool:
        return known.fence_of.fence == tenant.fence
