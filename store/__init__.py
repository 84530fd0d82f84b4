"""The store: keeps messages, leases them, and lets each be finished once."""

from .claim import Claim
from .connect import connect
from .delivery import Outcome
from .entry import Compared, Entry, Namespace, Observed, Quarantined
from .keyed import NULL, Keyed
from .leases import Lease
from .message import Message, QueueStats, Receipt
from .once import Once
from .queue import Queue
from .store import Store
from .transaction import Transaction

__all__ = [
    "NULL",
    "Claim",
    "Compared",
    "Entry",
    "Keyed",
    "Lease",
    "Message",
    "Namespace",
    "Observed",
    "Once",
    "Outcome",
    "Quarantined",
    "Queue",
    "QueueStats",
    "Receipt",
    "Store",
    "Transaction",
    "connect",
]
