"""Dispatchers: they decide which thread runs the callbacks, and when."""
