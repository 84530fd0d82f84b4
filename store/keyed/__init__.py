"""Keyed state: JSON values under keys, in namespaces."""

from .namespace import NULL, Keyed

__all__ = ["NULL", "Keyed"]
