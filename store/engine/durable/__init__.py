"""The contract for what handlers remember, wait for and share."""
