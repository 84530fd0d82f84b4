"""fencepost enqueue: put a message in a queue."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from ..store import connect
from ..store.connect import exists
from ..store.naming import shown
from ..store.types import validate
from .options import as_json, the_store
from .output import print_json


class _Header(click.ParamType[tuple[str, str]]):
    """NAME:VALUE."""

    name = "NAME:VALUE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, colon, text = value.partition(":")
        if not colon or not name.strip():
            self.fail(f"{value!r} is not NAME:VALUE", param, ctx)
        return name.strip(), text.strip()


@click.command()
@click.argument("queue")
@the_store
@click.option("--key", metavar="K", help="The dedupe key; without one the message is always new.")
@click.option(
    "--file",
    "body",
    type=click.File("rb"),
    metavar="F",
    help="Read the body from F; - is stdin, the default.",
)
@click.option(
    "--lane", metavar="L", help="Messages of one lane are handled one at a time, oldest first."
)
@click.option(
    "--delay",
    default=0.0,
    type=click.FloatRange(0),
    metavar="S",
    help="Seconds until the message can be claimed.",
)
@click.option(
    "--priority",
    default=0,
    type=int,
    metavar="N",
    help="Higher numbers are handled first; 0 by default.",
)
@click.option(
    "--header",
    "headers",
    type=_Header(),
    multiple=True,
    help="Add a header; repeatable.",
)
@as_json
def enqueue(
    queue: str,
    store: str,
    key: str | None,
    body: BinaryIO | None,
    lane: str | None,
    delay: float,
    priority: int,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Put a message in QUEUE; its body is a file or stdin.

    It prints the receipt once the message is on disk: "accepted m7", or "duplicate m7" when
    the key exists with the same body. If the key exists with another body, it is a conflict:
    nothing is stored, and the exit code is 1. A missing store is created.

    Example: fencepost enqueue mail --key order-7 --file order.json
    """
    if body is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("give the body: pipe it in, or name a file with --file")
        body = sys.stdin.buffer
    validate.name(queue, "queue")
    for text, what in ((key, "key"), (lane, "lane")):
        if text is not None:
            validate.key(text, what)
    validate.milliseconds(delay, "delay")
    content = validate.body(body.read())
    is_new = not exists(store)
    with connect(store) as opened:
        if is_new:
            click.echo(f"created the store {shown(store)}", err=True)
        receipt = opened.queue(queue).enqueue(
            content,
            key=key,
            headers=dict(headers),
            lane=lane,
            delay=delay,
            priority=priority,
        )
    if as_json:
        print_json(
            {
                "id": receipt.message_id,
                "message_id": receipt.message_id,
                "status": receipt.status,
                "queue": queue,
                "key": key,
                "state": receipt.state,
            }
        )
    else:
        click.echo(f"{receipt.status} m{receipt.message_id}")
    if receipt.status == "conflict":
        raise click.ClickException(
            f"key {key!r} of {queue} belongs to m{receipt.message_id}, which has another body; "
            "nothing was stored"
        )
