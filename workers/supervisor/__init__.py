"""The supervisor: how many workers there are, their leases and their ends."""
