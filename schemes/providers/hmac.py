"""Any other sender: an HMAC of the body in one header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...store.rules.retention import DEFAULT_KEEP_MS
from ..mac import Mac
from ..options import usable_choice, usable_header, usable_prefix
from ..outgoing import Outgoing, Unsignable, derived_id
from ..recipe import FirstOf, Header, Pointer, Recipes
from ..request import Event, Request, Verdict
from ..signature_header import Decode, Encode, from_base64, from_hex, to_base64

ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
ENCODINGS: Mapping[str, tuple[Decode, Encode]] = {
    "base64": (from_base64, to_base64),
    "hex": (from_hex, bytes.hex),
}

EVENT = FirstOf(
    (
        Header(b"x-event-type"),
        Header(b"x-webhook-event"),
        Header(b"x-event"),
        Pointer(("type",)),
        Pointer(("event",)),
    )
)


@dataclass(frozen=True, slots=True)
class Generic:
    """Only the body is signed: a key from the body cannot be changed by a replay."""

    name: ClassVar[str] = "hmac"
    own_key: ClassVar[str | None] = None
    keep_ms: ClassVar[int] = DEFAULT_KEEP_MS  # nothing is known of the sender
    example: ClassVar[str] = "example"

    mac: Mac
    recipes: Recipes
    header: bytes
    prefix: bytes
    decode: Decode
    encode: Encode

    def early(self, request: Request) -> None:
        return None

    def verify(self, request: Request, now: float) -> Verdict:
        header = request.header(self.header)
        if header is None:
            return Verdict.MISSING
        if not header.startswith(self.prefix):
            return Verdict.MALFORMED
        signature = self.decode(header.removeprefix(self.prefix), self.mac.size)
        if signature is None:
            return Verdict.MALFORMED
        genuine = self.mac.signed(request.body, [signature])
        return Verdict.GENUINE if genuine else Verdict.MISMATCH

    def read(self, request: Request) -> Event:
        if request.is_json():
            request.json()
        return self.recipes.over(request, Event(None, ""))

    def sample(self, event: str, seed: str) -> Any:
        return {"id": derived_id(seed), "type": event, "data": {"name": "hello"}}

    def place(self, outgoing: Outgoing, key: str | None, event: str | None) -> None:
        if key is not None:
            raise Unsignable("it has no key (require_key=False), so none can be given")

    def sign(self, outgoing: Outgoing, now: float) -> None:
        signature = self.encode(self.mac.sign(outgoing.body))
        outgoing.default(self.header.decode("ascii"), self.prefix.decode("ascii") + signature)


def build(
    secrets: Sequence[str],
    *,
    header: str = "X-Signature",
    encoding: str = "hex",
    prefix: str = "",
    algorithm: str = "sha256",
    key: str | None = None,
    event: str | None = None,
) -> Generic:
    """Return the scheme of a sender that signs the raw body.

    `prefix` is the text before the signature in its header, such as "sha256=". Without `key`
    there is no key: something that looks like an id may change with each retry, or be the same
    for two events. Without `event` the first place in EVENT that has a value counts.
    """
    usable_choice(algorithm, option="algorithm", allowed=ALGORITHMS)
    usable_choice(encoding, option="encoding", allowed=ENCODINGS)
    spelled = Recipes.spelled(key=key, event=event)
    return Generic(
        Mac.under(secrets, algorithm=algorithm),
        Recipes(spelled.key, spelled.event or EVENT),
        usable_header(header, option="header"),
        usable_prefix(prefix),
        *ENCODINGS[encoding],
    )
