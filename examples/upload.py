"""Uploads: a client without permission is refused before its body is read.

curl -T some-file -H "X-Token: let me in" http://127.0.0.1:8080/
"""

import hashlib
import hmac
import sys

import httpuv

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
TOKEN = "let me in"


class Uploads:
    """An object with the methods of an application is one."""

    def onHeaders(self, req: httpuv.Request) -> "httpuv.Response | None":
        """Only the head has come. None goes on; an answer ends it."""
        if hmac.compare_digest(req["HEADERS"].get("X-Token", ""), TOKEN):
            return None
        return {"status": 403, "body": "a token is needed\n"}

    def call(self, req: httpuv.Request) -> httpuv.Response:
        """The body is complete; a large one is in a file and need not fit into memory."""
        sha = hashlib.sha256()
        size = 0
        while piece := req["rook.input"].read(1 << 20):
            sha.update(piece)
            size += len(piece)
        return {"status": 200, "body": f"{size} bytes, SHA-256 {sha.hexdigest()}\n"}


# What is larger is refused as well, whether it says so in its head or not.
limits = httpuv.Limits(max_body_bytes=100_000_000)
try:
    with httpuv.startServer("127.0.0.1", PORT, Uploads(), limits=limits) as server:
        print(f"http://127.0.0.1:{server.getPort()}/  (Ctrl-C ends it)", flush=True)
        httpuv.service(0)
except KeyboardInterrupt:
    pass
