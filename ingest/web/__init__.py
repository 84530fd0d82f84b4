"""HTTP: ASGI and WSGI applications, and the receiver's own server."""
