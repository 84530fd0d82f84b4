"""HTTP around the app: requests as ASGI and WSGI have them, and a server of its own."""
