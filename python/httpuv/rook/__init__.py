"""Rook applications: their types, requests, WebSockets, and the functions of the manual."""
