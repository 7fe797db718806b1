"""`gunicorn -k httpuv.gunicorn.Worker`."""

import concurrent.futures
import os
import signal
import ssl
from pathlib import Path

import httpx
import pytest
from cli_support import apps
from support import Script
from tls_support import Authority, Pair

assert apps  # a fixture
pytest.importorskip("gunicorn")

RUN = "import sys; from gunicorn.app.wsgiapp import run; sys.exit(run())"


def gunicorn(cwd: Path, *arguments: str) -> Script:
    options = ["-k", "httpuv.gunicorn.Worker", "--bind", "127.0.0.1:0", "--no-control-socket"]
    return Script(RUN, *options, *arguments, cwd=cwd)


def listening(child: Script) -> str:
    while "Listening at: " not in (line := child.error_line()):
        pass
    return line.partition("Listening at: ")[2].split()[0]


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_serves_and_ends(apps: Path, name: str) -> None:
    arguments = ["--workers", "2", "--graceful-timeout", "60"]
    with gunicorn(apps, f"apps:{name}", *arguments) as child:
        url = listening(child)
        for _ in range(2):  # gunicorn loses a SIGTERM that comes while a worker starts
            while "httpuv serves" not in child.error_line():
                pass
        assert httpx.get(url, timeout=60).text.startswith(name)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.get, url + "/wait", timeout=60)
            while child.line() != "begun":
                pass
            os.kill(child.pid, signal.SIGTERM)
            while "Handling signal: term" not in child.error_line():
                pass
            child.tell()
            assert answer.result().text.startswith(name)
        status, _, errors = child.finish(60)
    assert status == 0 and "Traceback" not in errors


def test_reload(apps: Path) -> None:
    with gunicorn(apps, "apps:asgi", "--workers", "1") as child:
        url = listening(child)
        first = httpx.get(url, timeout=60).text
        os.kill(child.pid, signal.SIGHUP)
        while f"Worker exiting (pid: {first.split()[1]})" not in child.error_line():
            pass
        assert httpx.get(url, timeout=60).text != first
        child.process.terminate()
        assert child.finish(60)[0] == 0


def test_that_cannot_start_ends_it(apps: Path) -> None:
    with gunicorn(apps, "apps:cannot_start") as child:
        status, _, errors = child.finish(60)
    assert status == 3 and "failed to start: no database" in errors


def test_worker_that_is_interrupted_ends_at_once(apps: Path) -> None:
    with gunicorn(apps, "apps:wsgi") as child:
        httpx.get(listening(child), timeout=60)
        os.kill(child.pid, signal.SIGINT)
        assert child.finish(60)[0] == 0


def test_https(apps: Path, pair: Pair, client: ssl.SSLContext) -> None:
    files = ("--certfile", str(pair.cert), "--keyfile", str(pair.key))
    with gunicorn(apps, "apps:wsgi", *files) as child:
        url = listening(child)
        assert url.startswith("https://")
        with httpx.Client(verify=client, timeout=60) as session:
            assert session.get(url.replace("127.0.0.1", "localhost")).text.startswith("wsgi")


def test_a_wrong_certificate_ends_it(apps: Path, pair: Pair, authority: Authority) -> None:
    files = ("--certfile", str(pair.cert), "--keyfile", str(authority.pair.key))
    with gunicorn(apps, "apps:wsgi", *files) as child:
        status, _, errors = child.finish(60)
    assert status == 3 and "is not the key of the certificate" in errors


def test_max_requests(apps: Path) -> None:
    with gunicorn(apps, "apps:asgi", "--max-requests", "3") as child:
        url = listening(child)
        first = httpx.get(url, timeout=60).text
        while httpx.get(url, timeout=60).text == first:
            pass
        child.process.terminate()
        assert child.finish(60)[0] == 0
