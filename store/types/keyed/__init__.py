"""Values of keyed state."""
