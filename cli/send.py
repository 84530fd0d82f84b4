"""fencepost send: post a signed webhook to a receiver."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

import click

from ..store.errors import InvalidInput
from .options import as_json
from .output import plain, print_json

_URL = "http://127.0.0.1:8000"
_SECONDS = 30


class _Answer(NamedTuple):
    status: int
    body: str

    @property
    def said(self) -> Any:
        """Return the answer's JSON, or its text if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body


@click.command()
@click.argument("target")
@click.argument("source")
@click.option("--event", metavar="E", help="The event of the webhook.")
@click.option("--key", metavar="K", help="The dedupe key; a new one when left out.")
@click.option(
    "--file", "body", type=click.File("rb"), metavar="F", help="Read the body from F; - is stdin."
)
@click.option(
    "--url",
    default=_URL,
    show_default=f"{_URL}/in/SOURCE",
    metavar="U",
    help="URL of the receiver.",
)
@click.option(
    "--times",
    default=1,
    show_default=True,
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Send the same webhook N times.",
)
@as_json
def send(
    target: str,
    source: str,
    event: str | None,
    key: str | None,
    body: BinaryIO | None,
    url: str,
    times: int,
    as_json: bool,
) -> None:
    """Send a signed webhook to SOURCE of TARGET.

    It is signed with the secret that TARGET declares for SOURCE. Without --file the body is
    a small example of the provider's. Without --event, an event is chosen that the first
    handler of the source matches. The same webhook sent twice is a duplicate.

    Example: fencepost send hooks.py github --event push --times 2
    """
    from ..app import Target
    from ..ingest.signing import handled_event, signed
    from ..log.log import configure

    configure()
    app = Target(target).app()
    app.check()
    declared = app.sources.get(source)
    if declared is None:
        known = ", ".join(app.sources) or "no source"
        raise InvalidInput(f"{target} has no source {source!r}; it has {known}")
    given = None if body is None else body.read()
    if event is None and given is None:
        event = handled_event(app, source)
    request = signed(declared, event=event, key=key, body=given)
    address = _address(url, source)
    answers = [_post(address, request.headers, request.body, as_json) for _ in range(times)]
    if as_json:
        print_json([{"status": each.status, "answer": each.said} for each in answers])
    refused = next((each for each in answers if not 200 <= each.status < 300), None)
    if refused is not None:
        raise click.ClickException(_why(address, refused))


def _address(url: str, source: str) -> SplitResult:
    try:
        address = urlsplit(url if "://" in url else f"http://{url}")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("not http or https")
        _ = address.port
    except ValueError as error:
        raise click.BadParameter(f"{url!r} is not a URL: {error}", param_hint="--url") from None
    path = address.path if address.path.strip("/") else f"/in/{source}"
    return address._replace(path=quote(path, safe="/%:@!$&'()*+,;=~"), fragment="")


def _post(address: SplitResult, headers: dict[str, str], body: bytes, quiet: bool) -> _Answer:
    secure = address.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_SECONDS)
    path = f"{address.path}?{address.query}" if address.query else address.path
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = _Answer(response.status, response.read().decode(errors="replace"))
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        why = str(error) or type(error).__name__
        raise click.ClickException(
            f"cannot reach {address.geturl()}: {why}; is `fencepost up` running there?"
        ) from None
    finally:
        connection.close()
    if not quiet:
        click.echo(f"{answer.status} {plain(answer.body)}".rstrip())
        sys.stdout.flush()
    return answer


def _why(address: SplitResult, answer: _Answer) -> str:
    said = answer.said
    why = said.get("error", answer.body) if isinstance(said, dict) else answer.body
    cure = "; does the receiver have the same secret?" if answer.status == 401 else ""
    return f"{address.geturl()} answered {answer.status}: {why}{cure}"
