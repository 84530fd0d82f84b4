"""The receiver: lets signed webhooks in, once each."""

from .answer import Answer
from .app import App

__all__ = ["Answer", "App"]
