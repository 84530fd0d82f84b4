"""The machine under a run: its clocks, namespaces and speed."""
