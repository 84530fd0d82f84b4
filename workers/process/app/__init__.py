"""The process that has imported the app, and which version of its code that is."""
