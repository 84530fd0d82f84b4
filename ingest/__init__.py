"""The receiver: lets signed webhooks in, once each."""

from .app import App

__all__ = ["App"]
