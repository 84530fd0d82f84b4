"""Sending webhooks: what is connected to, what comes back, and what follows."""
