"""The supervisor: starts, sizes, renews and stops."""
