"""What follows a failure: retry, dead letter, blame for a crash, a host that is left alone."""
