"""From the first signal to the end of `httpuv run`."""

import concurrent.futures
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cli_support import apps, children, command, started
from support import PATIENCE, Script, Wire, request
from ws_support import KEY, wait_until

assert apps  # a fixture

SIGNALS = [signal.SIGTERM, signal.SIGINT]
INTERFACES = ["asgi", "wsgi", "rook"]


def where(url: str) -> tuple[str, int]:
    parts = httpx.URL(url)
    assert parts.port is not None
    return parts.host, parts.port


def refused(address: tuple[str, int]) -> None:
    """Wait until no connection is accepted."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(address, PATIENCE).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was in the queue as that was closed
            continue
        assert time.monotonic() < until, "it still listens"


@contextlib.contextmanager
def at_work(apps: Path, name: str, path: str, graceful: str) -> Iterator[tuple[Script, Wire]]:
    """An application that has begun to answer a request."""
    with (
        command(apps, f"apps:{name}", "--port=0", f"--graceful-timeout={graceful}") as child,
        Wire(where(started(child))) as wire,
    ):
        wire.send(request(path))
        if name == "asgi":
            assert child.line() == "lifespan.startup"
        assert child.line() == "begun"
        yield child, wire


@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("name", INTERFACES)
def test_idle(apps: Path, name: str, how: signal.Signals) -> None:
    with command(apps, f"apps:{name}", "--port", "0") as child:
        url = started(child)
        with httpx.Client() as client:  # with an idle connection
            assert client.get(url).status_code == 200
            os.kill(child.pid, how)
            status, output, errors = child.finish()
    assert (status, errors) == (0, "")
    if name == "asgi":
        assert output.split() == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("name", INTERFACES)
def test_what_runs_is_answered(apps: Path, name: str, threads: str) -> None:
    arguments = [f"apps:{name}", "--port", "0", "--threads", threads, "--graceful-timeout", "60"]
    with command(apps, *arguments) as child:
        url = started(child)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.get, url + "wait", timeout=60)
            while child.line() != "begun":
                pass
            os.kill(child.pid, signal.SIGTERM)
            refused(where(url))
            assert not answer.done()
            child.tell()
            assert answer.result().text.split()[0] == name
        assert child.finish()[0] == 0


@pytest.mark.parametrize("name", INTERFACES)
def test_second_signal_ends_at_once(apps: Path, name: str) -> None:
    with command(apps, f"apps:{name}", "--port=0", "--graceful-timeout=600") as child:
        url = started(child)
        with Wire(where(url)) as wire:
            wire.send(request("/wait"))
            while child.line() != "begun":
                pass
            os.kill(child.pid, signal.SIGTERM)
            refused(where(url))
            os.kill(child.pid, signal.SIGINT)
            assert child.finish(keep_input=True)[0] == 128 + signal.SIGINT
            assert wire.at_end()


def test_a_call_of_c_goes_on(apps: Path) -> None:
    """A signal neither waits for it nor interrupts it."""
    with at_work(apps, "wsgi", "/in-c", "600") as (child, wire):
        os.kill(child.pid, signal.SIGTERM)
        refused(wire.socket.getpeername())
        child.tell()
        assert child.line() == "1"
        assert wire.response().status == 200
        assert child.finish()[0] == 0


def test_second_signal_ends_a_process_that_keeps_the_gil(apps: Path) -> None:
    with at_work(apps, "wsgi", "/with-gil", "600") as (child, _):
        for each in SIGNALS:
            os.kill(child.pid, each)
        status, _, _ = child.finish(keep_input=True)
        assert status in [128 + each for each in SIGNALS]


def test_graceful_timeout_ends_a_process_whose_output_is_stuck(apps: Path) -> None:
    with at_work(apps, "wsgi", "/full", "0.5") as (child, _):
        os.kill(child.pid, signal.SIGTERM)
        assert child.process.wait(PATIENCE) == 0


def test_a_forked_child_is_ended_alone(apps: Path) -> None:
    with command(apps, "apps:forks", "--port=0") as child:
        url = started(child)
        forked = int(httpx.get(url).text.split()[2])
        os.kill(forked, signal.SIGTERM)
        wait_until(lambda: forked not in children(child))
        assert httpx.get(url + "?again").status_code == 200


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_graceful_timeout_ends_what_is_stuck(apps: Path, name: str) -> None:
    with at_work(apps, name, "/stuck", "0.5") as (child, _):
        os.kill(child.pid, signal.SIGTERM)
        status, _, errors = child.finish()
    assert status == 0
    assert "--graceful-timeout" in errors and len(errors.splitlines()) == 1


def test_streams_and_sockets_are_told(apps: Path) -> None:
    with command(apps, "apps:asgi", "--port=0", "--graceful-timeout=60") as child:
        address = where(started(child))
        assert child.line() == "lifespan.startup"
        with Wire(address) as stream, Wire(address) as web_socket:
            stream.send(request("/stream"))
            assert stream.head().status == 200
            fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
            web_socket.send(request("/", *fields, f"Sec-WebSocket-Key: {KEY}"))
            assert web_socket.head().status == 101
            os.kill(child.pid, signal.SIGTERM)
            close = web_socket._exactly(4)
            assert close[0] == 0x88 and close[2:] == b"\x03\xe9"  # 1001: going away
            # The client's own close frame, masked with zeros.
            web_socket.send(b"\x88\x82\0\0\0\0\x03\xe9")
            assert {child.line(), child.line()} == {"socket told", "stream told"}
        status, output, errors = child.finish()
    assert (status, output, errors) == (0, "lifespan.shutdown\n", "")


def test_signal_while_the_application_is_imported(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys\nprint('begun', flush=True)\nsys.stdin.readline()"
    )
    with command(tmp_path, "slow:app", "--port=0") as child:
        assert child.line() == "begun"
        os.kill(child.pid, signal.SIGTERM)
        status, _, errors = child.finish(keep_input=True)
    assert (status, errors) == (0, "")


def _unshare() -> list[str]:
    """How to run a command as process 1; empty where that is not allowed."""
    program = shutil.which("unshare")
    if program is None:
        return []
    how = [program, "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    tried = subprocess.run([*how, "true"], capture_output=True, check=False)
    return how if tried.returncode == 0 else []


@pytest.mark.parametrize("name", INTERFACES)
def test_process_1(apps: Path, name: str) -> None:
    """The kernel has no default action there: each signal needs a handler."""
    unshare = _unshare()
    if not unshare:
        pytest.skip("processes of a name space of their own are not allowed here")
    code = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    run = [*unshare, sys.executable, "-m", "httpuv", "run", f"apps:{name}", "--port", "0"]
    with Script(code, *run, cwd=apps) as child:
        url = started(child)
        assert httpx.get(url).text.split()[:2] == [name, "1"]
        children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert child.finish()[0] == 0


def test_application_that_calls_exit_is_named(apps: Path) -> None:
    said = "httpuv: the application has called sys.exit(3), which ends this process"
    with command(apps, "apps:wsgi", "--port", "0") as child:
        assert httpx.get(started(child) + "exit", timeout=60).status_code == 500
        assert child.finish()[::2] == (3, f"{said}\n")
    with command(apps, "apps:wsgi", "--port", "0", "--workers", "2") as child:
        url = started(child)
        assert httpx.get(url + "exit", timeout=60).status_code == 500
        assert child.error_line() == said
        assert child.error_line().endswith("ended with status 3; another takes its place")
        assert httpx.get(url, timeout=60).text.startswith("wsgi")
