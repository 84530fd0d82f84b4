"""The database file: its path, permissions, identity, schema and free space."""
