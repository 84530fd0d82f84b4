"""fencepost keys and leases: keyed state and named leases."""
