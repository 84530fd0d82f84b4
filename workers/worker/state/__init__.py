"""The state of the process, which handlers may change and messages do not share."""
