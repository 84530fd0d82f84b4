"""The receiver: lets signed webhooks in, once each."""

from .answer import Answer

__all__ = ["Answer"]
