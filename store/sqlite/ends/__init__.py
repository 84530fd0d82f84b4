"""The ends of messages: who waits for them, and what has become of them."""
