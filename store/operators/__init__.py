"""The store's methods for operators."""
