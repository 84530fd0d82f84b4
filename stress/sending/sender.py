"""The app of a pool that sends: to addresses of the loopback, one of which is not allowed.

`fencepost work` runs it in the folder of the store.
"""

from __future__ import annotations

import socket
from collections import Counter
from functools import partial
from typing import Any

from ...app import App, Context
from ...app.sending import addresses, exchange, gates, sender
from ...app.sending.addresses import Refused
from ...store import Message
from ...store.rules.failures import breaker
from ...store.rules.failures.backoff import backoff_ms
from ..pools.environment import in_pool, plant_canary

QUEUE = "tell"
SECRET = "whsec_c3RyZXNzLXRlc3RzLXNpZ24td2l0aC10aGlz"

# Where a receiver listens, and where nothing may ever arrive.
ALLOWED, FORBIDDEN = "127.0.0.2", "127.0.0.1"
# What is looked up as the one, and when it is looked up again at once, as the other.
REBINDING = "rebinding.test"

app = App("store.db", send_to_private=True, secrets={"receiver": SECRET})


# No number of kills makes a message a dead letter.
@app.task(QUEUE, max_attempts=1_000_000, max_crashes=1_000_000)
def tell(message: Message, ctx: Context) -> None:
    """Send what the message says: one of two in a transaction."""
    told = message.json()
    body = {"type": "told", "key": message.key}
    if told["transaction"]:
        with ctx.transaction():
            ctx.send(told["url"], body, secret="receiver", lane=told["lane"])
    else:
        ctx.send(told["url"], body, secret="receiver", lane=told["lane"])


_check = addresses.check
_looks: Counter[str] = Counter()


def _checked(address: str, *, private: bool) -> None:
    if address == FORBIDDEN:
        raise Refused("it is the one that is not allowed")
    _check(address, private=private)


def _look_up(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
    if host.endswith(REBINDING):
        _looks[host] += 1
        host = ALLOWED if _looks[host] % 2 else FORBIDDEN
    return socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)


def _hurry() -> None:
    """Have what a host's failures lead to within the minutes of a run."""
    vars(sender)["backoff_ms"] = partial(backoff_ms, most_ms=4000)
    vars(breaker).update(_FIRST_MS=500, _MOST_MS=2000, _PROBE_MS=5000, _SPREAD_MS=1000)
    vars(exchange).update(TOTAL_SECONDS=3.0, CONNECT_SECONDS=2.0)


def _adapt() -> None:
    """Have a loopback with an address that is not allowed, and names that change."""
    vars(addresses)["check"] = _checked
    vars(gates)["look_up"] = _look_up


if in_pool():  # the scenario imports this too, and does not send
    _adapt()
    _hurry()
plant_canary()
