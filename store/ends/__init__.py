"""Waiting until messages have ended."""
