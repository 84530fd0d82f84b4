"""The signature schemes, one file per provider."""
