"""Receive webhooks, store each of them once, and run your functions on them in worker processes."""

from . import _interrupt  # noqa: F401 - before what takes its time
from .ingest import Answer
from .app import App
from .store import NULL, Claim, Compared, Ended, Entry, Keyed, Lease, Message, Namespace, Observed, Once, Outcome, Quarantined, Queue, QueueStats, Receipt, Store, Transaction, connect
from .store.errors import FencepostError, ForkedStore, ImportFailed, InvalidInput, KeyConflict, LeaseHeld, LeaseLost, LimitExceeded, OutcomeUnknown, QueueFull, SchemaUnsupported, SqlError, StoreBusy, StoreCorrupt, StoreFailed, StoreFull, StoreInUse, StoreOpenFailed, Unsupported
from .app import Cancelled, Context, Discard, Retry, SoftTimeout, StepChanged, Suspended, WaitTimeout

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "App",
    "Cancelled",
    "Claim",
    "Compared",
    "Context",
    "Discard",
    "Ended",
    "Entry",
    "FencepostError",
    "ForkedStore",
    "ImportFailed",
    "InvalidInput",
    "KeyConflict",
    "Keyed",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "LimitExceeded",
    "Message",
    "NULL",
    "Namespace",
    "Observed",
    "Once",
    "Outcome",
    "OutcomeUnknown",
    "Quarantined",
    "Queue",
    "QueueFull",
    "QueueStats",
    "Receipt",
    "Retry",
    "SchemaUnsupported",
    "SoftTimeout",
    "SqlError",
    "StepChanged",
    "Store",
    "StoreBusy",
    "StoreCorrupt",
    "StoreFailed",
    "StoreFull",
    "StoreInUse",
    "StoreOpenFailed",
    "Suspended",
    "Transaction",
    "Unsupported",
    "WaitTimeout",
    "__version__",
    "connect",
]
