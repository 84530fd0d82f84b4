"""The harness: what judges must itself be judged."""
