"""Servers: their classes, the functions that start and stop them, and their statistics."""
