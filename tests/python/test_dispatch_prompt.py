"""Callbacks at real prompts: Python's in a pseudo-terminal, IPython's, a notebook's."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from support import PATIENCE, fetch, request

START = (
    "import httpuv; s = httpuv.startServer('127.0.0.1', 0, lambda req:"
    " {'status': 200, 'body': 'from the prompt'}); print('port', s.getPort())\n"
)


class Terminal:
    def __init__(self, *command: str) -> None:
        self.master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "PYTHON_BASIC_REPL": "", "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=environment, preexec_fn=None,
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.text)) is None:
            assert time.monotonic() < until, f"no {pattern!r} in:\n{self.text}"
            if select.select([self.master], [], [], 0.1)[0]:
                data = os.read(self.master, 65536)
                if b"\x1b[6n" in data:  # where is the cursor?
                    os.write(self.master, b"\x1b[1;1R")
                self.text += data.decode(errors="replace")
        self.text = self.text[found.end() :]
        return found

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)


@pytest.fixture(params=["python", "ipython"])
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    if request.param == "python":
        terminal = Terminal(sys.executable, "-q")
        terminal.expect(">>> ")
    else:
        pytest.importorskip("IPython")
        terminal = Terminal(
            sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit",
            "--colors=nocolor", "--HistoryManager.enabled=False",
        )  # fmt: skip
        terminal.expect(r"In \[")
    yield terminal
    terminal.close()


def test_the_idle_prompt_answers(terminal: Terminal) -> None:
    terminal.type(START.replace("\n", "\r"))
    port = int(terminal.expect(r"port (\d+)\s")[1])
    for _ in range(3):
        answer = fetch(("127.0.0.1", port), request())
        assert answer.body == b"from the prompt"
    terminal.type("httpuv.later(lambda: print('in' + ' time'), 0.1) and None\r")
    terminal.expect("in time")
    terminal.type("6 * 7\r")
    terminal.expect("42")
    assert fetch(("127.0.0.1", port), request()).status == 200
    if sys.version_info >= (3, 11):  # 3.10 calls no hook any more after Ctrl-C: a known gap
        os.kill(terminal.process.pid, signal.SIGINT)
        terminal.expect("KeyboardInterrupt|In \\[|>>> ")
        assert fetch(("127.0.0.1", port), request()).status == 200
    terminal.type("s.stop()\r")
    terminal.type("8 * 7\r")
    terminal.expect("56")
    terminal.type("exit()\r")
    assert terminal.process.wait(PATIENCE) == 0


def test_a_notebook() -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cells = [
        START,
        "import asyncio, urllib.request\n"
        "url = f'http://127.0.0.1:{s.getPort()}/'\n"
        "get = lambda: urllib.request.urlopen(url).read().decode()\n"
        "print(await asyncio.to_thread(get))",
        "s.stop()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert notebook.cells[1].outputs[0]["text"] == "from the prompt\n"
