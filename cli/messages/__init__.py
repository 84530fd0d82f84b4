"""fencepost messages: find deliveries, look at them, replay, cancel and move them."""

from __future__ import annotations

import click

from .changing import cancel, move, replay
from .listing import list_
from .showing import show


@click.group()
def messages() -> None:
    """Find, show, replay, cancel and move messages.

    A message has one delivery for each handler that it goes to. Ids are d7 for a delivery and
    m7 for a message; a bare 7 is delivery d7.

    Example: fencepost messages list --state dead
    """


for _command in (list_, show, replay, cancel, move):
    messages.add_command(_command)
