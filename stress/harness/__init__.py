"""Runs scenarios in processes of their own: forkserver, children, runs, what a scenario is."""
