"""Files and an API in one server.

Everything below "/" is a file that C++ sends, also while Python is busy; "/api" is Python's.
"""

import json
import sys
import time

import httpuv

ROOT = sys.argv[1] if len(sys.argv) > 1 else "."
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 8080


def api(req: httpuv.Request) -> httpuv.Response:
    """What is not a file."""
    answer = {"path": req["PATH_INFO"], "time": time.time()}
    return {
        "status": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(answer),
    }


app = {
    "call": api,
    "staticPaths": {
        "/": httpuv.staticPath(ROOT, listing=True),
        "/api": httpuv.excludeStaticPath(),
    },
    "staticPathOptions": httpuv.staticPathOptions(headers={"Cache-Control": "no-cache"}),
}

try:
    with httpuv.startServer("127.0.0.1", PORT, app) as server:
        print(f"http://127.0.0.1:{server.getPort()}/  (Ctrl-C ends it)", flush=True)
        httpuv.service(0)
except KeyboardInterrupt:
    pass
