"""`gunicorn -k httpuv.gunicorn.Worker`."""

import concurrent.futures
import os
import signal
import socket
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


def test_messages_have_gunicorns_names(apps: Path, pair: Pair) -> None:
    options = ("--certfile", str(pair.cert), "--keyfile", str(pair.key), "--cert-reqs", "2")
    with gunicorn(apps, "apps:wsgi", *options) as child:
        status, _, errors = child.finish(60)
    assert status == 3 and "--cert-reqs required needs --ca-certs" in errors


def test_one_address_is_served(apps: Path) -> None:
    with gunicorn(apps, "apps:wsgi", "--bind", "127.0.0.1:0") as child:
        status, _, errors = child.finish(60)
    assert status == 3 and "--bind: this worker serves one address, not 2" in errors


def test_timeout_replaces_a_worker_with_stuck_python(apps: Path) -> None:
    (apps / "gunicorn.conf.py").write_text("def worker_abort(worker):\n    print('aborted')\n")
    with gunicorn(apps, "apps:asgi", "--timeout", "2") as child:
        url = listening(child)
        first = httpx.get(url, timeout=60).text
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(httpx.get, url + "/stuck", timeout=60)
            while "WORKER TIMEOUT" not in child.error_line():
                pass
            with pytest.raises(httpx.TransportError):
                stuck.result()
        assert httpx.get(url, timeout=60).text != first
        child.process.terminate()
        status, output, _ = child.finish(60)
    assert status == 0 and "aborted" in output


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "192.0.2.7 https"),
        (("--forwarded-allow-ips", "192.0.2.0/24"), "127.0.0.1 http"),
        (("--forwarded-allow-ips", "*"), "192.0.2.7 https"),
    ],
)
def test_forwarded_allow_ips(apps: Path, options: tuple[str, ...], expected: str) -> None:
    with gunicorn(apps, "apps:client", *options) as child:
        fields = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        assert httpx.get(listening(child), headers=fields, timeout=60).text == expected


def test_limits_and_times(apps: Path) -> None:
    options = ("--limit-request-fields", "10", "--keep-alive", "1")
    with gunicorn(apps, "apps:wsgi", *options) as child:
        url = httpx.URL(listening(child))
        many = {f"X-{number}": "x" for number in range(11)}
        assert httpx.get(url, headers=many, timeout=60).status_code == 431
        with socket.create_connection((url.host, url.port), 60) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while client.recv(65536):  # the deadline of the package is 75 s
                pass


def test_access_log(apps: Path) -> None:
    with gunicorn(apps, "apps:wsgi", "--access-logfile", "access.log") as child:
        httpx.get(listening(child) + "/x", headers={"User-Agent": "me"}, timeout=60)
        child.process.terminate()
        assert child.finish(60)[0] == 0
    (line,) = (apps / "access.log").read_text().splitlines()
    assert '"GET /x HTTP/1.1" 200 ' in line and line.endswith('"-" "me"')


def test_settings_without_effect_are_reported_once(apps: Path) -> None:
    options = ("--workers", "2", "--limit-request-line", "500", "--keep-alive", "0")
    with gunicorn(apps, "apps:wsgi", *options) as child:
        listening(child)
        lines: list[str] = []
        while sum("httpuv serves" in line for line in lines) < 2:
            lines.append(child.error_line())
    told = [line for line in lines if "[WARNING]" in line]
    assert len(told) == 2
    assert "limit_request_line has no effect" in told[0] and "98304 bytes together" in told[0]
    assert "keepalive 0 is taken as 1 s" in told[1]


def test_reload_of_changed_sources(apps: Path) -> None:
    with gunicorn(apps, "apps:wsgi", "--reload", "--reload-engine", "poll") as child:
        url = listening(child)
        first = httpx.get(url, timeout=60).text
        (apps / "apps.py").write_text((apps / "apps.py").read_text() + "\n# changed\n")
        while f"Worker exiting (pid: {first.split()[1]})" not in child.error_line():
            pass
        assert httpx.get(url, timeout=60).text != first


def test_max_requests(apps: Path) -> None:
    with gunicorn(apps, "apps:asgi", "--max-requests", "3") as child:
        url = listening(child)
        first = httpx.get(url, timeout=60).text
        while httpx.get(url, timeout=60).text == first:
            pass
        child.process.terminate()
        assert child.finish(60)[0] == 0
