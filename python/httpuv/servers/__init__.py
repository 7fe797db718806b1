"""Servers: their classes, the functions that start and stop them, and what they tell."""
