"""The contract for what operators see and change."""
