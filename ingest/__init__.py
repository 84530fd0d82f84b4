"""The receiver: checks signed webhooks and stores each once."""

from .answer import Answer

__all__ = ["Answer"]
