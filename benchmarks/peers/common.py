"""What every server here answers, so that all are asked for the same work.

GET /             12 bytes, text/plain
GET /static/...   the folder --root, where the server can serve files
GET /stream       100 pieces of 1 KiB, produced one by one
GET /ws           WebSocket: each message comes back as it was sent
GET /broadcast    WebSocket: each message of one client goes to all of them
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

HELLO = b"Hello world!"
PIECE = b"x" * 1024
PIECES = 100


def stream() -> Iterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


def arguments() -> argparse.Namespace:
    """--port and --root, and --mode for servers that speak several interfaces."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", default="")
    parser.add_argument("--mode", default="")
    parser.add_argument("--busy", choices=("", "spin", "hold"), default="")
    return parser.parse_args()
