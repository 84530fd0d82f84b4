"""The supervisor: it starts and ends processes, renews their leases, and scales the pool."""
