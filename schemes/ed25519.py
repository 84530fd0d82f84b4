"""Check Ed25519 signatures against every public key of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE_SIZE = 64
KEY_SIZE = 32

# One check costs as much as the HMAC of 100 KiB, and a stranger may send many signatures.
MOST_SIGNATURES = 8


@dataclass(frozen=True, slots=True)
class Ed25519:
    """Ed25519 with any of several public keys."""

    keys: tuple[Ed25519PublicKey, ...] = ()

    @classmethod
    def under(cls, keys: Sequence[bytes]) -> Ed25519:
        """Return the check for raw public keys, KEY_SIZE bytes each.

        Raises:
            ValueError: The cryptography package is not installed.
        """
        if not keys:
            return cls()
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError:
            raise ValueError("A whpk_ key needs: pip install fencepost[ed25519]") from None
        return cls(tuple(Ed25519PublicKey.from_public_bytes(key) for key in keys))

    def signed(self, message: bytes, signatures: Sequence[bytes]) -> bool:
        """True if one of the first MOST_SIGNATURES is valid for one of the keys."""
        return any(
            _right(key, message, signature)
            for key in self.keys
            for signature in signatures[:MOST_SIGNATURES]
        )


def _right(key: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
