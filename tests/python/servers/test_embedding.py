"""What a server has for notebooks and programs that embed it."""

import asyncio
import errno
import sys
import threading
import types
import webbrowser
from pathlib import Path
from typing import Any

import httpuv
import httpuv.dispatch.ipython
import pytest
from support import PATIENCE, address, fetch, request


def hello(req: dict) -> dict:
    return {"status": 200, "body": "hello"}


# --- where a browser finds it ---


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("0.0.0.0", "127.0.0.1")],
)
def test_url(host: str, shown: str) -> None:
    with httpuv.startServer(host, 0, {}) as server:
        assert server.url == f"http://{shown}:{server.getPort()}/"


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"VSCODE_PROXY_URI": "https://v.example/proxy/{{port}}/"}, "https://v.example/proxy/{}/"),
        (
            {"CODESPACE_NAME": "x-y", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.example"},
            "https://x-y-{}.app.example/",
        ),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/me/"}, "/user/me/proxy/{}/"),
        (
            {
                "JUPYTERHUB_SERVICE_PREFIX": "/user/me/",
                "JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/me/",
            },
            "https://hub.example/user/me/proxy/{}/",
        ),
    ],
)
def test_url_behind_a_proxy(
    environment: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with httpuv.startServer("127.0.0.1", 0, {}) as server:
        assert server.url == url.format(server.getPort())


def test_url_in_colab(monkeypatch: pytest.MonkeyPatch) -> None:
    def eval_js(code: str, timeout_sec: float) -> str:
        return f"https://colab.example/?{code}"

    output = types.SimpleNamespace(eval_js=eval_js)
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(output=output))
    with httpuv.startServer("127.0.0.1", 0, {}) as server:
        port = server.getPort()
        assert server.url == f"https://colab.example/?google.colab.kernel.proxyPort({port})"
        output.eval_js = None  # no answer comes
        assert server.url == f"http://127.0.0.1:{port}/"


def test_a_unix_socket_has_no_url(tmp_path: Path) -> None:
    with httpuv.startPipeServer(tmp_path / "<x>", None, {}) as server:
        assert not hasattr(server, "url")
        assert "&lt;x&gt;" in server._repr_html_()
        with pytest.raises(AttributeError, match="has no URL"):
            server.show()


def test_repr_html() -> None:
    with httpuv.startServer("127.0.0.1", 0, {}) as server:
        assert f'<a href="{server.url}"' in server._repr_html_()
        assert "running" in server._repr_html_()
    assert "<a " not in server._repr_html_()
    assert "stopped" in server._repr_html_()


def test_show(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with httpuv.startServer("127.0.0.1", 0, {}) as server:
        server.show()
        assert opened == [server.url]
        for height, kind in ((0, ValueError), ("5", TypeError)):
            with pytest.raises(kind, match="height"):
                server.show(height)  # type: ignore[arg-type]


def test_show_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display")
    shown: list[Any] = []
    monkeypatch.setattr(display, "display", shown.append)
    monkeypatch.setattr(httpuv.dispatch.ipython, "is_kernel", lambda: True)
    with httpuv.startServer("127.0.0.1", 0, {}, dispatch="thread") as server:
        server.show(height=200)
        frame = shown[0]._repr_html_()
        assert server.url in frame
        assert '"200"' in frame


# --- its life ---


def test_async_with() -> None:
    async def main() -> httpuv.WebServer:
        async with httpuv.startServer("127.0.0.1", 0, hello) as server:
            answer = await asyncio.to_thread(fetch, address(server), request())
            assert answer.body == b"hello"
        assert not server.isRunning()
        return server

    assert httpuv.listServers() == []
    asyncio.run(main())


@pytest.mark.parametrize("dispatch", ["service", "thread"])
def test_wait(dispatch: str) -> None:
    server = httpuv.startServer("127.0.0.1", 0, hello, dispatch=dispatch)
    assert server.wait(0) is False
    assert server.wait(0.01) is False

    def client() -> None:
        assert fetch(address(server), request()).body == b"hello"
        server.stop()

    thread = threading.Thread(target=client)
    thread.start()
    assert server.wait(PATIENCE) is True
    assert server.wait() is True
    thread.join()


def test_wait_in_asyncio_is_refused() -> None:
    async def main() -> None:
        async with httpuv.startServer("127.0.0.1", 0, hello) as server:
            with pytest.raises(RuntimeError, match="would block the asyncio loop"):
                server.wait()

    asyncio.run(main())


def test_a_port_that_this_process_has() -> None:
    with httpuv.startServer("127.0.0.1", 0, {}) as server:
        with pytest.raises(OSError, match=r"by <WebServer .* running> of this process") as caught:
            httpuv.startServer("127.0.0.1", server.getPort(), {}, quiet=True)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.filename == f"127.0.0.1:{server.getPort()}"


def test_an_empty_list_is_an_application() -> None:
    with httpuv.startServer("127.0.0.1", 0, []) as server:
        assert fetch(address(server), request()).status == 404
    with pytest.raises(TypeError, match="app must be"):
        httpuv.startServer("127.0.0.1", 0, [1])
