"""HTTPS by `httpuv run` and `httpuv serve`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
from pathlib import Path

import httpx
import pytest
from cli_load import address_of, until
from cli_support import apps, children, command, started
from support import PATIENCE, Script, fetch, request
from tls_support import Authority, Pair, TlsWire, openssl

assert apps  # a fixture


def get(url: str, client: ssl.SSLContext, path: str = "") -> str:
    with httpx.Client(verify=client, timeout=PATIENCE) as session:
        return session.get(url.replace("127.0.0.1", "localhost") + path).text


@pytest.mark.parametrize("interface", ["asgi", "wsgi", "rook"])
def test_run(apps: Path, pair: Pair, client: ssl.SSLContext, interface: str) -> None:
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with command(apps, f"apps:{interface}", "--port", "0", *files) as child:
        url = started(child)
        assert url.startswith("https://127.0.0.1:")
        assert get(url, client).startswith(interface)
        os.kill(child.pid, signal.SIGTERM)
        assert child.finish()[0] == 0


def test_workers(apps: Path, pair: Pair, client: ssl.SSLContext) -> None:
    files = {"HTTPUV_TLS_CERT": str(pair.cert), "HTTPUV_TLS_KEY": str(pair.key)}
    with command(apps, "apps:wsgi", "--port", "0", "--workers", "2", **files) as child:
        url = started(child)
        assert url.startswith("https://")
        assert get(url, client).startswith("wsgi")
        os.kill(child.pid, signal.SIGTERM)
        assert child.finish()[0] == 0


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_ticket_is_good_at_every_worker(
    apps: Path, pair: Pair, client: ssl.SSLContext, version: str
) -> None:
    """Also at one that was started later."""
    client.maximum_version = client.minimum_version = ssl.TLSVersion[version]
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with command(apps, "apps:rook", "--port", "0", "--workers", "2", *files) as child:
        where = address_of(started(child))

        def ask(session: ssl.SSLSession | None) -> tuple[int, ssl.SSLSession, bool]:
            with TlsWire(where, client, session=session) as wire:
                wire.send(request())
                worker = int(wire.response().body.split()[1])
                found, resumed = wire.tls.session, wire.tls.session_reused
            assert found is not None and resumed is not None
            return worker, found, resumed

        first, session, resumed = ask(None)
        assert not resumed
        os.kill(first, signal.SIGSTOP)  # so that the other one accepts
        second, _, resumed = ask(session)
        assert second != first and resumed
        os.kill(second, signal.SIGKILL)
        until(lambda: len(children(child) - {first, second}) == 1)
        third, _, resumed = ask(session)
        assert third not in (first, second) and resumed


#: `httpuv run` with new keys of tickets all the time.
ROTATING = """
import sys
from httpuv.cli import main
from httpuv.cli.shared import tickets
tickets.PERIOD = 0.05
sys.exit(main(sys.argv[1:]))
"""


def test_workers_get_new_keys_of_tickets(apps: Path, pair: Pair, client: ssl.SSLContext) -> None:
    """A ticket is refused once its key was replaced three times; a process alone keeps it 2 h."""
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with Script(ROTATING, "run", "apps:rook", "--port=0", "--workers=2", *files, cwd=apps) as child:
        where = address_of(started(child))
        with TlsWire(where, client) as wire:
            wire.send(request())
            assert wire.response().status == 200
            session = wire.tls.session

        def refused() -> bool:
            with TlsWire(where, client, session=session) as wire:
                return not wire.tls.session_reused

        until(refused)


# --- from http ---


def redirecting(apps: Path, pair: Pair, name: str, *arguments: str) -> Script:
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    return command(apps, f"apps:{name}", "--port=0", *files, "--redirect-http=0", *arguments)


def both(child: Script) -> tuple[str, tuple[str, int]]:
    """The URL of HTTPS, and where plain HTTP is listened."""
    while not (line := child.error_line()).startswith("at "):
        pass
    found = re.fullmatch(r"Clients of (http:\S+) are sent to HTTPS", child.error_line())
    assert found is not None
    assert "1 worker; kill -HUP" in child.error_line()
    return line.removeprefix("at "), address_of(found[1])


def test_redirect(apps: Path, pair: Pair, client: ssl.SSLContext) -> None:
    with redirecting(apps, pair, "asgi", "--health=/livez") as child:
        url, where = both(child)
        port = address_of(url)[1]
        for host in ("localhost", "localhost:80", "a.example.:8080", "[::1]"):
            answer = fetch(where, request("/a%20b?c=d&e=%2F", host=host))
            name = host.removesuffix(":80").removesuffix(":8080")
            assert (answer.status, answer.body) == (308, b"")
            assert answer.get("Location") == f"https://{name}:{port}/a%20b?c=d&e=%2F"
        for target, to in [
            ("http://other.example/x?y", f"https://other.example:{port}/x?y"),
            ("http://other.example", f"https://other.example:{port}/"),
            ("//evil.example/x", f"https://localhost:{port}//evil.example/x"),
        ]:
            host = "other.example" if "other" in target else "localhost"
            answer = fetch(where, request(target, host=host, method="POST", body=b"x"), "POST")
            assert (answer.status, answer.get("Location")) == (308, to)
        assert fetch(where, request(version="1.0", host=None)).status == 400
        assert fetch(where, request("/livez")).body == b"ok\n"
        with httpx.Client(verify=client, follow_redirects=True, timeout=PATIENCE) as session:
            answer = session.get(f"http://localhost:{where[1]}/")
            assert answer.url.scheme == "https" and answer.text.startswith("asgi")
        os.kill(child.pid, signal.SIGTERM)
        assert child.finish()[0] == 0


def test_redirect_while_python_is_stuck(apps: Path, pair: Pair, client: ssl.SSLContext) -> None:
    with redirecting(apps, pair, "wsgi", "--graceful-timeout=0.2") as child:
        url, where = both(child)
        with TlsWire(address_of(url), client) as wire:
            wire.send(request("/stuck"))
            while child.line() != "begun":
                pass
            assert fetch(where, request()).status == 308
        os.kill(child.pid, signal.SIGTERM)
        assert child.finish()[0] == 0


def test_redirect_to_the_hosts_that_are_served(apps: Path, pair: Pair) -> None:
    arguments = ("--allowed-host=localhost", "--allowed-host=*.example.com", "--redirect-port=443")
    with redirecting(apps, pair, "rook", *arguments) as child:
        where = both(child)[1]
        for host, status in [("localhost", 308), ("a.example.com", 308), ("evil.example", 403)]:
            answer = fetch(where, request("/x", host=host))
            assert answer.status == status
            if status == 308:
                assert answer.get("Location") == f"https://{host}/x"


def test_hangup(
    apps: Path, authority: Authority, pair: Pair, client: ssl.SSLContext, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copyfile(pair.cert, cert)
    shutil.copyfile(pair.key, key)
    files = ("--tls-cert", str(cert), "--tls-key", str(key))
    with command(apps, "apps:rook", "--port", "0", *files) as child:
        url = started(child)
        after = authority.issue("after-hangup", "localhost")
        shutil.copyfile(after.cert, cert)
        os.kill(child.pid, signal.SIGHUP)
        assert "the certificate before stays in use: " in child.error_line()
        shutil.copyfile(after.key, key)
        os.kill(child.pid, signal.SIGHUP)
        assert child.error_line() == "The certificate was read again."
        assert get(url, client).startswith("rook")
        os.kill(child.pid, signal.SIGTERM)
        assert child.finish()[0] == 0


def test_serve(tmp_path: Path, pair: Pair, client: ssl.SSLContext) -> None:
    (tmp_path / "file.txt").write_text("content")
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    arguments = ("serve", str(tmp_path), "--port", "0", "--no-browse", *files)
    with Script("", *arguments, module="httpuv", cwd=os.getcwd()) as child:
        while not (line := child.error_line()).startswith("at "):
            pass
        url = line.removeprefix("at ")
        assert url.startswith("https://")
        assert get(url, client, "file.txt") == "content"
        os.kill(child.pid, signal.SIGTERM)
        child.finish()


def test_mistakes(apps: Path, pair: Pair, authority: Authority, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", locked)
    cert, key = str(pair.cert), str(pair.key)
    for arguments, part in [
        (("--tls-cert", "nowhere.pem"), "--tls-cert: "),
        (("--tls-cert", cert, "--tls-key", "nowhere.key"), "--tls-key: "),
        (("--tls-cert", cert), "has no private key"),
        (("--tls-cert", cert, "--tls-key", str(authority.pair.key)), "is not the key of"),
        (("--tls-cert", cert, "--tls-key", str(locked)), "see --tls-key-password"),
        (("--tls-key", key), "--tls-key needs --tls-cert"),
        (("--redirect-http", "0"), "--redirect-http needs --tls-cert"),
        (("--redirect-http", "a b"), "--redirect-http must be PORT or HOST:PORT"),
        (
            ("--tls-cert", cert, "--tls-key", key, "--uds", "s", "--redirect-http", "0"),
            "needs --redirect-port",
        ),
        (
            ("--tls-cert", cert, "--tls-key", key, "--redirect-http", "192.0.2.1:0"),
            "--redirect-http: 192.0.2.1 port 0 is no address of this machine",
        ),
        (("--allowed-host", "http://a"), "--allowed-host must be a name without scheme"),
        (("--tls-cert", cert, "--tls-key", key, "--tls-verify", "required"), "needs --tls-ca"),
        (("--tls-cert", cert, "--tls-key", key, "--tls-min-version", "1.1"), "one of 1.2, 1.3"),
    ]:
        with command(apps, "apps:rook", "--port", "0", *arguments) as child:
            code, _, errors = child.finish()
        assert code != 0
        assert len(errors.splitlines()) == 1 and errors.startswith("httpuv: "), errors
        assert part in errors
