"""Where one measurement runs: handed to every process of it in the environment."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A fresh folder, a durability, and the address of a server where the queue needs one.

    With `impatient`, queues that wait long for a lost worker wait for some seconds.
    """

    folder: Path
    durability: str
    url: str = ""
    impatient: bool = False

    def environment(self, worker: int = 0, hang: int | None = None) -> dict[str, str]:
        """Return the variables for a child; its handler never returns from message `hang`."""
        return os.environ | {
            "PEERS_FOLDER": str(self.folder),
            "PEERS_DURABILITY": self.durability,
            "PEERS_URL": self.url,
            "PEERS_IMPATIENT": "1" if self.impatient else "",
            "PEERS_WORKER": str(worker),
            "PEERS_HANG": "" if hang is None else str(hang),
        }


def here() -> Place:
    """Return the place that this process was started in."""
    own = os.environ
    return Place(
        Path(own["PEERS_FOLDER"]),
        own["PEERS_DURABILITY"],
        own["PEERS_URL"],
        bool(own["PEERS_IMPATIENT"]),
    )


def body(number: int, size: int) -> bytes:
    """Return the body of a message: its number, then text of a webhook's kind, the same each time."""
    drawn = random.Random(number)
    parts = [f"{number:08d}"]
    length = 8
    while length < size:
        part = f',"field_{drawn.randrange(40)}":"{drawn.getrandbits(80):020x}"'
        parts.append(part)
        length += len(part)
    return "".join(parts)[:size].encode()
