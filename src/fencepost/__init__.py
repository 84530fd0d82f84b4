"""Webhooks handled once: a durable inbox, fenced leases, a pool of worker processes."""

from . import _interrupt  # noqa: F401 - before what takes its time
from .ingest import App
from .store import Claim, Message, Outcome, Queue, QueueStats, Receipt, Store, Transaction, connect
from .store.errors import (
    FencepostError,
    ForkedStore,
    InvalidInput,
    LeaseLost,
    LimitExceeded,
    OutcomeUnknown,
    QueueFull,
    SchemaUnsupported,
    SqlError,
    StoreBusy,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
    StoreOpenFailed,
)
from .workers import Context, Discard, Retry

__all__ = [
    "App",
    "Claim",
    "Context",
    "Discard",
    "FencepostError",
    "ForkedStore",
    "InvalidInput",
    "LeaseLost",
    "LimitExceeded",
    "Message",
    "Outcome",
    "OutcomeUnknown",
    "Queue",
    "QueueFull",
    "QueueStats",
    "Receipt",
    "Retry",
    "SchemaUnsupported",
    "SqlError",
    "Store",
    "StoreBusy",
    "StoreCorrupt",
    "StoreFailed",
    "StoreFull",
    "StoreOpenFailed",
    "Transaction",
    "connect",
]
