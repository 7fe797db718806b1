"""Behind proxies: which proxies are trusted about clients, in all interfaces and in the log."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpuv
import httpx
import pytest
from conftest import Serve
from support import PATIENCE, Wire, address, get, request


def rook(req: dict[str, Any]) -> dict[str, Any]:
    told = [req["REMOTE_ADDR"], req["REMOTE_PORT"], req["rook.url_scheme"], req["HTTP_HOST"]]
    return {"status": 200, "body": json.dumps(told)}


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [])
    told = [
        environ[each] for each in ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_HOST")
    ]
    return [json.dumps(told).encode()]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    host, port = scope["client"] or ("", "")
    told = [host, str(port), scope["scheme"], dict(scope["headers"])[b"host"].decode()]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


APPS: Mapping[str, Any] = {"rook": rook, "wsgi": wsgi, "asgi": asgi}

each_interface = pytest.mark.parametrize("app", APPS.values(), ids=APPS)


def told(server: httpuv.WebServer, *fields: str) -> list[str]:
    answer: list[str] = json.loads(get(server, "/", *fields).body)
    return answer


@each_interface
def test_a_proxy_that_is_trusted(serve: Serve, app: Any) -> None:
    server = serve({"call": rook} if app is rook else app, forwardedAllowIps="127.0.0.1")
    fields = ("X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https")
    answer = told(server, *fields, "X-Forwarded-Host: www.example")
    assert answer[0] == "203.0.113.9" and answer[2:] == ["https", "www.example"]
    answer = told(server, 'Forwarded: for="[2001:db8::9]:4711";proto=https;host=www.example')
    assert answer == ["2001:db8::9", "4711", "https", "www.example"]
    answer = told(server)
    assert answer[0] == "127.0.0.1" and answer[2] == "http"


@each_interface
def test_requests_of_one_proxy_connection_have_clients_of_their_own(serve: Serve, app: Any) -> None:
    server = serve({"call": rook} if app is rook else app, forwardedAllowIps=["127.0.0.0/8"])
    with Wire(address(server)) as wire:
        for client in ("203.0.113.1", "203.0.113.2", None, "203.0.113.1"):
            wire.send(request("/", *([f"X-Forwarded-For: {client}"] if client else [])))
            assert json.loads(wire.response().body)[0] == (client or "127.0.0.1")


@pytest.mark.skipif(sys.platform != "linux", reason="has no address 127.0.0.2")
@each_interface
def test_the_same_head_means_another_host_where_it_is_not_believed(serve: Serve, app: Any) -> None:
    server = serve({"call": rook} if app is rook else app, forwardedAllowIps="127.0.0.2")
    head = request("/", "X-Forwarded-Host: www.example")
    hosts: dict[str, list[str]] = {"127.0.0.1": [], "127.0.0.2": []}
    for _ in range(4):
        for source, seen in hosts.items():
            with Wire(address(server), source=(source, 0)) as wire:
                wire.send(head)
                seen.append(json.loads(wire.response().body)[3])
    assert hosts["127.0.0.2"] == ["www.example"] * 4
    assert len(set(hosts["127.0.0.1"])) == 1 and "www.example" not in hosts["127.0.0.1"]


@each_interface
@pytest.mark.parametrize("trusted", [None, "10.0.0.0/8", "unix", []])
def test_another_is_not_believed(serve: Serve, app: Any, trusted: Any) -> None:
    server = serve({"call": rook} if app is rook else app, forwardedAllowIps=trusted)
    answer = told(server, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    assert answer[0] == "127.0.0.1" and answer[2] == "http"


def test_the_host_that_a_proxy_tells_is_the_one_that_is_checked(serve: Serve) -> None:
    server = serve({"call": rook}, forwardedAllowIps="*", allowedHosts=["www.example"])
    assert get(server, "/", "X-Forwarded-Host: www.example").status == 200
    assert get(server, "/", "X-Forwarded-Host: evil.example").status == 403


@pytest.mark.parametrize("wrong", ["here", "10.0.0.0/33", "10.0.0.1/8", 5, [5]])
def test_mistakes_name_the_option(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="forwardedAllowIps"):
        httpuv.startServer("127.0.0.1", 0, rook, forwardedAllowIps=wrong)


@each_interface
@pytest.mark.parametrize(
    "preamble",
    [
        b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xc0\0\x02\x01\x12\x67\0\x50",
    ],
    ids=["v1", "v2"],
)
def test_proxy_protocol(serve: Serve, app: Any, preamble: bytes) -> None:
    server = serve({"call": rook} if app is rook else app, proxyProtocol=True)
    with Wire(address(server)) as wire:
        wire.send(preamble + request("/") + request("/"))
        for _ in range(2):
            assert json.loads(wire.response().body)[:2] == ["203.0.113.9", "4711"]


def test_without_the_proxy_protocol_nothing_is_answered(serve: Serve) -> None:
    server = serve({"call": rook}, proxyProtocol=True)
    with Wire(address(server)) as wire:
        wire.send(request("/"))
        assert wire.rest() == b""


def test_request_ids(serve: Serve) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": req["HTTP_X_REQUEST_ID"]}

    server = serve({"call": call}, requestIds=True)
    made = {get(server, "/", "X-Request-ID: mine").body for _ in range(3)}
    assert len(made) == 3 and all(len(each) == 32 for each in made)
    believed = serve({"call": call}, requestIds=True, forwardedAllowIps="127.0.0.1")
    assert get(believed, "/", "X-Request-ID: mine").body == b"mine"
    assert len(get(believed, "/", "X-Request-ID: a b").body) == 32


# --- real proxies -------------------------------------------------------------------------------


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def proxies(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Starts a proxy with a configuration; it is ended after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str, configuration: str) -> None:
        file = tmp_path / f"{name}.conf"
        file.write_text(textwrap.dedent(configuration))
        options = {
            "nginx": ["-p", str(tmp_path), "-c", str(file), "-e", str(tmp_path / "error.log")],
            "haproxy": ["-db", "-f", str(file)],
        }[name]
        running.append(subprocess.Popen([program(name), *options], stderr=subprocess.DEVNULL))

    yield start
    for each in running:
        each.terminate()
        each.wait(PATIENCE)


def ask(port: int, **fields: str) -> list[str]:
    """What the application says, asked through the proxy as soon as that listens."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/", headers=fields, timeout=PATIENCE)
        except httpx.ConnectError:
            assert time.monotonic() < end, "the proxy does not listen"
            time.sleep(0.05)
            continue
        assert answer.status_code == 200, answer.text
        found: list[str] = answer.json()
        return found


# Else its workers run as another user, which may not connect to the socket.
USER = "user root;" if os.geteuid() == 0 else ""
NGINX = """
    USER daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
    events {{ worker_connections 64; }}
    http {{
      access_log off;
      client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
      uwsgi_temp_path {folder}; scgi_temp_path {folder};
      server {{
        listen 127.0.0.1:{port};
        location / {{
          proxy_pass http://{upstream};
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Forwarded-Proto https;
        }}
      }}
    }}
"""

HAPROXY = """
    defaults
      mode http
      timeout connect 20s
      timeout client 20s
      timeout server 20s
    frontend in
      bind 127.0.0.1:{port}
      default_backend app
    backend app
      option forwardfor
      http-request set-header X-Forwarded-Proto https
      server one {upstream}
"""


CONFIGURATIONS = {"nginx": NGINX.replace("USER", USER), "haproxy": HAPROXY}


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_behind(
    serve: Serve, proxies: Callable[[str, str], None], tmp_path: Path, name: str
) -> None:
    server = serve({"call": rook}, forwardedAllowIps="127.0.0.1")
    port = free_port()
    upstream = f"127.0.0.1:{server.getPort()}"
    text = CONFIGURATIONS[name]
    proxies(name, text.format(folder=tmp_path, port=port, upstream=upstream))
    answer = ask(port, **{"X-Forwarded-For": "6.6.6.6"})
    # The one that asks the proxy is on this machine, too, and so trusted: what it says counts.
    assert answer[0] == "6.6.6.6" and answer[2:] == ["https", f"127.0.0.1:{port}"]


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_behind_on_a_unix_socket(
    running: object, proxies: Callable[[str, str], None], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "app.sock"
    port = free_port()
    upstream = {"nginx": f"unix:{path}:", "haproxy": f"unix@{path}"}[name]
    text = CONFIGURATIONS[name]
    with httpuv.startPipeServer(str(path), None, rook, forwardedAllowIps="unix"):
        proxies(name, text.format(folder=tmp_path, port=port, upstream=upstream))
        answer = ask(port)
    assert answer[0] == "127.0.0.1" and answer[2] == "https"


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_behind_haproxy_with_the_proxy_protocol(
    serve: Serve, proxies: Callable[[str, str], None], tmp_path: Path, version: str
) -> None:
    server = serve({"call": rook}, proxyProtocol=True)
    port = free_port()
    upstream = f"127.0.0.1:{server.getPort()} {version}"
    proxies("haproxy", HAPROXY.format(port=port, upstream=upstream))
    answer = ask(port)
    assert answer[0] == "127.0.0.1" and 0 < int(answer[1]) != port


def test_behind_nginx_with_the_proxy_protocol(
    serve: Serve, proxies: Callable[[str, str], None], tmp_path: Path
) -> None:
    program("nginx")
    if not any(Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so")):
        pytest.skip("nginx has no stream module (libnginx-mod-stream)")
    server = serve({"call": rook}, proxyProtocol=True)
    port = free_port()
    proxies(
        "nginx",
        f"""
        load_module /usr/lib/nginx/modules/ngx_stream_module.so;
        daemon off; worker_processes 1; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;
        events {{ worker_connections 64; }}
        stream {{ server {{
          listen 127.0.0.1:{port}; proxy_protocol on; proxy_pass 127.0.0.1:{server.getPort()};
        }} }}
        """,
    )
    assert ask(port)[0] == "127.0.0.1"
