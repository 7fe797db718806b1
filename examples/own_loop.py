"""A program that works and answers requests in between, and a timer."""

import sys
import time

import httpuv

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
done = 0


def progress(req: httpuv.Request) -> httpuv.Response:
    """How far the work is."""
    return {"status": 200, "headers": {"Content-Type": "text/plain"}, "body": f"{done} steps\n"}


def report() -> None:
    """Every two seconds, in between as well."""
    print(f"{done} steps", flush=True)
    httpuv.later(report, 2)


try:
    with httpuv.startServer("127.0.0.1", PORT, progress) as server:
        print(f"http://127.0.0.1:{server.getPort()}/  (Ctrl-C ends it)", flush=True)
        httpuv.later(report, 2)
        while True:
            time.sleep(0.05)  # a step of the work
            done += 1
            httpuv.service(None)  # what has come in meanwhile
except KeyboardInterrupt:
    pass
