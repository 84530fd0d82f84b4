"""Check HMAC signatures against every secret of a source."""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .outgoing import Unsignable


@dataclass(frozen=True, slots=True)
class Mac:
    """HMAC with any of several secrets, newest first."""

    secrets: tuple[bytes, ...] = field(repr=False)
    algorithm: str = "sha256"

    @classmethod
    def under(cls, secrets: Iterable[str], *, algorithm: str = "sha256") -> Mac:
        """Return the HMAC for secrets whose UTF-8 text is the key."""
        return cls(tuple(secret.encode() for secret in secrets), algorithm)

    @property
    def size(self) -> int:
        """The length of a signature in bytes."""
        return _digest_size(self.algorithm)

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature with the newest secret.

        Raises:
            Unsignable: There is no secret that signs.
        """
        if not self.secrets:
            raise Unsignable("a public key can check signatures, but not sign")
        return hmac.digest(self.secrets[0], message, self.algorithm)

    def signed(self, message: bytes, signatures: Sequence[bytes]) -> bool:
        """True if one of the raw signatures is valid for one of the secrets."""
        for secret in self.secrets:
            mac = _keyed(secret, self.algorithm).copy()
            mac.update(message)
            expected = mac.digest()
            for signature in signatures:
                if hmac.compare_digest(expected, signature):
                    return True
        return False


@functools.cache
def _digest_size(algorithm: str) -> int:
    return hashlib.new(algorithm).digest_size


# Not kept in a Mac, which can be pickled. Copying one takes half as long as keying it again.
@functools.lru_cache(maxsize=256)
def _keyed(secret: bytes, algorithm: str) -> hmac.HMAC:
    """Return an HMAC that has the key and no message; copy it, do not update it."""
    return hmac.new(secret, digestmod=algorithm)
