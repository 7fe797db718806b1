"""HTTPS by `httpuv run` and `httpuv serve`."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
from pathlib import Path

import httpx
import pytest
from cli_support import apps, command, started
from support import PATIENCE, Script
from tls_support import Authority, Pair, openssl

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
        (("--tls-cert", cert, "--tls-key", key, "--tls-verify", "required"), "needs --tls-ca"),
        (("--tls-cert", cert, "--tls-key", key, "--tls-min-version", "1.1"), "one of 1.2, 1.3"),
    ]:
        with command(apps, "apps:rook", "--port", "0", *arguments) as child:
            code, _, errors = child.finish()
        assert code != 0
        assert len(errors.splitlines()) == 1 and errors.startswith("httpuv: "), errors
        assert part in errors
