"""What an ASGI application gets from the core, and its answers to it."""
