"""httpuv through its public interface.

--mode  service (the default): callbacks run in `while True: service()`, which returns once a
            second
        forever: callbacks run in service(0), as in runServer()
        thread, asyncio, uvloop: another dispatcher runs them
        async-def, uvloop-async-def: as service and uvloop, but the callback is an `async def`
        send-loop: as service, but a broadcast is a loop over send()
        io-threads, log, metrics: as service, with two I/O threads, an access log in a file, or
            metrics

Exit status 3: this build does not offer what the mode or a route needs.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import busy
import common
import httpuv

NOT_OFFERED = 3
TEXT = {"Content-Type": "text/plain"}


def call(request: dict[str, Any]) -> Any:
    path = request["PATH_INFO"]
    if path == "/":  # first: it is asked for most
        return {"status": 200, "headers": TEXT, "body": common.HELLO}
    if path == "/block":
        how = request["QUERY_STRING"].removeprefix("?")
        if how == "thread":  # another one spins: nothing keeps this one from answering others
            return blocking.submit(block, "spin")
        return block(how)
    if path == "/stream":
        return {"status": 200, "headers": TEXT, "body": common.stream()}
    if path == "/stream64k":
        return {"status": 200, "headers": TEXT, "body": common.large_stream()}
    if path == "/body":
        return {"status": 200, "headers": TEXT, "body": common.BODY}
    return {"status": 200, "headers": TEXT, "body": common.HELLO}


blocking = ThreadPoolExecutor(1)


def block(how: str) -> dict[str, Any]:
    busy.block(how)
    return {"status": 200, "headers": TEXT, "body": common.HELLO}


async def async_call(request: dict[str, Any]) -> Any:
    return call(request)


#: What a mode adds to startServer().
OPTIONS: dict[str, dict[str, Any]] = {
    "io-threads": {"ioThreads": 2},
    "log": {"accessLog": "combined"},
    "metrics": {"metrics": "/metrics"},
}


class Sockets:
    """The WebSocket routes."""

    def __init__(self, publishes: bool) -> None:
        self.publishes = publishes
        self.server: Any = None
        self.all: set[Any] = set()

    def opened(self, ws: Any) -> None:
        if ws.request["PATH_INFO"] != "/broadcast":
            ws.onMessage(lambda binary, message: ws.send(message))
        elif self.publishes:
            ws.subscribe("all")
            ws.onMessage(lambda binary, message: self.server.publish("all", message))
        else:
            self.all.add(ws)
            ws.onClose(lambda: self.all.discard(ws))
            ws.onMessage(lambda binary, message: self.send_to_all(message))

    def send_to_all(self, message: str | bytes) -> None:
        for ws in self.all:
            ws.send(message)


def start(arguments: Any, dispatch: str | None) -> Any:
    sockets = Sockets(publishes=arguments.mode != "send-loop")
    app: dict[str, Any] = {
        "call": async_call if arguments.mode.endswith("async-def") else call,
        "onWSOpen": sockets.opened,
    }
    if arguments.root:
        app["staticPaths"] = {"/static": arguments.root}
    options: dict[str, Any] = {}
    if "dispatch" in inspect.signature(httpuv.startServer).parameters:
        options["dispatch"] = dispatch or "service"
    elif dispatch is not None or arguments.mode.endswith("async-def"):
        print("this build has no dispatchers to choose from", file=sys.stderr)
        sys.exit(NOT_OFFERED)
    options.update(OPTIONS.get(arguments.mode, {}))
    if arguments.mode == "log":
        options["accessLogFile"] = f"{arguments.temp}/access.log"
    if arguments.tls:
        if not hasattr(httpuv, "TLS"):
            print("this build has no TLS", file=sys.stderr)
            sys.exit(NOT_OFFERED)
        options["tls"] = httpuv.TLS(f"{arguments.tls}/cert.pem", f"{arguments.tls}/key.pem")
    sockets.server = httpuv.startServer("127.0.0.1", arguments.port, app, **options)
    return sockets.server


async def run_asyncio(arguments: Any) -> None:
    start(arguments, "asyncio")
    await asyncio.Event().wait()


def main() -> None:
    arguments = common.arguments()
    busy.occupy(arguments.busy)
    if arguments.mode.startswith("uvloop"):
        import uvloop

        uvloop.run(run_asyncio(arguments))
    elif arguments.mode == "asyncio":
        asyncio.run(run_asyncio(arguments))
    elif arguments.mode == "thread":
        start(arguments, "thread")
        threading.Event().wait()
    elif arguments.mode == "forever":
        start(arguments, None)
        httpuv.service(0)
    else:
        start(arguments, None)
        while True:
            httpuv.service()


if __name__ == "__main__":
    main()
