"""The database file and its folder: where it may lie, and how much room there is."""
