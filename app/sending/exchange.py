"""One attempt over the network: a POST, its redirects, and what came back."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping

import aiohttp
import msgspec
from yarl import URL

from . import gates
from .addresses import Refused
from .answers import Answer
from .gates import Look, Resolver, socket_maker

CONNECT_SECONDS = 5.0
# Around all of it, with every redirect: a limit on each read would let a drip go on for ever.
TOTAL_SECONDS = 20.0
KEPT_BYTES = 4096
# Left of it when a body that does not end is given up: its status is known.
_LAST_SECONDS = 0.5
_MOST_HOPS = 3
_USER_AGENT = "Fencepost"
_MOST_HEADER_BYTES = 16 * 1024
_MOST_HEADERS = 128
# Both keep the method and the body.
_REDIRECTS = (307, 308)


class Exchange:
    """Sends webhooks; each has a connection of its own, to an address that was judged.

    Attributes:
        private: Private addresses are allowed.
    """

    def __init__(self, *, private: bool, look: Look | None = None) -> None:
        """`look` asks for the addresses of a name."""
        self.private = private
        self._look = look or gates.look_up
        self._tls = ssl.create_default_context()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a webhook, and return the answer, or why there is none.

        Raises:
            Refused: It may not be sent to that host at all.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(TOTAL_SECONDS), self._session() as session:
                answer = await self._hops(session, URL(url), body, headers)
        except aiohttp.InvalidURL as error:
            raise Refused("the client cannot read the address") from error
        except TimeoutError:
            answer = Answer(wrong="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            answer = Answer(wrong=f"no answer: {_said(error)}")
        return msgspec.structs.replace(answer, ms=round((time.monotonic() - began) * 1000))

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=Resolver(private=self.private, look=self._look),
            socket_factory=socket_maker(private=self.private),
            use_dns_cache=False,
            force_close=True,
            ssl=self._tls,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            auto_decompress=False,
            headers={"accept": "*/*", "accept-encoding": "identity", "user-agent": _USER_AGENT},
            trust_env=False,  # no proxy of the environment's
            cookie_jar=aiohttp.DummyCookieJar(),
            max_headers=_MOST_HEADERS,
        )

    async def _hops(
        self, session: aiohttp.ClientSession, url: URL, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        ends_at = asyncio.get_running_loop().time() + TOTAL_SECONDS - _LAST_SECONDS
        for hop in range(_MOST_HOPS + 1):
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                if sum(len(n) + len(v) for n, v in response.raw_headers) > _MOST_HEADER_BYTES:
                    return Answer(status, wrong="answered with over 16 KiB of headers")
                wrong = ""
                if status in _REDIRECTS:
                    target = _target(url, response.headers.get("location"))
                    if target is not None and hop < _MOST_HOPS:
                        url = target
                        continue
                    why = "to another host" if target is None else f"after {_MOST_HOPS} others"
                    wrong = f"answered {status}, a redirect {why}"
                after = response.headers.get("retry-after")
                kept = await _beginning(response, ends_at)
                return Answer(status, kept, retry_after=after, wrong=wrong)
        raise AssertionError("the last hop returns")


async def _beginning(response: aiohttp.ClientResponse, ends_at: float) -> bytes:
    """Return the beginning of the body; what has come of it, when the rest does not.

    The status has been read, so the other side has decided.
    """
    kept = b""
    try:
        async with asyncio.timeout_at(ends_at):
            while len(kept) < KEPT_BYTES and (more := await response.content.read(KEPT_BYTES)):
                kept += more
    except (aiohttp.ClientError, OSError):  # TimeoutError too
        pass
    finally:
        response.close()  # unread
    return kept[:KEPT_BYTES]


def _target(url: URL, location: str | None) -> URL | None:
    """Return where a redirect leads, None for one that is not followed."""
    if not location:
        return None
    try:
        target = url.join(URL(location))
        same = (target.scheme, target.raw_host, target.port) == (url.scheme, url.raw_host, url.port)
    except ValueError:
        return None
    return target if same and target.user is None and target.password is None else None


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
