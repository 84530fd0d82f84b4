"""Both sides of a webhook: an app that sends, and a receiver that misbehaves."""
