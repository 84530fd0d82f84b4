"""The commands that check, clean, copy and upgrade a store."""
