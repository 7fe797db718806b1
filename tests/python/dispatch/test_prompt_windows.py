"""Windows of a GUI toolkit and a server at one prompt, in both orders of their start."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from support import PATIENCE, Wire, fetch, request
from terminal import Terminal

#: The server answers with how often the toolkit's timer has run.
SERVER = (
    "import httpuv; ticks = [];"
    " s = httpuv.startServer('127.0.0.1', 0, lambda r: {'status': 200, 'body': str(len(ticks))});"
    " print('po' + 'rt', s.getPort())"
)
QT = (
    "from PySide6.QtCore import QCoreApplication, QTimer; app = QCoreApplication([]);"
    " timer = QTimer(); timer.timeout.connect(lambda: ticks.append(1)); timer.start(10)"
)
TK = (
    "import tkinter; root = tkinter.Tk();"
    " exec('def tick():\\n    ticks.append(1)\\n    root.after(10, tick)'); tick()"
)
FIGURE = (
    "import matplotlib.pyplot as plt; plt.ion(); fig = plt.figure();"
    " timer = fig.canvas.new_timer(10); timer.add_callback(lambda: ticks.append(1)); timer.start();"
    " print('back' + 'end', plt.get_backend())"
)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server without a screen."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp", "-screen", "0", "640x480x24"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        yield f":{number}"
        server.terminate()


def ipython() -> list[str]:
    options = ["--no-banner", "--no-confirm-exit", "--colors=nocolor", "--no-autoindent"]
    return ["-m", "IPython", *options, "--HistoryManager.enabled=False"]


def alive_together(lines: list[str], command: list[str], mark: str, **environment: str) -> None:
    environment = {"QT_QPA_PLATFORM": "offscreen", **environment}
    with Terminal(sys.executable, *command, **environment) as prompt:
        prompt.expect(mark)
        port = 0
        for line in lines:
            prompt.type(line)
            if "startServer" in line:
                port = int(prompt.expect(r"port (\d+)\s")[1])
            prompt.expect(mark)
        # Nothing is typed from here on: windows and server have the prompt's idle time.
        counts = [0]
        until = time.monotonic() + PATIENCE
        while len(set(counts)) < 5:
            assert time.monotonic() < until, f"{counts[-5:]}\n{prompt.text}"
            counts.append(int(fetch(("127.0.0.1", port), request()).body))
        prompt.type("print(6 * 7)")
        prompt.expect("42")


BEFORE = "ticks = []"
KINDS = [pytest.param({}, id="pyrepl")] if sys.version_info >= (3, 13) else []
KINDS.append(pytest.param({"PYTHON_BASIC_REPL": "1"}, id="readline"))


@pytest.mark.parametrize("environment", KINDS)
@pytest.mark.parametrize("order", ["server first", "window first"])
def test_tk_at_pythons_prompt(display: str, order: str, environment: dict[str, str]) -> None:
    pytest.importorskip("tkinter")
    window = TK if order == "server first" else f"{BEFORE}; {TK}"
    server = SERVER if order == "server first" else SERVER.replace("ticks = [];", "")
    lines = [server, window] if order == "server first" else [window, server]
    alive_together(lines, ["-q"], r">>> $", DISPLAY=display, **environment)


@pytest.mark.parametrize("environment", KINDS)
def test_qt_at_pythons_prompt(environment: dict[str, str]) -> None:
    pytest.importorskip("PySide6.QtCore")
    lines = [f"{BEFORE}; {QT}", SERVER.replace("ticks = [];", "")]
    alive_together(lines, ["-q"], r">>> $", **environment)


@pytest.mark.parametrize("environment", KINDS)
def test_qt_that_comes_after_the_server(environment: dict[str, str]) -> None:
    """It takes the prompt's only hook for its own: the log says what to do, and that works."""
    pytest.importorskip("PySide6.QtCore")
    environment = {"QT_QPA_PLATFORM": "offscreen", **environment}
    with Terminal(sys.executable, "-q", **environment) as prompt:
        prompt.expect(r">>> $")
        prompt.type(SERVER)
        where = ("127.0.0.1", int(prompt.expect(r"port (\d+)\s")[1]))
        prompt.expect(r">>> $")
        assert fetch(where, request()).body == b"0"
        prompt.type(QT)
        prompt.expect(r">>> $")
        with Wire(where) as wire:
            wire.send(request())
            prompt.expect("1 requests or messages wait; the windows of a toolkit .* press Enter")
            prompt.type("")
            assert wire.response().status == 200
        counts = [0]
        until = time.monotonic() + PATIENCE
        while len(set(counts)) < 5:
            assert time.monotonic() < until
            counts.append(int(fetch(where, request()).body))


@pytest.mark.parametrize("order", ["server first", "window first"])
@pytest.mark.parametrize("toolkit", ["qt", "tk", "matplotlib"])
def test_gui_at_ipythons_prompt(toolkit: str, order: str, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("IPython")
    environment = {}
    if toolkit == "tk":
        pytest.importorskip("tkinter")
        environment["DISPLAY"] = request.getfixturevalue("display")
        windows = ["%gui tk", TK]
    else:
        pytest.importorskip("PySide6.QtCore")
        if toolkit == "matplotlib":
            if importlib.util.find_spec("matplotlib") is None:
                pytest.skip("needs matplotlib")
            environment["DISPLAY"] = request.getfixturevalue("display")  # it insists
        windows = ["%gui qt", QT] if toolkit == "qt" else ["%matplotlib qt", FIGURE]
    if order == "server first":
        lines = [SERVER, *windows]
    else:
        lines = [BEFORE, *windows, SERVER.replace("ticks = [];", "")]
    alive_together(lines, ipython(), r"In \[\d+\]:", **environment)


def test_ipythons_gui_turned_off_leaves_the_server() -> None:
    pytest.importorskip("IPython")
    pytest.importorskip("PySide6.QtCore")
    with Terminal(sys.executable, *ipython(), QT_QPA_PLATFORM="offscreen") as prompt:
        prompt.expect(r"In \[1\]:")
        prompt.type(SERVER)
        where = ("127.0.0.1", int(prompt.expect(r"port (\d+)\s")[1]))
        prompt.expect(r"In \[2\]:")
        for number, line in enumerate(["%gui qt", "%gui", "%gui asyncio", "%gui"], 3):
            prompt.type(line)
            prompt.expect(rf"In \[{number}\]:")
            assert fetch(where, request()).body == b"0"
