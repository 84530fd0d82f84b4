"""Sending: outgoing webhooks, from `ctx.send` to the answer of the other side."""
