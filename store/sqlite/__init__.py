"""The store on SQLite: the only folder that knows it."""
