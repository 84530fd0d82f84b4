"""Signature schemes: who sent a request, and which message it is."""

from .registry import SCHEMES, Options, SchemeName, build
from .scheme import Scheme, key_rule

__all__ = ["SCHEMES", "Options", "Scheme", "SchemeName", "build", "key_rule"]
