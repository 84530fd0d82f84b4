"""Named leases and two-phase claims of keys on SQLite."""
