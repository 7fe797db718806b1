"""What programs do with uvicorn's Config and Server, done with ours."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpuv.asgi as uvicorn
import pytest
from asgi_support import Message, answer, without_lifespan
from programs import ends_well, script
from support import PATIENCE


@without_lifespan
async def app(scope: Message, receive: Any, send: Any) -> None:
    await answer(send, b"ok " + scope["root_path"].encode())


def get(address: Any) -> bytes:
    connection = http.client.HTTPConnection(*address[:2], timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


class ThreadServer(uvicorn.Server):
    """As Gradio derives its own: run in a thread, without signal handlers, closed from outside."""

    def install_signal_handlers(self) -> None:
        pass

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def run_in_thread(self) -> None:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + PATIENCE
        while not self.started:
            assert self.thread.is_alive() and time.monotonic() < until
            time.sleep(1e-3)

    def close(self) -> None:
        self.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def test_a_derived_server_in_a_thread() -> None:
    config = uvicorn.Config(
        app=app,
        port=0,
        host="127.0.0.1",
        log_level="warning",
        ssl_keyfile=None,
        ssl_certfile=None,
        ssl_keyfile_password=None,
        loop="asyncio",
        ws_max_size=1 << 20,
        root_path="/under",
    )
    server = ThreadServer(config)
    server.run_in_thread()
    assert get(server.servers[0].sockets[0].getsockname()) == b"ok /under"
    server.close()


def test_the_steps_one_by_one() -> None:
    """As Streamlit does it: a separate socket, then startup(), main_loop() and shutdown()."""

    async def main() -> None:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="info", ws="auto", timeout_keep_alive=5)
        server = uvicorn.Server(config)
        if not config.loaded:
            config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[bound])
        assert server.started and not server.should_exit
        loop = asyncio.create_task(server.main_loop())
        assert await asyncio.to_thread(get, bound.getsockname()) == b"ok "
        server.should_exit = True
        await asyncio.wait_for(loop, PATIENCE)
        await server.shutdown(sockets=[bound])

    asyncio.run(main())


def test_run_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a command line does it: the name of an application, and options that change nothing."""
    module = tmp_path / "named_app.py"
    module.write_text(
        "import os, signal, threading\n"
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        await receive()\n"
        "        await send({'type': 'lifespan.startup.failed', 'message': 'named'})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(uvicorn.LifespanError, match="named"):
        uvicorn.run(
            app="named_app:app",
            host="127.0.0.1",
            port=0,
            reload=False,
            workers=None,
            root_path="",
            proxy_headers=True,
            log_config=None,
        )
    sys.modules.pop("named_app")
    for wrong in ("named_app", "named_app:nothing", "no_such_module:app"):
        with pytest.raises((ImportError, AttributeError)):
            uvicorn.run(wrong, port=0)


def test_a_wsgi_application_is_refused() -> None:
    def wsgi(environ: Any, start_response: Any) -> Any: ...

    with pytest.raises(TypeError, match=r"httpuv\.wsgi\.run"):
        uvicorn.run(wsgi, port=0)


@pytest.mark.parametrize("run", ["server.run()", "asyncio.run(server.serve())"])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_server_that_has_nothing_to_do(run: str, number: str) -> None:
    code = f"""
    import asyncio
    from httpuv import asgi
    async def app(scope, receive, send):
        raise AssertionError
    class Told(asgi.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            say("ready")
    config = asgi.Config(app, port=0, lifespan="off", handle_signals=True)
    server = Told(config)
    {run}
    say(server.should_exit)
    """
    with script(code) as child:
        child.line()
        threading.Event().wait(0.3)  # it sleeps
        os.kill(child.pid, getattr(signal, number))
        assert child.line() == "True"
        ends_well(child)


def test_a_server_that_is_stopped_ends_main_loop() -> None:
    async def main() -> None:
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off"))
        await server.startup()
        assert server.server is not None
        loop = asyncio.create_task(server.main_loop())
        await asyncio.to_thread(server.server.stop)
        await asyncio.wait_for(loop, PATIENCE)
        await server.main_loop()  # it ends at once where nothing runs any more
        await server.shutdown()

    asyncio.run(main())
