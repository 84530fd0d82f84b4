"""What operators see and change of a plain store."""
