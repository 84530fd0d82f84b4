"""Check HMAC signatures against every secret of a source."""

from __future__ import annotations

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
        return hashlib.new(self.algorithm).digest_size

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
            expected = hmac.digest(secret, message, self.algorithm)
            if any(hmac.compare_digest(expected, signature) for signature in signatures):
                return True
        return False
