"""The store: queues, claims, keyed state, leases, and claims of keys."""

from .claim import Claim
from .connect import connect
from .keyed import NULL, Keyed
from .leases import Lease
from .once import Once
from .queue import Queue
from .store import Store
from .types.delivery import Outcome
from .types.durable.ended import Ended
from .types.keyed.entry import Compared, Entry, Namespace, Observed, Quarantined
from .types.messages.message import Message
from .types.messages.receipt import Receipt
from .types.queue_stats import QueueStats
from .types.transaction import Transaction

__all__ = [
    "NULL",
    "Claim",
    "Compared",
    "Ended",
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
