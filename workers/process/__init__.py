"""The processes of a pool: how they are forked, what they run, and how they are replaced."""
