"""How long a file takes while C code holds the GIL: one curve for each server.

    python benchmarks/blocked.py [--servers httpuv uvicorn aiohttp] [--output blocked.json]

A client asks for a small file a hundred times a second, on a connection for each request. After two
seconds one request has C code hold the GIL for three seconds. What the file takes meanwhile is
written to benchmarks/results/blocked.json, which plots.py draws. All servers are one process. They
run in the interpreter that runs this, if the package is installed there or in benchmarks/.venv.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measure import environment
from measure.servers import HOST, free_ports

RESULTS = Path(__file__).parent / "results"
FILE = "file.txt"
BEFORE, BLOCKED, AFTER = 2.0, 3.0, 2.0  # seconds
EVERY = 0.01


def block() -> None:
    """Hold the GIL, as C extensions do that compute without releasing it."""
    ctypes.PyDLL(None).usleep(int(1e6 * BLOCKED))  # PyDLL keeps the GIL while it calls


# ---- the servers: "/file.txt" is a file, "/block" blocks ----


def serve_httpuv(port: int, folder: str) -> None:
    import httpuv

    def call(req: dict[str, Any]) -> dict[str, Any]:
        block()
        return {"status": 200, "body": "done"}

    paths = {"/": httpuv.staticPath(folder, fallthrough=True)}
    httpuv.runServer(HOST, port, {"call": call, "staticPaths": paths}, quiet=True)


def serve_uvicorn(port: int, folder: str) -> None:
    import uvicorn

    content = Path(folder, FILE).read_bytes()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/block":
            block()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": content})

    uvicorn.run(app, host=HOST, port=port, log_level="error", lifespan="off")


def serve_aiohttp(port: int, folder: str) -> None:
    from aiohttp import web

    async def blocking(request: Any) -> Any:
        block()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/block", blocking)
    app.router.add_static("/", folder)
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


SERVERS = {"httpuv": serve_httpuv, "uvicorn": serve_uvicorn, "aiohttp": serve_aiohttp}


# ---- the client ----


def ask(port: int, path: str) -> None:
    """One request on a separate connection.

    Raises:
        OSError: The answer is not 200, or does not come.
    """
    with socket.create_connection((HOST, port), 30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"{path}: {answer[:60]!r}")


def curve(port: int) -> list[tuple[float, float]]:
    """Seconds since the beginning, and milliseconds that the file took."""
    points: list[tuple[float, float]] = []
    lock = threading.Lock()
    begin = time.monotonic()

    def one(due: float) -> None:
        ask(port, f"/{FILE}")
        with lock:
            points.append((due, 1000 * (time.monotonic() - begin - due)))

    blocker = threading.Timer(BEFORE, ask, (port, "/block"))
    blocker.start()
    with ThreadPoolExecutor(500) as pool:
        futures = []
        for number in range(round((BEFORE + BLOCKED + AFTER) / EVERY)):
            due = number * EVERY
            time.sleep(max(0.0, begin + due - time.monotonic()))
            futures.append(pool.submit(one, due))
        for future in futures:
            future.result()
    blocker.join()
    return sorted(points)


def python_with(package: str) -> str | None:
    """An interpreter that has the package."""
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    probe = [str(environment.PYTHON), "-c", f"import {package}"]
    if (
        environment.PYTHON.exists()
        and subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0
    ):
        return str(environment.PYTHON)
    return None


def measure(name: str, python: str) -> list[tuple[float, float]]:
    """Start a server, ask it, end it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FILE).write_text("x" * 1024)
        port = free_ports(1)[0]
        command = [python, __file__, "--serve", name, str(port), folder]
        with subprocess.Popen(command) as server:
            try:
                for _ in range(200):
                    try:
                        ask(port, f"/{FILE}")
                        break
                    except ConnectionRefusedError:
                        time.sleep(0.05)
                return curve(port)
            finally:
                server.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--output", type=Path, default=RESULTS / "blocked.json")
    parser.add_argument(
        "--serve", nargs=3, metavar=("NAME", "PORT", "FOLDER"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.serve:
        name, port, folder = arguments.serve
        SERVERS[name](int(port), folder)
        return 0
    curves = {}
    for name in arguments.servers:
        python = python_with(name)
        if python is None:
            print(f"{name} is not installed, so left out")
            continue
        curves[name] = measure(name, python)
        during = [ms for at, ms in curves[name] if BEFORE + 0.1 < at < BEFORE + BLOCKED - 0.1]
        print(f"{name:10} median while blocked {statistics.median(during):8.1f} ms", flush=True)
    facts = environment.facts(environment.peer_versions())
    facts["blocked"] = [BEFORE, BEFORE + BLOCKED]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({"facts": facts, "curves": curves}) + "\n")
    print(arguments.output)
    return 0


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main())
