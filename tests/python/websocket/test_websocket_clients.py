"""Real clients: websockets, aiohttp, and node's own."""

from __future__ import annotations

import asyncio
import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import httpuv
import pytest
import websockets.asyncio.client
import websockets.sync.client
from conftest import Serve
from support import PATIENCE
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from ws_support import Watch, echo

MIB = 1 << 20


def url(server: httpuv.WebServer, path: str = "/") -> str:
    return f"ws://127.0.0.1:{server.getPort()}{path}"


def bounded(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test for a limited time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 2 * PATIENCE))

    return run


# --- websockets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "deflate",
    [
        None,
        ClientPerMessageDeflateFactory(),
        ClientPerMessageDeflateFactory(client_max_window_bits=True),
        ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
        ClientPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True
        ),
    ],
    ids=["plain", "deflate", "client window", "small windows", "no takeover"],
)
def test_websockets(serve: Serve, deflate: ClientPerMessageDeflateFactory | None) -> None:
    server = serve({"onWSOpen": echo}, wsCompression="always")
    with websockets.sync.client.connect(
        url(server),
        max_size=None,
        compression=None,
        extensions=[deflate] if deflate else None,
    ) as client:
        assert bool(client.protocol.extensions) == bool(deflate)
        text = "Zwölf Boxkämpfer jagen Viktor. " * 50
        messages = ["", b"", "ä", b"\0\xff", text, text.encode(), text * 100, bytes(MIB), "x" * MIB]
        for message in messages * 2:
            client.send(message)
            assert client.recv() == message
        client.send(["in ", "three ", "fragments"])
        assert client.recv() == "in three fragments"
        assert client.ping().wait(PATIENCE)
        client.close(3456, "done")
        assert (client.close_code, client.close_reason) == (3456, "")


def test_websockets_closed_by_the_server(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with websockets.sync.client.connect(url(server)) as client:
        watch.opened().ws.close(4321, "go away")
        with pytest.raises(ConnectionClosed):
            client.recv()
        assert (client.close_code, client.close_reason) == (4321, "go away")


def test_websockets_subprotocol_and_refusal(serve: Serve) -> None:
    def on_headers(req: dict[str, Any]) -> dict[str, Any] | None:
        return None if req["PATH_INFO"] == "/" else {"status": 402, "body": "pay first"}

    server = serve({"onHeaders": on_headers, "onWSOpen": echo}, wsProtocols=["b", "a"])
    with websockets.sync.client.connect(url(server), subprotocols=["a", "b"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "a"
    with pytest.raises(InvalidStatus) as caught:
        websockets.sync.client.connect(url(server, "/other"))
    assert caught.value.response.status_code == 402
    assert caught.value.response.body == b"pay first"


@bounded
async def test_many_websockets_clients(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})

    async def talk(name: int) -> None:
        async with websockets.asyncio.client.connect(url(server)) as client:
            for number in range(20):
                await client.send(f"{name} {number}")
            for number in range(20):
                assert await client.recv() == f"{name} {number}"
        with pytest.raises(ConnectionClosedOK):
            await client.recv()

    await asyncio.gather(*(talk(name) for name in range(100)))


# --- aiohttp ------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [0, 9, 15])
def test_aiohttp(serve: Serve, compress: int) -> None:
    server = serve({"onWSOpen": echo}, wsCompression="always", wsProtocols=["chat"])

    @bounded
    async def talk() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                url(server), compress=compress, protocols=["chat"], max_msg_size=0
            ) as client,
        ):
            assert client.protocol == "chat"
            assert bool(client.compress) == bool(compress)
            for size in (0, 1, 2000, 200_000, MIB):
                await client.send_str("ä" * size)
                assert await client.receive_str() == "ä" * size
                await client.send_bytes(bytes(size))
                assert await client.receive_bytes() == bytes(size)
            await client.ping(b"x")
            await client.close(code=4002, message=b"bye")
            assert client.close_code == 4002

    talk()


@bounded
async def test_aiohttp_is_refused(serve: Serve) -> None:
    server = serve({"call": lambda req: {"status": 404, "body": "no sockets"}})
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url(server))
        assert caught.value.status == 404


# --- node ---------------------------------------------------------------------------------------

NODE = """
const socket = new WebSocket(process.argv[1], ["chat"]);
socket.binaryType = "arraybuffer";
const messages = ["text ✓", "x".repeat(100000), new Uint8Array([0, 255]), new Uint8Array(300000)];
const lines = [];
socket.onopen = () => {
  lines.push(`open ${socket.protocol}`);
  for (const message of messages) socket.send(message);
};
let received = 0;
socket.onmessage = ({ data }) => {
  const sent = messages[received++];
  const same = typeof sent === "string"
    ? data === sent
    : Buffer.compare(Buffer.from(data), Buffer.from(sent)) === 0;
  lines.push(`message ${same}`);
  if (received === messages.length) socket.close(3210, "thanks");
};
socket.onerror = () => lines.push("error");
socket.onclose = ({ code, wasClean }) => {
  console.log([...lines, `close ${code} ${wasClean}`].join("\\n"));
};
"""


def node_with_websocket() -> list[str] | None:
    """How to run a node that has WebSocket, if there is one."""
    node = shutil.which("node")
    if node is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    found = re.match(r"v(\d+)", version)
    if found is None or int(found[1]) < 20:
        return None
    return [node] if int(found[1]) >= 22 else [node, "--experimental-websocket"]


@pytest.mark.skipif(node_with_websocket() is None, reason="needs node 20 or later")
def test_node(serve: Serve) -> None:
    watch = Watch(echo=True)
    server = serve({"onWSOpen": watch}, wsCompression="always", wsProtocols=["chat"])
    command = node_with_websocket()
    assert command is not None
    result = subprocess.run(
        [*command, "--no-warnings", "-e", NODE, url(server)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n") == ["open chat", *["message true"] * 4, "close 3210 true", ""]
    assert watch.opened().until("close") == ("close", 3210, "thanks", True)
