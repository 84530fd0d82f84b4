"""fencepost bench and stress: this machine and disk."""
