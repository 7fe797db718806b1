"""Workers of `httpuv run`: started, restarted, replaced, added, removed and stopped."""

import concurrent.futures
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cli_load import address_of, until
from cli_support import apps, children, command, started
from support import PATIENCE, Script, Wire, fetch, listening, request

assert apps  # a fixture

INTERFACES = ["asgi", "wsgi", "rook"]


def pid_of(url: str) -> int:
    """Which worker answers on a separate connection."""
    return int(httpx.get(url, timeout=60).text.split()[1])


def workers(cwd: Path, name: str, *arguments: str, number: int = 2) -> Script:
    return command(cwd, f"apps:{name}", "--port", "0", "--workers", str(number), *arguments)


@pytest.mark.parametrize("name", INTERFACES)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_start_and_end(apps: Path, name: str, how: signal.Signals) -> None:
    with workers(apps, name) as child:
        url = started(child)
        both = children(child)
        assert len(both) == 2
        assert pid_of(url) in both
        os.kill(child.pid, how)
        status, _, errors = child.finish()
    assert (status, errors) == (0, "")
    assert not any(Path(f"/proc/{each}").exists() for each in both)


def test_ctrl_c_reaches_all_processes(apps: Path) -> None:
    with workers(apps, "asgi") as child:
        started(child)
        os.killpg(child.pid, signal.SIGINT)
        status, output, errors = child.finish()
    assert (status, errors) == (0, "")
    assert sorted(output.split()) == ["lifespan.shutdown"] * 2 + ["lifespan.startup"] * 2


def test_says_how_many(apps: Path) -> None:
    with workers(apps, "wsgi") as child:
        assert "apps:wsgi" in child.error_line()
        assert child.error_line().startswith("at http://127.0.0.1:")
        assert "2 workers" in child.error_line()


@pytest.mark.parametrize("name", ["broken", "apps"])
def test_that_cannot_start(apps: Path, name: str) -> None:
    with command(apps, f"{name}:nothing", "--port", "0", "--workers", "3") as child:
        status, _, errors = child.finish()
    assert status == 1
    if name == "apps":
        assert (
            errors.startswith("httpuv: apps has no attribute nothing") and errors.count("\n") == 1
        )
    else:
        assert errors.count("KeyError: 'mine'") == 1 and "/httpuv/" not in errors


def test_port_is_taken(apps: Path) -> None:
    with listening() as port, command(apps, "apps:asgi", f"--port={port}", "--workers=2") as child:
        status, _, errors = child.finish()
    assert status == 1
    assert f"port {port} is taken by another program" in errors and errors.count("\n") == 1


def test_crashed_worker_is_started_again(apps: Path) -> None:
    with workers(apps, "asgi") as child:
        url = started(child)
        victim = pid_of(url)
        os.kill(victim, signal.SIGKILL)
        assert f"worker {victim} was ended by SIGKILL" in child.error_line()
        until(lambda: len(children(child)) == 2)
        assert pid_of(url) != victim
        child.process.terminate()
        assert child.finish()[0] == 0


def test_worker_that_ends_by_a_signal_of_its_own_drains(apps: Path) -> None:
    with workers(apps, "asgi") as child, concurrent.futures.ThreadPoolExecutor(1) as pool:
        url = started(child)
        answer = pool.submit(httpx.get, url + "wait", timeout=60)
        while child.line() != "begun":
            pass
        before = children(child)
        for each in before:
            os.kill(each, signal.SIGTERM)
        until(lambda: len(children(child) - before) == 1)  # the idle one was replaced
        child.tell()
        assert int(answer.result().text.split()[1]) in before
        until(lambda: len(children(child)) == 2 and not children(child) & before)
        assert pid_of(url) not in before


@pytest.mark.parametrize("name", INTERFACES)
def test_rolling_reload_refuses_nothing(apps: Path, name: str) -> None:
    with workers(apps, name, "--graceful-timeout", "60") as child:
        url = started(child)
        old = children(child)
        stop = False

        def ask() -> int:
            count = 0
            while not stop:
                assert httpx.get(url, timeout=60).status_code == 200
                count += 1
            return count

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            waiting = None
            if name == "asgi":  # one that is under way meanwhile
                waiting = pool.submit(httpx.get, url + "wait", timeout=60)
                while child.line() != "begun":
                    pass
            asking = [pool.submit(ask) for _ in range(2)]
            os.kill(child.pid, signal.SIGHUP)
            try:
                if waiting is not None:
                    until(
                        lambda: len(children(child) - old) == 2 and len(children(child) & old) == 1
                    )
                    child.tell()
                    assert int(waiting.result().text.split()[1]) in old
                until(lambda: len(children(child)) == 2 and not children(child) & old)
            finally:
                stop = True
            assert all(each.result() > 0 for each in asking)
        assert pid_of(url) not in old
        child.process.terminate()
        assert child.finish()[0] == 0


def test_reload_brings_new_code_and_a_failing_one_leaves_the_old(apps: Path) -> None:
    source = apps / "apps.py"
    with workers(apps, "rook") as child:
        url = started(child)
        before = children(child)
        good = source.read_text()
        source.write_text("1 / 0")
        os.kill(child.pid, signal.SIGHUP)
        seen = []
        while "the old ones go on" not in (line := child.error_line()):
            seen.append(line)
        assert "ZeroDivisionError: division by zero" in seen
        assert children(child) == before and pid_of(url) in before
        source.write_text(good.replace("rook {os", "new {os"))
        os.kill(child.pid, signal.SIGHUP)
        until(lambda: len(children(child)) == 2 and not children(child) & before)
        assert httpx.get(url).text.startswith("new ")


def test_worker_that_hangs_at_its_start_is_replaced_by_the_next_change(apps: Path) -> None:
    source = apps / "apps.py"
    with workers(apps, "rook") as child:
        url = started(child)
        good = source.read_text()
        source.write_text("import time\nprint('hangs', flush=True)\ntime.sleep(1000)\n")
        os.kill(child.pid, signal.SIGHUP)
        assert child.line() == "hangs"
        source.write_text(good.replace("rook {os", "new {os"))
        os.kill(child.pid, signal.SIGHUP)
        until(lambda: httpx.get(url, timeout=60).text.startswith("new "))


def test_reload_after_the_directory_was_removed(apps: Path) -> None:
    home = apps / "home"
    home.mkdir()
    shutil.copy(apps / "apps.py", home)
    with command(home, "apps:wsgi", "--port", "0", "--workers", "2") as child:
        url = started(child)
        shutil.rmtree(home)
        os.kill(child.pid, signal.SIGHUP)
        assert child.error_line() == "New workers replace the old ones."
        assert child.error_line() == "httpuv: the current directory does not exist any more"
        assert "the old ones go on" in child.error_line()
        assert httpx.get(url, timeout=60).text.startswith("wsgi")


@pytest.mark.parametrize("number", [1, 2])
def test_signals_of_other_servers_do_not_end_it(apps: Path, number: int) -> None:
    with command(apps, "apps:wsgi", "--port", "0", "--workers", str(number)) as child:
        url = started(child)
        running = children(child) if number > 1 else set()
        for each in (signal.SIGUSR1, signal.SIGUSR2):
            for pid in (child.pid, *running):  # systemctl kill reaches all of them
                os.kill(pid, each)
        for _ in range(10):
            assert httpx.get(url, timeout=60).text.startswith("wsgi")
        assert number == 1 or children(child) == running
        child.process.terminate()
        assert child.finish()[0] == 0


def test_add_and_remove(apps: Path) -> None:
    with workers(apps, "asgi", number=2) as child:
        url = started(child)
        os.kill(child.pid, signal.SIGTTIN)
        until(lambda: len(children(child)) == 3)
        for left in (2, 1):
            os.kill(child.pid, signal.SIGTTOU)
            until(lambda left=left: len(children(child)) == left)
        os.kill(child.pid, signal.SIGTTOU)  # one stays
        os.kill(child.pid, signal.SIGHUP)
        while "New workers" not in child.error_line():
            pass
        last = children(child)
        until(lambda: len(children(child)) == 1 and children(child) != last)
        assert {pid_of(url)} == children(child)


def test_second_signal_ends_at_once(apps: Path) -> None:
    with (
        workers(apps, "asgi", "--graceful-timeout=600") as child,
        Wire(address_of(started(child))) as wire,
    ):
        wire.send(request("/wait"))
        while child.line() != "begun":
            pass
        before = children(child)
        os.kill(child.pid, signal.SIGTERM)
        until(lambda: len(children(child)) < len(before))  # the idle one has ended
        os.kill(child.pid, signal.SIGTERM)
        assert child.finish(keep_input=True)[0] == 128 + signal.SIGTERM
        assert wire.at_end()
    assert not any(Path(f"/proc/{each}").exists() for each in before)


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_stuck_worker_ends_in_time(apps: Path, name: str) -> None:
    with (
        workers(apps, name, "--graceful-timeout=0.5") as child,
        Wire(address_of(started(child))) as wire,
    ):
        wire.send(request("/stuck"))
        while child.line() != "begun":
            pass
        child.process.terminate()
        assert child.finish()[0] == 0


def test_workers_end_with_the_command(apps: Path) -> None:
    with workers(apps, "asgi") as child:
        started(child)
        before = children(child)
        child.process.kill()
        child.process.wait()
        until(lambda: not any(Path(f"/proc/{each}").exists() for each in before))


def test_unix_socket(apps: Path) -> None:
    path = apps / "socket"
    with socket.socket(socket.AF_UNIX) as left:  # by a process that has ended
        left.bind(str(path))
    with command(apps, "apps:wsgi", "--uds", "socket", "--workers", "2") as child:
        assert started(child) == f"unix:{path}"
        assert fetch(str(path), request()).body.startswith(b"wsgi")
        with command(apps, "apps:wsgi", "--uds", "socket", "--workers", "2") as other:
            status, _, errors = other.finish()
            assert status == 1 and "socket is taken by another program" in errors
        child.process.terminate()
        assert child.finish()[0] == 0
    assert not path.exists()


def test_worker_that_has_forked_leaves_the_socket_alone(apps: Path) -> None:
    with workers(apps, "forks") as child:
        url = started(child)
        _, worker, copy = httpx.get(url, timeout=60).text.split()
        os.kill(int(worker), signal.SIGTERM)
        assert f"worker {worker} ended with status 0" in child.error_line()
        assert pid_of(url) != int(worker)
        os.kill(int(copy), signal.SIGKILL)


# --- sockets that are given ---


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", INTERFACES)
def test_fd(apps: Path, name: str, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        arguments = ["run", f"apps:{name}", "--fd", str(given.fileno()), "--workers", str(number)]
        process = subprocess.Popen(
            [sys.executable, "-m", "httpuv", *arguments],
            cwd=apps,
            pass_fds=[given.fileno()],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        port = given.getsockname()[1]
    with process:
        try:
            assert process.stderr is not None
            while (line := process.stderr.readline()) and not line.startswith("at "):
                pass
            assert line == f"at http://127.0.0.1:{port}/\n"
            response = httpx.get(f"http://127.0.0.1:{port}/", timeout=60)
            assert response.text.startswith(name)
        finally:
            process.terminate()
        assert process.wait(PATIENCE) == 0


#: As systemd does it: descriptor 3, told by the environment, and the same process id.
PASS = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])
os.execvp(sys.executable, [sys.executable, "-m", "httpuv", "run", *sys.argv[3:]])
"""


@pytest.mark.parametrize("number", [1, 2])
def test_systemd(apps: Path, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        with subprocess.Popen(
            [
                *(sys.executable, "-c", PASS, str(given.fileno()), "1"),
                *("apps:asgi", "--workers", str(number)),
            ],
            cwd=apps,
            pass_fds=[given.fileno()],
            stdout=subprocess.DEVNULL,
        ) as process:
            try:
                url = f"http://127.0.0.1:{given.getsockname()[1]}/"
                assert httpx.get(url, timeout=60).text.startswith("asgi")
            finally:
                process.terminate()
            assert process.wait(PATIENCE) == 0
        # The socket is still its owner's: what connects waits.
        socket.create_connection(given.getsockname(), PATIENCE).close()


def test_wrong_descriptors(apps: Path) -> None:
    with command(apps, "apps:asgi", "--fd", "0") as child:
        status, _, errors = child.finish()
        assert status == 2 and "--fd 0 is no socket" in errors
    with command(apps, "apps:asgi", "--fd", "999") as child:
        status, _, errors = child.finish()
        assert status == 2 and "--fd 999 is no socket" in errors
    with Script(PASS, "0", "2", "apps:asgi", cwd=apps) as child:
        status, _, errors = child.finish()
        assert status == 2 and "LISTEN_FDS=2" in errors


# --- reloading when sources change ---


def test_reload(apps: Path) -> None:
    source = apps / "apps.py"
    good = source.read_text()
    with command(apps, "apps:rook", "--port", "0", "--reload") as child:
        url = started(child)
        source.write_text(good.replace("rook {os", "new {os"))
        until(lambda: httpx.get(url, timeout=60).text.startswith("new "))
        source.write_text("1 / 0")
        while "the old ones go on" not in child.error_line():
            pass
        assert httpx.get(url, timeout=60).text.startswith("new ")
        source.write_text(good)
        until(lambda: httpx.get(url, timeout=60).text.startswith("rook "))
        child.process.terminate()
        assert child.finish()[0] == 0


def test_reload_says_when_it_cannot_watch(apps: Path) -> None:
    (apps / os.fsdecode(b"no\xff")).mkdir()  # watchfiles takes names in UTF-8 only
    with command(apps, "apps:rook", "--port", "0", "--reload") as child:
        while "sources are not watched any more: " not in (line := child.error_line()):
            pass
        assert line.endswith("; see --reload-dir")


def test_reload_waits_for_what_can_start(apps: Path) -> None:
    source = apps / "apps.py"
    good = source.read_text()
    source.write_text("1 / 0")
    with command(apps, "apps:rook", "--port", "0", "--reload") as child:
        while "waiting for a change" not in child.error_line():
            pass
        source.write_text(good)
        assert httpx.get(started(child), timeout=60).text.startswith("rook ")


def test_reload_of_other_files_and_places(
    apps: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    arguments = ["--reload", "--reload-dir", str(other), "--reload-include", "*.html"]
    with command(apps, "apps:rook", "--port", "0", *arguments) as child:
        url = started(child)
        first = pid_of(url)
        (other / "page.html").write_text("changed")
        until(lambda: pid_of(url) != first)
    with command(apps, "apps:rook", "--reload", "--reload-dir", "nowhere") as child:
        status, _, errors = child.finish()
        assert status == 2 and "--reload-dir nowhere" in errors
