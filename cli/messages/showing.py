"""fencepost messages show: a delivery with its message, or a message with its deliveries."""

from __future__ import annotations

import base64
import json
from typing import Any

import click

from ...store import Store, connect
from ...store.types.delivery import Stored
from ...store.types.sending.outgoing import OUTBOX
from ..options import as_json, the_store
from ..output import iso, plain, print_json, record
from . import ids
from .ids import Id, any_id


@click.command()
@the_store
@click.argument("id", nargs=-1, required=True)
@as_json
def show(store: str, id: tuple[str, ...], as_json: bool) -> None:
    """Show a delivery with its message, or a message with all its deliveries.

    ID is d7 (or 7) for a delivery, m7 for a message, or the JSON answer of the receiver.

    Example: fencepost messages show d42
    """
    # Without quotes a shell passes a JSON answer as several words.
    named = any_id(" ".join(id))
    with connect(store, create=False) as opened:
        if named.kind == "m":
            facts, headers = _message(opened, named)
        else:
            facts, headers = _delivery(opened, named)
    if as_json:
        print_json(facts)
    else:
        _print(facts, headers)


def _delivery(store: Store, named: Id) -> tuple[dict[str, Any], dict[str, str]]:
    delivery, content = store.delivery(named.number), store.content(named.number)
    if delivery is None or content is None:
        raise click.ClickException(f"there is no delivery {named}")
    headers = dict(content.headers)
    facts = {
        **record(delivery),
        "copy_of": content.copy_of,
        "copies": list(content.copies),
        "result": content.result,
        "steps": _steps(store, delivery.id),
        "headers": headers,
        **_body(content.body),
    }
    if delivery.queue == OUTBOX:
        outgoing = store.engine.queue.outbox.outgoing(delivery.message_id)
        facts["url"] = outgoing and outgoing.url
    return facts, headers


def _message(store: Store, named: Id) -> tuple[dict[str, Any], dict[str, str]]:
    message = store.message(named.number)
    if message is None:
        raise click.ClickException(f"there is no message {named}")
    found = store.deliveries(message=named.number, limit=1000)[::-1]
    deliveries = []
    for each in found:
        content = store.content(each.id)
        facts = {**record(each), "result": content and content.result}
        deliveries.append({**facts, "steps": _steps(store, each.id)})
    headers = dict(message.headers)
    of_the_message = _facts(message)
    facts = {**of_the_message, "deliveries": deliveries, "headers": headers, **_body(message.body)}
    if len(deliveries) == 1:  # with one delivery, show its facts as the message's
        facts = {**deliveries[0], **facts}
    return facts, headers


def _steps(store: Store, delivery: int) -> list[dict[str, Any]]:
    """Return what a handler would not do again, in the order in which it was recorded."""
    return [
        {
            "name": step.name,
            "occurrence": step.occurrence,
            "kind": step.kind,
            "recorded_at": iso(step.recorded_at_ms / 1000),
            "fence": step.fence,
            "version": step.code,
        }
        for step in store.engine.durable.steps.records(delivery)
        if step.kind not in ("now", "body")  # parts of others
    ]


def _facts(message: Stored) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "source": message.source,
        "key": message.key,
        "event": message.event,
        "received_at": iso(message.received_at),
        "remembered_until": iso(message.remembered_until),
        "copy_of": message.copy_of,
        "copies": list(message.copies),
        "kept_for": list(message.kept_for),
    }


def _body(body: bytes | None) -> dict[str, str | None]:
    if body is None:
        return {"body": None, "body_encoding": None}
    try:
        return {"body": body.decode(), "body_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "body_encoding": "base64"}


def _print(facts: dict[str, Any], headers: dict[str, str]) -> None:
    deliveries = facts.pop("deliveries", None)
    kept_for = facts.pop("kept_for", None)
    if deliveries is not None:  # each is printed below
        for name in deliveries[0] if deliveries else ():
            if name not in ("message_id", "source", "key", "event", "received_at"):
                facts.pop(name, None)
    for fact, value in facts.items():
        if fact == "headers":
            for header, said in headers.items():
                click.echo(f"  {plain(header)}: {plain(said)}")
        else:
            _print_fact(fact, value)
    if kept_for:
        click.echo(f"kept for: {plain(', '.join(kept_for))}, whose routes are off")
    if deliveries is None:
        return
    if not deliveries and not kept_for:
        click.echo("deliveries: none, because no route has matched the message")
    for each in deliveries:
        click.echo()
        for fact, value in each.items():
            if fact not in facts:
                _print_fact(fact, value)


def _print_fact(fact: str, value: Any) -> None:
    if fact != "steps":
        click.echo(_line(fact, value))
        return
    for step in value:
        which = f" ({step['occurrence']})" if step["occurrence"] > 1 else ""
        by = "" if step["version"] is None else f" by version {step['version']}"
        said = f"{step['name']}{which}: {step['kind']}, {step['recorded_at']}{by}"
        click.echo(f"  step {plain(said)}")


def _line(fact: str, value: Any) -> str:
    if fact == "id":
        value = ids.delivery(value)
    elif fact in ("message_id", "copy_of"):
        value = ids.message(value)
    elif fact == "copies":
        value = ids.messages(value)
    elif fact == "result" and value is not None:
        return f"result: {plain(json.dumps(value, ensure_ascii=False))}"
    return f"{fact}: {plain(value)}"
