"""Durable handlers under kills: their app, what they note, who answers them, and the judge."""
