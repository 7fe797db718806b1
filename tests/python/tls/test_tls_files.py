"""httpuv.TLS: its arguments, what is wrong with files, and files that change."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpuv
import pytest
from conftest import Log, Serve
from support import PATIENCE, address, request, run_script
from tls_support import Authority, Pair, TlsWire, openssl, subject_of


def hello(req: dict) -> dict:
    return {"status": 200, "headers": {}, "body": "hello"}


def message(*arguments: object, **named: object) -> str:
    """What httpuv.TLS() says of what is wrong."""
    with pytest.raises((OSError, ValueError, TypeError)) as raised:
        httpuv.TLS(*arguments, **named)  # type: ignore[arg-type]
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_files_that_are_no_good(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(FileNotFoundError) as raised:
        httpuv.TLS(missing, pair.key)
    assert raised.value.filename == str(missing)
    with pytest.raises(FileNotFoundError) as raised:
        httpuv.TLS(pair.cert, missing)
    assert raised.value.filename == str(missing)
    with pytest.raises(IsADirectoryError):
        httpuv.TLS(tmp_path, pair.key)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    assert f"{nonsense} has no certificate in PEM form" in message(nonsense, pair.key)
    assert f"{nonsense} has no private key in PEM form" in message(pair.cert, nonsense)
    assert f"{pair.cert} has no private key" in message(pair.cert)
    other = authority.issue("other", "other.example")
    told = message(pair.cert, other.key)
    assert told == f"{other.key} is not the key of the certificate in {pair.cert}"
    told = message(pair.cert, pair.key, ca_certs=nonsense, verify="required")
    assert f"{nonsense} has no certificates in PEM form" in told


def test_passwords(pair: Pair, tmp_path: Path, serve: Serve, client: ssl.SSLContext) -> None:
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", locked)
    assert message(pair.cert, locked) == f"{locked} is encrypted: give its password"
    told = message(pair.cert, locked, "wrong")
    assert told == f"{locked} is encrypted with another password than the one given"
    for password in ("secret", b"secret"):
        tls = httpuv.TLS(pair.cert, locked, password)
        tls.reload()
        with TlsWire(address(serve({"call": hello}, tls=tls)), client) as wire:
            wire.send(request())
            assert wire.response().body == b"hello"


def test_not_with_the_proxy_protocol(pair: Pair) -> None:
    tls = httpuv.TLS(pair.cert, pair.key)
    with pytest.raises(ValueError, match="proxyProtocol cannot be combined with tls"):
        httpuv.startServer("127.0.0.1", 0, {}, tls=tls, proxyProtocol=True)


def test_one_file_for_both(pair: Pair, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_text(pair.key.read_text() + pair.cert.read_text())
    assert repr(httpuv.TLS(both)) == f"TLS({str(both)!r})"


def test_wrong_arguments(pair: Pair, authority: Authority) -> None:
    ca = authority.pair.cert
    for named, expected in [
        ({"verify": "maybe"}, "verify must be one of none, optional, required"),
        ({"verify": "required"}, "verify='required' needs ca_certs"),
        ({"ca_certs": ca}, "ca_certs is of no use without verify"),
        ({"minimum_version": "TLSv1"}, "minimum_version must be one of TLSv1.2, TLSv1.3"),
        ({"ciphers": "NONSENSE"}, "ciphers: OpenSSL knows none of 'NONSENSE'"),
        ({"ciphers": "TLS_NONSENSE"}, "ciphers: OpenSSL knows none of 'TLS_NONSENSE'"),
        ({"ciphers": 3}, "ciphers must be str or None"),
        ({"alpn": "h2"}, "alpn must be a list of str"),
        ({"alpn": [""]}, "alpn: '' is no name"),
        ({"password": 3}, "password must be str, bytes or None"),
    ]:
        assert expected in message(pair.cert, pair.key, **named)
    assert "certfile must be a path" in message(3)
    assert "keyfile must be the path of a file" in message(pair.cert, "")


def test_wrong_tls_of_a_server(serve: Serve, pair: Pair) -> None:
    tls = pair.tls()
    for value, kind, expected in [
        (str(pair.cert), TypeError, "tls must be TLS, a dict"),
        ({}, ValueError, "tls must not be empty"),
        ({"a": 3}, TypeError, "tls must map hosts to TLS"),
        ({"a b": tls}, ValueError, "tls: 'a b' is no name of a host"),
        ({"https://a": tls}, ValueError, "is no name of a host"),
        (
            {"a": tls, "b": pair.tls(minimum_version="TLSv1.3")},
            ValueError,
            "tls: minimum_version must be the same",
        ),
    ]:
        with pytest.raises(kind, match=re.escape(expected)):
            serve({"call": hello}, tls=value)


def test_where_there_is_no_ssl(pair: Pair) -> None:
    """All else works."""
    code = f"""
import sys
sys.modules["_ssl"] = None
import httpuv
try:
    httpuv.TLS({str(pair.cert)!r}, {str(pair.key)!r})
except RuntimeError as error:
    print(error)
server = httpuv.startServer("127.0.0.1", 0, lambda req: {{"status": 200, "body": ""}})
print(server.url[:5])
server.stop()
"""
    told = run_script(code)
    assert "TLS needs Python's ssl module" in told
    assert told.endswith("http:\n")


def test_where_openssl_is_hidden() -> None:
    """A module that is linked with no OpenSSL stands for one that has it inside."""
    code = """
import httpuv._core as core
print(core.find_openssl(core.__file__, 0))
print(core.find_openssl("/no/such/module.so", 0))
"""
    told = run_script(code)
    assert "linked statically and hides its functions" in told
    assert "/no/such/module.so is not a loaded library" in told


# --- files that change --------------------------------------------------------------------------


def install(pair: Pair, where: Pair) -> None:
    """Put a certificate where another one is, each file in one step, as renewing programs do."""
    for source, target in ((pair.key, where.key), (pair.cert, where.cert)):
        shutil.copyfile(source, f"{target}.new")
        os.replace(f"{target}.new", target)


@pytest.fixture
def installed(authority: Authority, tmp_path: Path) -> Pair:
    where = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    install(authority.issue("before", "localhost"), where)
    return where


def test_reload(
    serve: Serve, installed: Pair, authority: Authority, client: ssl.SSLContext
) -> None:
    tls = installed.tls()
    server = serve({"call": hello}, tls=tls)
    assert subject_of(server, client, "localhost") == "before"
    with TlsWire(address(server), client) as kept:
        install(authority.issue("after", "localhost"), installed)
        tls.reload()
        assert subject_of(server, client, "localhost") == "after"
        kept.send(request())
        assert kept.response().body == b"hello"
    installed.cert.write_text("nonsense")
    with pytest.raises(ValueError, match="has no certificate"):
        tls.reload()
    assert subject_of(server, client, "localhost") == "after"


def test_renewed_under_load(
    serve: Serve, installed: Pair, authority: Authority, client: ssl.SSLContext, log: Log
) -> None:
    """Clients connect all the time; none fails, and in the end all see the new certificate."""
    server = serve({"call": hello}, tls=installed.tls())
    stop = threading.Event()
    failures: list[BaseException] = []
    names: set[str] = set()

    def load() -> None:
        try:
            while not stop.is_set():
                with TlsWire(address(server), client) as wire:
                    found = wire.tls.getpeercert()
                    assert found
                    names.add(dict(each[0] for each in found["subject"])["commonName"])
                    for _ in range(3):
                        wire.send(request())
                        assert wire.response().body == b"hello"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for each in threads:
        each.start()
    install(authority.issue("after", "localhost"), installed)
    log.expect(f"INFO the certificate in {installed.cert} was renewed")
    for _ in range(20):
        assert subject_of(server, client, "localhost") == "after"
    installed.key.write_text("nonsense")
    log.expect(
        "ERROR the certificate before stays in use:",
        f"{installed.key} has no private key in PEM form",
    )
    assert subject_of(server, client, "localhost") == "after"
    stop.set()
    for each in threads:
        each.join(PATIENCE)
    assert not failures
    assert names == {"before", "after"}


def test_a_missing_file_keeps_the_old(
    serve: Serve, installed: Pair, client: ssl.SSLContext, log: Log
) -> None:
    server = serve({"call": hello}, tls=installed.tls())
    installed.cert.unlink()
    end = time.monotonic() + PATIENCE
    while "cannot be read" not in log.text() and time.monotonic() < end:
        assert subject_of(server, client, "localhost") == "before"
    log.expect(f"ERROR the certificate before stays in use: {installed.cert} cannot be read")
    assert log.text().count("stays in use") == 1


def test_fork(pair: Pair, client: ssl.SSLContext) -> None:
    """A child of a process with a TLS server ends as it should, and the server goes on."""
    code = f"""
import os, ssl, socket, sys, httpuv
tls = httpuv.TLS({str(pair.cert)!r}, {str(pair.key)!r})
server = httpuv.startServer("127.0.0.1", 0, lambda req: {{"status": 200, "body": "hello"}},
                            tls=tls, dispatch="thread")
def ask():
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", server.getPort()), 20) as raw:
        with context.wrap_socket(raw) as wire:
            wire.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
            return b"".join(iter(lambda: wire.recv(65536), b""))
assert ask().endswith(b"hello")
child = os.fork()
if child == 0:
    os._exit(0 if not server.isRunning() else 1)
assert os.waitpid(child, 0)[1] == 0
assert ask().endswith(b"hello")
server.stop()
print("done")
"""
    if sys.platform == "darwin":
        pytest.skip("forks beside threads are not safe there")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, timeout=60
    )
    assert done.stdout == b"done\n", done.stderr.decode()
