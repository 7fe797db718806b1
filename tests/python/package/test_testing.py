"""Clients for tests of applications."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpuv
import httpuv.testing
import httpx
import pytest
from support import PATIENCE


def call(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": req["PATH_INFO"]}


def opened(ws: httpuv.WebSocket) -> None:
    ws.onMessage(lambda binary, message: ws.send(f"{ws.protocol} {message}"))


@pytest.fixture
def client() -> Iterator[httpuv.testing.Client]:
    with httpuv.testing.client({"call": call, "onWSOpen": opened}, wsProtocols=["a"]) as client:
        yield client


def test_as_a_fixture(client: httpuv.testing.Client) -> None:
    assert isinstance(client, httpx.Client)
    answer = client.get("/x")
    assert (answer.status_code, answer.text) == (200, "/x")
    client.server.app = lambda req: {"status": 204}
    assert client.get("/").status_code == 204


def test_a_websocket(client: httpuv.testing.Client) -> None:
    with client.websocket("/?a=1", subprotocols=["b", "a"]) as ws:
        ws.send("hello")
        assert ws.recv(PATIENCE) == "a hello"


@pytest.mark.parametrize("by", ["with", "close"])
def test_the_server_ends_with_its_client(by: str) -> None:
    client = httpuv.testing.client(call)
    if by == "close":
        client.close()
    else:
        with client:
            assert client.server.isRunning()
    assert not client.server.isRunning()
    assert httpuv.listServers() == []


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with httpuv.testing.client(call) as client:
        assert client.get("/").status_code == 200


def test_asynchronous() -> None:
    async def respond(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": str(id(asyncio.get_running_loop()))}

    async def main() -> None:
        app = {"call": respond, "onWSOpen": opened}
        async with httpuv.testing.async_client(app) as client:
            here = str(id(asyncio.get_running_loop()))
            assert (await client.get("/")).text == here
            async with client.websocket("/") as ws:
                await ws.send("hello")
                assert await asyncio.wait_for(ws.recv(), PATIENCE) == " hello"
        assert not client.server.isRunning()
        other = httpuv.testing.async_client(app)
        await other.aclose()
        assert not other.server.isRunning()

    asyncio.run(main())


def test_wrong_arguments_are_those_of_start_server() -> None:
    with pytest.raises(TypeError, match="mimeTypes"):
        httpuv.testing.client(call, mimetypes={})  # type: ignore[call-arg]
    assert httpuv.listServers() == []


def test_the_package_does_not_need_it() -> None:
    code = "import sys, httpuv; assert 'httpx' not in sys.modules; print(httpuv.testing.client)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "function client" in out.stdout


def test_another_dispatch_may_be_chosen() -> None:
    with httpuv.testing.client(call, dispatch=2) as client:
        assert client.get("/").status_code == 200
