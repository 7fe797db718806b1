"""HTTPS and WSS as clients see them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Log, Serve
from support import PATIENCE, address, other_programs, request
from tls_support import Authority, Pair, TlsWire, openssl, plain, subject_of

Trusting = Callable[..., ssl.SSLContext]


def hello(req: dict) -> dict:
    return {"status": 200, "headers": {"Content-Type": "text/plain"}, "body": "hello"}


def seen(req: dict) -> dict:
    """Answers with what the environment has of TLS."""
    names = [name for name in req if name.startswith("SSL_") or name == "HTTPS"]
    lines = [f"{name}={req[name]}" for name in (*names, "rook.url_scheme")]
    return {"status": 200, "headers": {}, "body": "\n".join(lines)}


def variables(body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in body.decode().split("\n"):
        if "=" in line and not name.startswith("SSL_CLIENT_CERT"):
            name, _, found[name] = line.partition("=")[0], "", line.partition("=")[2]
        elif line.startswith("rook."):
            name, _, value = line.partition("=")
            found[name] = value
        else:
            found[name] += "\n" + line
    return found


def test_a_request_and_more_of_them(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext) -> None:
    server = serve({"call": hello}, tls=tls)
    assert server.url == f"https://127.0.0.1:{server.getPort()}/"
    with TlsWire(address(server), client) as wire:
        for _ in range(3):
            wire.send(request())
            assert wire.response().body == b"hello"
        wire.send(*[request()] * 20)  # in one go
        assert [wire.response().body for _ in range(20)] == [b"hello"] * 20
        wire.send(request("/", "Connection: close"))
        assert wire.response().get("Connection") == "close"
        assert wire.rest() == b""  # close_notify: otherwise an SSLEOFError
    assert server._core.stats()["tls_handshakes"] == 1


def test_one_answer_is_one_record(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext, pair: Pair
) -> None:
    server = serve({"call": hello, "staticPaths": {"/files": pair.cert.parent}}, tls=tls)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with plain(server) as raw:
        while True:
            try:
                engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65_536))
        for path in ("/", f"/files/{pair.cert.name}"):
            engine.write(request(path))
            raw.sendall(outgoing.read())
            stream = raw.makefile("rb")
            while True:  # tickets come as records of their own
                head = stream.read(5)
                incoming.write(head + stream.read(int.from_bytes(head[3:], "big")))
                try:
                    answer = engine.read(20_000)
                    break
                except ssl.SSLWantReadError:
                    continue
            body = b"hello" if path == "/" else pair.cert.read_bytes()
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_large_bodies_both_ways(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext, version: str
) -> None:
    client.minimum_version = client.maximum_version = ssl.TLSVersion[version]
    body = bytes(range(256)) * 20_000

    def call(req: dict) -> dict:
        data = req["rook.input"].read()
        return {"status": 200, "headers": {}, "body": data + data}

    server = serve({"call": call}, tls=tls)
    with TlsWire(address(server), client) as wire:
        for _ in range(2):
            wire.send(request("/", method="POST", body=body))
            assert wire.response().body == body + body


def test_files(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext, tmp_path: Path) -> None:
    sizes = [0, 1, 1000, 16_384, 16_385, 65_536, 65_537, 1_000_000, 9_999_999]
    for size in sizes:
        (tmp_path / f"{size}.bin").write_bytes((bytes(range(251)) * (size // 251 + 1))[:size])
    server = serve({"staticPaths": {"/": tmp_path}}, tls=tls)
    with TlsWire(address(server), client) as wire:
        for size in sizes:
            wire.send(request(f"/{size}.bin"))
            answer = wire.response()
            assert answer.status == 200
            assert answer.body == (tmp_path / f"{size}.bin").read_bytes()
        wire.send(request("/1000000.bin", "Range: bytes=100-200000,500000-"))
        answer = wire.response()
        assert answer.status == 206
        assert (tmp_path / "1000000.bin").read_bytes()[500_000:] in answer.body


def test_a_file_that_shrinks_is_cut(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 50_000_000)
    server = serve({"staticPaths": {"/": tmp_path}}, tls=tls)
    with TlsWire(address(server), client) as wire:
        wire.send(request("/file"))
        wire.head()
        with file.open("r+b") as opened:
            opened.truncate(1000)
        with pytest.raises((ConnectionResetError, ssl.SSLError)):  # no close_notify
            wire.rest()


def test_a_stream_of_pieces(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext) -> None:
    def pieces():
        for i in range(200):
            yield f"{i}," * 1000

    server = serve({"call": lambda req: {"status": 200, "headers": {}, "body": pieces()}}, tls=tls)
    with TlsWire(address(server), client) as wire:
        wire.send(request())
        assert wire.response().body.decode() == "".join(pieces())


@pytest.mark.parametrize("interface", ["rook", "wsgi", "asgi"])
def test_the_scheme(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext, interface: str) -> None:
    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        told = f"{scope['scheme']} {sorted(scope['extensions']['tls'].items())}"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": told.encode()})

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        names = ("wsgi.url_scheme", "HTTPS", "SSL_PROTOCOL", "SSL_CLIENT_VERIFY", "SSL_TLS_SNI")
        return [" ".join(environ[name] for name in names).encode()]

    server = serve({"rook": seen, "wsgi": wsgi, "asgi": asgi}[interface], tls=tls)
    with TlsWire(address(server), client) as wire:
        for _ in range(2):
            wire.send(request())
            told = wire.response().body
            if interface == "rook":
                assert variables(told) == {
                    "HTTPS": "on",
                    "rook.url_scheme": "https",
                    "SSL_PROTOCOL": "TLSv1.3",
                    "SSL_CIPHER": wire.tls.cipher()[0],
                    "SSL_TLS_SNI": "localhost",
                    "SSL_CLIENT_VERIFY": "NONE",
                }
            elif interface == "wsgi":
                assert told == b"https on TLSv1.3 NONE localhost"
            else:
                assert told.startswith(b"https [('cipher_suite', 48")
                assert b"('client_cert_chain', ())" in told
                assert b"('client_cert_name', None)" in told
                assert b"('tls_version', 772)" in told
                assert b"-----BEGIN CERTIFICATE-----" in told


def test_clients(serve: Serve, tls: httpuv.TLS, authority: Authority, tmp_path: Path) -> None:
    """curl and httpx."""
    import httpx

    (tmp_path / "file.bin").write_bytes(bytes(range(256)) * 10_000)
    server = serve({"call": seen, "staticPaths": {"/files": tmp_path}}, tls=tls)
    where = f"https://localhost:{server.getPort()}"
    context = ssl.create_default_context(cafile=str(authority.pair.cert))
    with httpx.Client(verify=context, timeout=PATIENCE) as session:
        assert "HTTPS=on" in session.get(where).text
        assert session.get(f"{where}/files/file.bin").content == bytes(range(256)) * 10_000
    curl = shutil.which("curl")
    if curl is None:
        return
    for extra in ([], ["--http1.0"], ["--tls-max", "1.2"], ["--no-alpn"]):
        out = subprocess.run(
            [curl, "-sS", "--cacert", authority.pair.cert, *extra, f"{where}/files/file.bin"],
            capture_output=True,
            check=True,
            timeout=PATIENCE,
            env=other_programs(),
        )
        assert out.stdout == bytes(range(256)) * 10_000


def test_websockets(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext) -> None:
    import websockets

    def opened(ws: httpuv.WebSocket) -> None:
        ws.onMessage(lambda binary, message: ws.send(message))

    server = serve({"onWSOpen": opened}, tls=tls)
    large = bytes(range(256)) * 8000

    async def talk() -> None:
        url = f"wss://localhost:{server.getPort()}/"
        async with websockets.connect(url, ssl=client, max_size=None) as ws:
            for message in ["text", b"", large, "more"]:
                await ws.send(message)
                assert await ws.recv() == message

    asyncio.run(asyncio.wait_for(talk(), PATIENCE))


def test_on_a_unix_socket(
    running: threading.Thread, tls: httpuv.TLS, client: ssl.SSLContext, tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")
    with (
        httpuv.startPipeServer(path, None, {"call": hello}, tls=tls),
        TlsWire(path, client) as wire,
    ):
        wire.send(request())
        assert wire.response().body == b"hello"


# --- what is agreed on --------------------------------------------------------------------------


def test_versions(serve: Serve, pair: Pair, client: ssl.SSLContext) -> None:
    server = serve({"call": hello}, tls=pair.tls(minimum_version="TLSv1.3"))
    with TlsWire(address(server), client) as wire:
        assert wire.tls.version() == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        TlsWire(address(server), client)
    server = serve({"call": hello}, tls=pair.tls())
    with TlsWire(address(server), client) as wire:
        assert wire.tls.version() == "TLSv1.2"
    out = openssl(
        *("s_client", "-connect", f"127.0.0.1:{server.getPort()}", "-tls1_1"),
        *("-cipher", "DEFAULT@SECLEVEL=0"),
        check=False,
    )
    assert b"Cipher is (NONE)" in out


def test_ciphers(serve: Serve, pair: Pair, client: ssl.SSLContext) -> None:
    names = "ECDHE-ECDSA-AES256-GCM-SHA384:TLS_CHACHA20_POLY1305_SHA256"
    server = serve({"call": hello}, tls=pair.tls(ciphers=names))
    with TlsWire(address(server), client) as wire:
        assert wire.tls.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with TlsWire(address(server), client) as wire:
        assert wire.tls.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_alpn(serve: Serve, pair: Pair, client: ssl.SSLContext) -> None:
    server = serve({"call": hello}, tls=pair.tls())
    client.set_alpn_protocols(["h2", "http/1.1"])
    with TlsWire(address(server), client) as wire:
        assert wire.tls.selected_alpn_protocol() == "http/1.1"
    client.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        TlsWire(address(server), client)
    without = serve({"call": hello}, tls=pair.tls(alpn=()))
    with TlsWire(address(without), client) as wire:
        assert wire.tls.selected_alpn_protocol() is None


def test_renegotiation_is_refused(serve: Serve, tls: httpuv.TLS, log: Log) -> None:
    server = serve({"call": hello}, tls=tls)
    out = openssl(
        *("s_client", "-connect", f"127.0.0.1:{server.getPort()}", "-tls1_2"),
        stdin=b"R\n",
        check=False,
    )
    assert b"RENEGOTIATING" in out
    assert b"no renegotiation" in out.lower()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_are_resumed(
    serve: Serve, pair: Pair, client: ssl.SSLContext, version: str
) -> None:
    client.maximum_version = client.minimum_version = ssl.TLSVersion[version]
    tls = pair.tls()
    server = serve({"call": hello}, tls=tls)
    session = None
    for resumed in (False, True, True):
        with TlsWire(address(server), client, session=session) as wire:
            wire.send(request())
            assert wire.response().body == b"hello"
            assert wire.tls.session_reused is resumed
            session = wire.tls.session
        tls.reload()  # the keys of tickets stay
    assert server._core.stats()["tls_resumed"] == 2


# --- names of hosts -----------------------------------------------------------------------------


def test_certificates_by_host(
    serve: Serve, authority: Authority, trusting: Trusting, pair: Pair
) -> None:
    one = authority.issue("one.example", "one.example").tls()
    below = authority.issue("below", "*.two.example").tls()
    server = serve(
        {"call": hello}, tls={"one.example": one, "*.Two.Example": below, "*": pair.tls()}
    )
    client = trusting()
    client.check_hostname = False
    for host, common in [
        ("one.example", "one.example"),
        ("ONE.example", "one.example"),
        ("a.two.example", "below"),
        ("a.b.two.example", "localhost"),
        ("two.example", "localhost"),
        ("other", "localhost"),
        (None, "localhost"),
    ]:
        assert subject_of(server, client, host) == common, host
    first = serve({"call": hello}, tls={"one.example": one, "*.two.example": below})
    assert subject_of(first, client, "other") == "one.example"


def test_a_ticket_does_not_open_another_host(
    serve: Serve, authority: Authority, trusting: Trusting, pair: Pair
) -> None:
    """One that asks for certificates beside one that does not: neither resumes."""
    mutual = authority.issue("mutual", "mutual.example").tls(
        ca_certs=authority.pair.cert, verify="required"
    )
    server = serve({"call": seen}, tls={"*": pair.tls(), "mutual.example": mutual})
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client = trusting()
        client.check_hostname = False
        client.minimum_version = client.maximum_version = version
        with TlsWire(address(server), client) as wire:
            wire.send(request())
            assert wire.response().status == 200
            session = wire.tls.session
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            TlsWire(address(server), client, "mutual.example", session=session) as wire,
        ):
            wire.send(request())
            wire.response()


# --- certificates of clients --------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("verify", ["optional", "required"])
def test_client_certificates(
    serve: Serve,
    authority: Authority,
    trusting: Trusting,
    pair: Pair,
    tmp_path: Path,
    verify: str,
    version: str,
) -> None:
    server = serve({"call": seen}, tls=pair.tls(ca_certs=authority.pair.cert, verify=verify))
    good = authority.issue("client", subject="/O=Tests/CN=Jos\\xc3\\xa9, the client")
    bad = Authority(tmp_path, "others").issue("stranger")

    def ask(context: ssl.SSLContext) -> dict[str, str]:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        with TlsWire(address(server), context) as wire:
            wire.send(request())
            return variables(wire.response().body)

    told = ask(trusting(good))
    assert told["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert told["SSL_CLIENT_S_DN"].endswith("O=Tests")
    assert "\\, the client" in told["SSL_CLIENT_S_DN"]
    assert told["SSL_CLIENT_I_DN"] == "CN=authority tests"
    assert told["SSL_CLIENT_CERT"].strip() == good.cert.read_text().strip()
    assert int(told["SSL_CLIENT_M_SERIAL"], 16) > 0
    assert told["SSL_CLIENT_V_END"].endswith("GMT")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(trusting(bad))
    if verify == "optional":
        assert ask(trusting())["SSL_CLIENT_VERIFY"] == "NONE"
    else:
        # The alert is read, not lost in a reset.
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required|handshake.failure"):
            ask(trusting())


def test_client_certificate_in_asgi(
    serve: Serve, authority: Authority, trusting: Trusting, pair: Pair
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        told = scope["extensions"]["tls"]
        text = f"{told['client_cert_name']}|{''.join(told['client_cert_chain'])}"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": text.encode()})

    server = serve(app, tls=pair.tls(ca_certs=authority.pair.cert, verify="required"))
    good = authority.issue("asgi-client")
    with TlsWire(address(server), trusting(good)) as wire:
        wire.send(request())
        name, _, chain = wire.response().body.decode().partition("|")
    assert name == "CN=asgi-client"
    assert chain.startswith(good.cert.read_text())  # and what it has of issuers


# --- clients that misbehave ---------------------------------------------------------------------


def test_plain_http_is_told(serve: Serve, tls: httpuv.TLS, log: Log) -> None:
    server = serve({"call": hello}, tls=tls)
    with plain(server) as raw:
        raw.sendall(request("/" + "x" * 10_000))
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"HTTPS" in answer
    log.expect("it speaks plain HTTP")
    with plain(server) as raw:
        raw.sendall(b"\0\1\2nonsense")
        assert raw.recv(100) == b""
    assert server._core.stats()["tls_failures"] == 2


def test_a_message_that_is_too_long_is_refused(serve: Serve, tls: httpuv.TLS, log: Log) -> None:
    server = serve({"call": hello}, tls=tls)
    with plain(server) as raw:
        # A record of 16 KiB with a ClientHello that says it has 100,000 bytes, byte by byte.
        for byte in bytes([22, 3, 1, 0x40, 0, 1, 1, 0x86, 0xA0]):
            raw.send(bytes([byte]))
        assert raw.recv(100) == b""
    log.expect("its first message is too long")


def test_slow_handshakes_end_and_hold_up_nobody(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext
) -> None:
    """200 clients that stop in the middle; a fast one meanwhile; all of them are closed in time."""
    limits = httpuv.Limits(tls_handshake_timeout=2.0)
    server = serve({"call": hello}, tls=tls, limits=limits)
    slow = [plain(server) for _ in range(200)]
    for index, each in enumerate(slow):
        each.sendall(bytes([22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3])[: index % 12])
    for _ in range(20):
        with TlsWire(address(server), client) as wire:
            wire.send(request())
            assert wire.response().body == b"hello"
    for each in slow:
        with each:
            assert each.recv(1) == b""
    assert server._core.stats()["tls_failures"] == 200


def test_a_client_that_is_cut_off_is_gone(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext
) -> None:
    """A FIN without close_notify ends the connection: the body that came is not taken for whole."""
    called = []
    server = serve({"call": lambda req: called.append(req) or hello(req)}, tls=tls)
    wire = TlsWire(address(server), client)
    wire.send(request("/", "Content-Length: 1000", method="POST"), b"x" * 100)
    raw = wire.tls.detach()
    with socket.socket(fileno=raw) as bare:
        bare.shutdown(socket.SHUT_WR)
        bare.settimeout(PATIENCE)
        left = bare.recv(10_000)  # tickets at most, and the end
        while left:
            left = bare.recv(10_000)
    assert called == []


def test_a_half_closed_client_is_answered(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext
) -> None:
    """close_notify of a client that has asked is like a FIN without TLS (RFC 8446 section 6.1)."""
    ready = threading.Event()

    def call(req: dict) -> dict:
        ready.wait(PATIENCE)
        return hello(req)

    server = serve({"call": call}, tls=tls)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with plain(server) as raw:

        def until(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    data = raw.recv(65_536)
                    if not data:
                        incoming.write_eof()
                    incoming.write(data)

        until(engine.do_handshake)
        engine.write(request())
        with pytest.raises(ssl.SSLWantReadError):
            engine.unwrap()  # sends close_notify
        raw.sendall(outgoing.read())
        ready.set()
        received = b""
        while data := raw.recv(65_536):
            received += data
    assert len(received) > 200  # the answer, sealed


def test_a_client_that_does_not_read_costs_little(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext
) -> None:
    """A shared body of 64 MiB is not sealed before the client takes it."""
    body = b"x" * (64 << 20)
    server = serve({"call": lambda req: {"status": 200, "headers": {}, "body": body}}, tls=tls)

    def memory() -> int:
        text = Path("/proc/self/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])

    with TlsWire(address(server), client) as wire:
        wire.send(request())
        wire.head()
        before = memory()
        wires = [TlsWire(address(server), client) for _ in range(3)]
        for each in wires:
            each.send(request())
            each.head()
        # Each holds a copy of the body, as without TLS, and no second one that is sealed.
        assert memory() - before < 3 * 80 * 1024
        for each in wires:
            each.close()
        got = len(wire.buffer)
        while data := wire.socket.recv(1 << 20):
            got += len(data)
            if got >= len(body):
                break
        assert got == len(body)


def test_stopping(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext) -> None:
    server = serve({"call": hello}, tls=tls)
    silent = plain(server)
    with TlsWire(address(server), client) as wire:
        wire.send(request())
        assert wire.response().body == b"hello"
        server.stop()
        assert wire.rest() == b""
    with silent:
        assert silent.recv(1) == b""
