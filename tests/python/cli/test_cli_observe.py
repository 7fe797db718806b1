"""What an operator sees of `httpuv run`: health, metrics, stuck and worn-out workers, its log."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from cli_support import apps, command
from metrics_support import samples, value
from support import Script, fetch, listening, request
from test_cli_workers import children, pid_of, until

assert apps  # a fixture

REQUESTS = "http_server_requests_total"


def begun(child: Script) -> tuple[str, str]:
    """Where it listens, and where health and metrics are, as it says."""
    url = admin = ""
    while "Ctrl-C to stop" not in (line := child.error_line()):
        if line.startswith("at "):
            url = line.removeprefix("at ").strip()
        if line.startswith("Health and metrics at "):
            admin = line.removeprefix("Health and metrics at ").strip()
    return url, admin


def counted(url: str, name: str = REQUESTS, **labels: str) -> float:
    return value(samples(httpx.get(url, timeout=60).content), name, **labels)


def test_workers_add_up_behind_one_path(apps: Path) -> None:
    with command(apps, "apps:asgi", "--port=0", "--workers=2", "--metrics=/metrics") as child:
        url, _ = begun(child)
        seen, asked = set(), 0
        while len(seen) < 2:
            seen.add(pid_of(url))
            asked += 1
        metrics = url + "metrics"
        until(lambda: counted(metrics, kind="app") == asked)
        until(lambda: counted(metrics, "httpuv_workers") == 2)
        os.kill(pid_of(url), signal.SIGKILL)
        until(lambda: len(children(child) - seen) == 1)
        until(lambda: counted(metrics, "httpuv_workers") == 2)
        # Also what the killed one had counted.
        until(lambda: counted(metrics, kind="app") == asked + 1)


def test_counters_survive_a_reload(apps: Path) -> None:
    with command(apps, "apps:rook", "--port=0", "--workers=2", "--admin=127.0.0.1:0") as child:
        url, admin = begun(child)
        old = children(child)
        for _ in range(5):
            assert pid_of(url) in old
        os.kill(child.pid, signal.SIGHUP)
        until(lambda: len(children(child)) == 2 and not children(child) & old)
        until(lambda: counted(admin + "metrics", kind="app") == 5)
        assert httpx.get(admin + "readyz").text == "ok\n"
        assert httpx.get(admin).status_code == 404


def test_admin_on_a_unix_socket_of_one_process(apps: Path, tmp_path: Path) -> None:
    path = tmp_path / "admin"
    with command(apps, "apps:wsgi", "--port=0", f"--admin={path}") as child:
        assert begun(child)[1] == f"unix:{path}"
        assert fetch(str(path), request("/livez")).status == 200
        child.process.terminate()
        assert child.finish()[0] == 0
    assert not path.exists()


def test_admin_that_is_taken(apps: Path) -> None:
    with (
        listening() as port,
        command(apps, "apps:wsgi", "--port=0", f"--admin=127.0.0.1:{port}") as child,
    ):
        status, _, errors = child.finish()
    assert status == 1 and errors.count("\n") == 1
    assert f"--admin: 127.0.0.1 port {port} is taken" in errors


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_stuck_worker_is_reported_and_replaced(apps: Path, name: str) -> None:
    options = ("--stuck-timeout=1", "--stuck-replace", "--health=/livez")
    with command(apps, f"apps:{name}", "--port=0", *options) as child:
        url, _ = begun(child)
        (before,) = children(child)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            httpx.get(url + ("wait" if name == "rook" else "stuck"), timeout=60)
        while "Python has been stuck for" not in (line := child.error_line()):
            pass
        assert f"worker {before}" in line and "killed" in line
        until(lambda: children(child) and before not in children(child))
        assert pid_of(url) != before


def test_stuck_worker_is_reported_once_and_goes_on(apps: Path) -> None:
    options = ("--workers=2", "--stuck-timeout=0.5", "--ready=/readyz", "--ready-max-wait=0.2")
    with command(apps, "apps:rook", "--port=0", *options) as child:
        url, _ = begun(child)
        both = children(child)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.get, url + "wait", timeout=60)
            while "Python has been stuck for" not in (line := child.error_line()):
                pass
            assert "killed" not in line
            child.tell()
            assert answer.result().status_code == 200
        while "Python goes on" not in child.error_line():
            pass
        assert children(child) == both


def test_worker_is_replaced_after_its_requests(apps: Path) -> None:
    with command(apps, "apps:wsgi", "--port=0", "--max-requests=5") as child:
        url, _ = begun(child)
        first = pid_of(url)
        for _ in range(4):
            httpx.get(url)
        until(lambda: children(child) and first not in children(child))
        assert pid_of(url) != first


def test_access_log_of_workers(apps: Path, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    options = ("--access-log", "--log-format=json", f"--access-log-file={path}", "--workers=2")
    with command(apps, "apps:asgi", "--port=0", *options, "--proxy-headers") as child:
        url, _ = begun(child)
        for number in range(4):
            fields = {"X-Forwarded-For": f"203.0.113.{number}", "X-Request-ID": f"id-{number}"}
            httpx.get(url + f"{number}", headers=fields)
        until(lambda: path.exists() and path.read_text().count("\n") == 4)
        child.process.terminate()
        assert child.finish()[0] == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {each["client"] for each in lines} == {f"203.0.113.{n}" for n in range(4)}
    assert {each["request_id"] for each in lines} == {f"id-{n}" for n in range(4)}
    assert all(each["status"] == 200 and each["kind"] == "app" for each in lines)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--forwarded-allow-ips=here", "must be an address, a network, unix or *"),
        ("--health=livez", "must be a path that begins with a slash"),
        ("--admin=here", "must be HOST:PORT or the path of a Unix socket"),
        ("--log-format=pretty", "must be text, common, combined, json"),
    ],
)
def test_mistakes(apps: Path, option: str, words: str) -> None:
    with command(apps, "apps:wsgi", option) as child:
        status, _, errors = child.finish()
    assert status == 2 and words in errors
    assert "Traceback" not in errors
