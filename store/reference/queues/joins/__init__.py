"""Groups: deliveries of one lane that are handed over in one call."""
