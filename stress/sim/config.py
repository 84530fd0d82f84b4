"""What a seed decides once: how many processes there are, and what they work on."""

from __future__ import annotations

from random import Random

from ...store.types.keyed.entry import Overflow


class Config:
    """The store of one life.

    Attributes:
        caps: Of each queue, None is no cap.
        lanes: How many a queue has; 0 is none.
        keys: How many keys are in use, of each kind: few, so that they meet.
        spaces: Namespaces of keyed state, with their cap and overflow.
    """

    def __init__(self, random: Random) -> None:
        self.processes = random.randint(2, 5)
        self.caps = {
            "plain": random.choice((None, random.randint(2, 6), random.randint(3, 50))),
            "laned": random.choice((None, random.randint(2, 6), random.randint(3, 50))),
        }
        self.lanes = {"plain": 0, "laned": random.randint(1, 4)}
        self.keys = random.randint(3, 40)
        self.spaces: dict[str, tuple[int, Overflow]] = {
            "evicting": (random.randint(2, 8), "evict"),
            "full": (2, "reject"),
        }
