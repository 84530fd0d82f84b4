"""Rows that several parts write in their own transactions."""
