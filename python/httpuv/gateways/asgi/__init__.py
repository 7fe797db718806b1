"""The ASGI gateway: what an application gets from the core, and its answers."""
