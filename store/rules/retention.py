"""Retention: how long rows are kept. Each default is defined here."""

from __future__ import annotations

DAY_MS = 86_400_000

# A dedupe key, after its message's work has ended. Longer than the longest automatic and manual
# redelivery of any provider known (PayPal resends by hand after its 3 days; Stripe's CLI resends
# for 30 days). A scheme that knows its provider has a number of its own: `keep_ms`.
DEFAULT_KEEP_MS = 35 * DAY_MS

# The body of a message whose deliveries are all done.
DEFAULT_KEEP_BODY_MS = 0

# The result of `Store.once` and `Store.idempotent`, after its completion.
DEFAULT_KEEP_RESULT_MS = 1 * DAY_MS

# A lease, or a claim of a key, whose time is over: its holder is told that it expired, not that
# it never was, and may still complete the key if no other process has claimed it.
KEEP_EXPIRED_MS = 1 * DAY_MS

# Events of worker processes: so many, the newest.
MOST_EVENTS = 10_000
