"""Real worker pools for scenarios: `fencepost work`, and the app that it runs."""
