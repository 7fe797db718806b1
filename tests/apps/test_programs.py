"""Programs that are started by their own means and show a page that updates by itself: NiceGUI,
Streamlit and Gradio in Chromium, the command of FastAPI, an MCP server.

Each runs in a separate process, as_uvicorn.py: what it takes of uvicorn is httpuv's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpuv
import httpx
import pytest
from conftest import PATIENCE

#: Seconds that a program may take to end: streams and sockets of open pages do not keep it.
GRACE = 8.0
HERE = Path(__file__).parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def program(folder: Path, port: int, *arguments: str, at: str = "/") -> Iterator[str]:
    """Run a program by as_uvicorn.py until the end of the block; its address, once it answers."""
    log = folder / "log.txt"
    environment = {
        # Some behave otherwise within a test.
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(folder),
        "PYTHONPATH": str(Path(httpuv.__file__).parents[1]),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "as_uvicorn.py"), *arguments],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 2 * PATIENCE
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(url + at, timeout=PATIENCE, trust_env=False)
                assert "server" not in answer.headers  # uvicorn has that
                break
            time.sleep(0.05)
        yield url
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGINT)
        process.wait(GRACE)
    finally:
        process.kill()
        process.wait()
        print(log.read_text())


def wait_for(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it returns; on a thread without the loop that Playwright's has."""
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs the system's chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    # What a page wants of other hosts (fonts) fails at once, with or without a network.
    context.route(lambda url: "//127.0.0.1" not in url, lambda route: route.abort())
    yield context.new_page()
    context.close()


def test_nicegui(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("nicegui")
    port = free_port()
    (tmp_path / "main.py").write_text(
        "from nicegui import app, ui\n"
        "@ui.page('/')\n"
        "def index():\n"
        "    label = ui.label('clicked 0')\n"
        "    clicks = []\n"
        "    def click():\n"
        "        clicks.append(1)\n"
        "        label.set_text(f'clicked {len(clicks)}')\n"
        "    ui.button('more', on_click=click)\n"
        "    ticks = ui.label()\n"
        "    ui.timer(0.1, lambda: ticks.set_text('ticking'))\n"
        "@app.get('/api')\n"
        "def api():\n"
        "    return {'api': True}\n"
        f"ui.run(host='127.0.0.1', port={port}, show=False, reload=False)\n"
    )
    with program(tmp_path, port, "main.py") as url:
        page.goto(url)
        page.get_by_text("ticking").wait_for()
        for count in (1, 2, 3):
            page.get_by_role("button").click()
            page.get_by_text(f"clicked {count}").wait_for()
        assert httpx.get(url + "/api", trust_env=False).json() == {"api": True}


def test_streamlit(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("streamlit")
    port = free_port()
    (tmp_path / "app.py").write_text(
        "import streamlit as st\n"
        "st.session_state.setdefault('n', 0)\n"
        "if st.button('more'):\n"
        "    st.session_state.n += 1\n"
        "st.write(f'clicked {st.session_state.n}')\n"
        "name = st.text_input('name')\n"
        "st.write(f'hello {name}')\n"
    )
    options = ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    options += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    command = ["streamlit.web.cli:main", "run", "app.py", *options]
    with program(tmp_path, port, *command, at="/_stcore/health") as url:
        page.goto(url)
        page.get_by_text("clicked 0").wait_for()
        page.get_by_role("button", name="more").click()
        page.get_by_text("clicked 1").wait_for()
        page.get_by_label("name").fill("Ada")
        page.get_by_label("name").press("Enter")
        page.get_by_text("hello Ada").wait_for()


def test_gradio(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    port = free_port()
    (tmp_path / "app.py").write_text(
        "import time\n"
        "import gradio as gr\n"
        "def greet(name):\n"
        "    for number in range(3):\n"
        "        time.sleep(0.05)\n"
        "        yield f'{number} hello {name}'\n"
        "demo = gr.Interface(greet, gr.Textbox(label='who'), gr.Textbox(label='answer'))\n"
        f"demo.launch(server_name='127.0.0.1', server_port={port})\n"
    )
    with program(tmp_path, port, "app.py") as url:
        page.goto(url)
        page.get_by_label("who").fill("Ada")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_function(
            "[...document.querySelectorAll('textarea')].some(each => each.value == '2 hello Ada')"
        )


def test_fastapi_run(page: Any, tmp_path: Path) -> None:
    """The command ``fastapi run``; events by EventSource, messages by WebSocket, in a browser."""
    pytest.importorskip("fastapi_cli")
    port = free_port()
    (tmp_path / "main.py").write_text(
        "import asyncio\n"
        "from fastapi import FastAPI, WebSocket\n"
        "from fastapi.responses import HTMLResponse, StreamingResponse\n"
        "app = FastAPI()\n"
        "@app.get('/', response_class=HTMLResponse)\n"
        "def index():\n"
        "    return '<p id=events></p><p id=echo></p><script>'\\\n"
        "        'new EventSource(\"/events\").onmessage = e => events.textContent = e.data;'\\\n"
        "        'const ws = new WebSocket(`ws://${location.host}/ws`);'\\\n"
        "        'ws.onmessage = e => echo.textContent = e.data; ws.onopen = () => ws.send(1)'\\\n"
        "        '</script>'\n"
        "@app.get('/events')\n"
        "def events():\n"
        "    async def numbers():\n"
        "        for number in range(10_000):\n"
        "            yield f'data: event {number}\\n\\n'\n"
        "            await asyncio.sleep(0.02)\n"
        "    return StreamingResponse(numbers(), media_type='text/event-stream')\n"
        "@app.websocket('/ws')\n"
        "async def ws(socket: WebSocket):\n"
        "    await socket.accept()\n"
        "    while True:\n"
        "        await socket.send_text('echo ' + await socket.receive_text())\n"
    )
    command = ["fastapi_cli.cli:main", "run", "main.py", "--host", "127.0.0.1"]
    with program(tmp_path, port, *command, "--port", str(port)) as url:
        page.goto(url)
        page.get_by_text("echo 1").wait_for()
        page.get_by_text("event 3").wait_for()
        # The page stays open: its stream and its socket do not keep the process from ending.


def test_mcp(tmp_path: Path) -> None:
    """The streamable HTTP of the Model Context Protocol, by the client of its own package."""
    pytest.importorskip("mcp")
    port = free_port()
    (tmp_path / "server.py").write_text(
        "from mcp.server import MCPServer\n"
        "from mcp.server.mcpserver import Context\n"
        "server = MCPServer('adder')\n"
        "@server.tool()\n"
        "async def add(a: int, b: int, ctx: Context) -> int:\n"
        "    await ctx.report_progress(1, 2)\n"
        "    return a + b\n"
        "@server.resource('greeting://{name}')\n"
        "def greeting(name: str) -> str:\n"
        "    return f'Hello {name}'\n"
        f"server.run('streamable-http', host='127.0.0.1', port={port})\n"
    )

    async def ask(url: str) -> tuple[Any, Any, list[float]]:
        from mcp.client import Client

        progress: list[float] = []

        async def told(done: float, total: float | None, message: str | None) -> None:
            progress.append(done)

        async with Client(url + "/mcp") as client:
            tools = await client.list_tools()
            assert [tool.name for tool in tools.tools] == ["add"]
            result = await client.call_tool("add", {"a": 2, "b": 3}, progress_callback=told)
            text = await client.read_resource("greeting://Ada")
            return result.structured_content, text.contents[0].text, progress

    with program(tmp_path, port, "server.py", at="/mcp") as url:
        assert wait_for(ask(url)) == ({"result": 5}, "Hello Ada", [1])


def test_socketio_client(tmp_path: Path) -> None:
    """python-socketio by its own client: long polling, then WebSocket."""
    socketio = pytest.importorskip("socketio")
    pytest.importorskip("aiohttp")
    port = free_port()
    (tmp_path / "server.py").write_text(
        "import httpuv.asgi, socketio\n"
        "server = socketio.AsyncServer(async_mode='asgi')\n"
        "@server.event\n"
        "async def double(sid, value):\n"
        "    await server.emit('told', value, to=sid)\n"
        "    return value * 2\n"
        f"httpuv.asgi.run(socketio.ASGIApp(server), port={port})\n"
    )

    async def ask(url: str, transports: list[str]) -> tuple[Any, Any, str]:
        async with socketio.AsyncSimpleClient() as client:
            await client.connect(url, transports=transports)
            result = await client.call("double", 21)
            return result, await client.receive(PATIENCE), client.transport

    # Not by polling alone: that client waits half a minute for its last poll.
    with program(tmp_path, port, "server.py") as url:
        for transports in (["websocket"], ["polling", "websocket"]):
            assert wait_for(ask(url, transports)) == (42, ["told", 21], "websocket")
