"""The scenarios that run on every engine; an engine's own are in its folder."""
