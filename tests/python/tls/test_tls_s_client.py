"""What `openssl s_client` finds, as testssl.sh asks it: protocols, ciphers, hosts, certificates."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable

import httpuv
import pytest
from conftest import Serve
from support import PATIENCE, address, request
from tls_support import Authority, Pair, TlsWire, openssl, plain


def hello(req: dict) -> dict:
    return {"status": 200, "headers": {}, "body": "hello"}


def s_client(server: httpuv.WebServer, *arguments: object, stdin: bytes = b"") -> str:
    """What s_client says of a server; it sends a request unless something else is given."""
    given = stdin or request("/", "Connection: close")
    where = ("s_client", "-connect", f"127.0.0.1:{server.getPort()}", "-ign_eof")
    return openssl(*where, *arguments, stdin=given, check=False).decode(errors="replace")


def is_served(told: str) -> bool:
    return "HTTP/1.1 200" in told and "hello" in told


@pytest.mark.parametrize(
    ("version", "served"),
    [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)],
)
def test_protocols(serve: Serve, tls: httpuv.TLS, version: str, served: bool) -> None:
    server = serve({"call": hello}, tls=tls)
    # The lowest level of security, so that the client would do it.
    told = s_client(server, version, "-cipher", "DEFAULT:@SECLEVEL=0")
    assert is_served(told) is served, told
    if served:
        name = version.removeprefix("-").replace("_", ".").replace("tls", "TLSv")
        assert f"Protocol  : {name}" in told or f"{name}, Cipher is" in told
        assert "Compression: NONE" in told
    else:
        assert "Cipher is (NONE)" in told


def test_a_fallback_is_refused(serve: Serve, tls: httpuv.TLS) -> None:
    """A client that was made to ask for less than both can (RFC 7507)."""
    server = serve({"call": hello}, tls=tls)
    told = s_client(server, "-tls1_2", "-fallback_scsv")
    assert "inappropriate fallback" in told and not is_served(told)


@pytest.mark.parametrize(
    "ciphers",
    [
        *("aNULL:eNULL", "3DES:DES:IDEA:SEED:ARIA:CAMELLIA"),
        "kRSA",  # no forward secrecy
        "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384",  # CBC: no authenticated encryption
    ],
)
def test_weak_ciphers(serve: Serve, tls: httpuv.TLS, ciphers: str) -> None:
    server = serve({"call": hello}, tls=tls)
    told = s_client(server, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0")
    if "no cipher match" in told or "no ciphers available" in told:
        pytest.skip(f"the openssl command has none of {ciphers}")
    assert "Cipher is (NONE)" in told and not is_served(told)


def test_renegotiation(serve: Serve, tls: httpuv.TLS) -> None:
    """It is refused, and the client is told so; others go on."""
    server = serve({"call": hello}, tls=tls)
    told = s_client(server, "-tls1_2", "-no_ign_eof", stdin=b"R\n")
    assert "Secure Renegotiation IS supported" in told  # the extension against attacks on it
    assert "RENEGOTIATING" in told and "no renegotiation" in told.lower()
    assert is_served(s_client(server))


def test_hosts(serve: Serve, authority: Authority, pair: Pair) -> None:
    one = authority.issue("s-client-one", "one.example").tls()
    server = serve({"call": hello}, tls={"one.example": one, "*": pair.tls()})
    for arguments, common in [
        (("-servername", "one.example"), "s-client-one"),
        (("-servername", "other.example"), "localhost"),
        (("-noservername",), "localhost"),
    ]:
        told = s_client(server, *arguments)
        assert re.search(rf"subject=CN ?= ?{common}\b", told), told
        assert is_served(told)


def test_what_is_agreed_on(serve: Serve, tls: httpuv.TLS) -> None:
    server = serve({"call": hello}, tls=tls)
    assert "ALPN protocol: http/1.1" in s_client(server, "-alpn", "h2,http/1.1")
    assert "no application protocol" in s_client(server, "-alpn", "h2")
    told = s_client(server, "-tls1_3")
    assert "Early data was not sent" in told
    assert "Max Early Data: 0" in told  # what a ticket promises: no request can be replayed


def test_resumption(serve: Serve, tls: httpuv.TLS) -> None:
    server = serve({"call": hello}, tls=tls)
    told = s_client(server, "-tls1_2", "-reconnect", "-no_ign_eof")
    assert told.count("Reused, TLSv1.2") == 5
    assert s_client(server, "-tls1_2", "-no_ticket", "-reconnect", "-no_ign_eof").count("New, ") > 5


def test_client_certificates(serve: Serve, authority: Authority, pair: Pair) -> None:
    tls = pair.tls(ca_certs=authority.pair.cert, verify="required")
    server = serve({"call": hello}, tls=tls)
    good = authority.issue("s-client")
    for version in ("-tls1_2", "-tls1_3"):
        told = s_client(server, version, "-cert", good.cert, "-key", good.key)
        assert is_served(told)
        assert re.search(r"Acceptable client certificate CA names\nCN ?= ?authority tests", told)
        told = s_client(server, version)
        assert not is_served(told)
        assert "certificate required" in told or "handshake failure" in told


def client_hello(context: ssl.SSLContext) -> bytes:
    """The first message of a client."""
    outgoing = ssl.MemoryBIO()
    engine = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        engine.do_handshake()
    return outgoing.read()


def ends(server: httpuv.WebServer, data: bytes) -> bool:
    """Whether the server ends a connection after these bytes and a FIN."""
    with plain(server) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        try:
            while raw.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
    return True


@pytest.mark.parametrize("how", ["cut off", "broken"])
def test_handshakes_that_fail_anywhere(
    serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext, how: str
) -> None:
    """After each byte of the first message, or with each byte wrong; others are served."""
    server = serve({"call": hello}, tls=tls)
    first = client_hello(client)
    changes: dict[str, Callable[[int], bytes]] = {
        "cut off": lambda at: first[:at],
        "broken": lambda at: first[:at] + bytes([first[at] ^ 0xFF]) + first[at + 1 :],
    }
    for at in range(0, len(first), 1 if len(first) < 600 else 3):
        assert ends(server, changes[how](at)), at
    with TlsWire(address(server), client) as wire:
        wire.send(request())
        assert wire.response().body == b"hello"
    assert server.stats()["tls_failures"] > 0
    assert server.stats()["connections"] <= 1


def test_a_handshake_byte_by_byte(serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext) -> None:
    server = serve({"call": hello}, tls=tls)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    engine = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with plain(server) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(PATIENCE)
        while True:
            try:
                engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    raw.sendall(bytes([byte]))
                incoming.write(raw.recv(65_536))
        engine.write(request("/", "Connection: close"))
        for byte in outgoing.read():
            raw.sendall(bytes([byte]))
        while data := raw.recv(65_536):
            incoming.write(data)
        assert engine.read(20_000).endswith(b"hello")
