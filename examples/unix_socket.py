"""A server that only its owner can reach, on a Unix socket.

curl --unix-socket /tmp/httpuv-example http://localhost/
"""

import os
import sys

import httpuv

NAME = sys.argv[1] if len(sys.argv) > 1 else "/tmp/httpuv-example"


def who(req: httpuv.Request) -> httpuv.Response:
    """Name the process that answers."""
    return {"status": 200, "body": f"process {os.getpid()} on {NAME}\n"}


# 0o177: only the owner may read and write.
try:
    with httpuv.startPipeServer(NAME, 0o177, who) as server:
        print(f"{server.getName()}  (Ctrl-C ends it)", flush=True)
        httpuv.service(0)
except KeyboardInterrupt:
    pass
