"""Callbacks at real prompts: Python's in a pseudo-terminal, IPython's, a notebook's."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from support import PATIENCE, Response, Wire, fetch, request
from terminal import Terminal

CALL = (
    "exec('import httpuv, os, time, threading\\n"
    # A signal that comes right before a sleep does not end it: many short ones.
    "def hang():\\n"
    "    while True: time.sleep(0.05)\\n"
    "def call(req):\\n"
    '    if req["PATH_INFO"] == "/slow":\\n'
    '        os.write(1, b"slow" + b"ly")\\n'  # print() of IPython waits for the prompt
    "        hang()\\n"
    '    if req["PATH_INFO"] == "/raise": raise ValueError("on purpose")\\n'
    '    return {"status": 200, "body": threading.current_thread().name}\\n'
    's = httpuv.startServer("127.0.0.1", 0, call)\\n'
    'print("port", s.getPort())\')'
)


class Prompt(Terminal):
    """A prompt with a server started at it."""

    def __init__(self, kind: str, *command: str, **environment: str) -> None:
        super().__init__(sys.executable, *command, **environment)
        self.kind = kind
        self.number = 1  # of the input, in IPython's prompt
        self.wait()
        self.type(CALL)
        self.address = ("127.0.0.1", int(self.expect(r"port (\d+)\s")[1]))
        self.wait()

    def type(self, line: str) -> None:
        super().type(line)
        self.number += 1

    def wait(self) -> None:
        """Wait for the prompt."""
        self.expect(r">>> $" if self.kind == "python" else rf"In \[{self.number}\]:")

    def answers(self) -> None:
        for _ in range(3):
            assert fetch(self.address, request()).body == b"MainThread"

    def evaluates(self, expression: str, result: str) -> None:
        self.type(expression)
        self.expect(result)
        self.wait()


def kinds() -> list[str]:
    basic = ["readline", "no readline"]
    return [*(["pyrepl"] if sys.version_info >= (3, 13) else []), *basic, "ipython"]


@pytest.fixture(params=kinds())
def prompt(request: pytest.FixtureRequest) -> Iterator[Prompt]:
    if request.param == "ipython":
        pytest.importorskip("IPython")
        options = ["--no-banner", "--no-confirm-exit", "--colors=nocolor"]
        options += ["--HistoryManager.enabled=False", "--TerminalInteractiveShell.xmode=Plain"]
        with Prompt("ipython", "-m", "IPython", *options) as prompt:
            yield prompt
    elif request.param == "pyrepl":
        with Prompt("python", "-q") as prompt:
            yield prompt
    elif request.param == "readline":
        with Prompt("python", "-q", PYTHON_BASIC_REPL="1") as prompt:
            yield prompt
    else:
        # What Python does where there is no readline to import.
        code = "import sys; sys.modules['readline'] = None"
        with Prompt("python", "-q", "-i", "-c", code, PYTHON_BASIC_REPL="1") as prompt:
            yield prompt


def test_ipythons_simple_prompt_answers() -> None:
    """As in an editor's terminal, where there is no prompt_toolkit."""
    pytest.importorskip("IPython")
    options = ["--no-banner", "--simple-prompt", "--HistoryManager.enabled=False"]
    with Prompt("ipython", "-m", "IPython", *options) as prompt:
        prompt.answers()
        prompt.evaluates("6 * 7", "42")
        prompt.answers()


def in_background(func: Callable[[], Response]) -> tuple[threading.Thread, list[Response]]:
    answers: list[Response] = []
    thread = threading.Thread(target=lambda: answers.append(func()))
    thread.start()
    return thread, answers


def test_the_idle_prompt_answers(prompt: Prompt) -> None:
    prompt.answers()
    prompt.evaluates("6 * 7", "42")
    prompt.answers()
    prompt.press("8 * ")  # in the middle of a line, too
    prompt.answers()
    prompt.type("7")
    prompt.expect("56")
    prompt.answers()


def test_later_at_the_prompt(prompt: Prompt) -> None:
    prompt.type("httpuv.later(lambda: print('in' + ' time'), 0.1) and None")
    prompt.expect("in time")
    prompt.type("httpuv.later(lambda: httpuv.later(lambda: print('aga' + 'in'), 0.1)) and None")
    prompt.expect("again")
    prompt.answers()


def test_a_line_that_waits_for_its_own_server_is_told(prompt: Prompt) -> None:
    """What everyone tries first, and what would otherwise be a mere silence."""
    url = f"http://127.0.0.1:{prompt.address[1]}/"
    prompt.type(f"import urllib.request; urllib.request.urlopen('{url}')")
    prompt.expect("1 requests or messages wait; they are answered when the line")
    prompt.process.send_signal(signal.SIGINT)
    prompt.expect("KeyboardInterrupt")
    prompt.wait()
    prompt.answers()


def test_a_long_computation_holds_up_answers_and_service_does_not(prompt: Prompt) -> None:
    prompt.type("print('beg' + 'un'); time.sleep(1); print('do' + 'ne')")
    prompt.expect("begun")
    thread, answers = in_background(lambda: fetch(prompt.address, request()))
    prompt.expect("done")
    thread.join(PATIENCE)
    assert answers[0].body == b"MainThread"
    prompt.wait()
    prompt.type("print('serv' + 'ing'); httpuv.service(0)")
    prompt.expect("serving")
    prompt.answers()
    prompt.process.send_signal(signal.SIGINT)
    prompt.expect("KeyboardInterrupt")
    prompt.wait()
    prompt.answers()


def test_what_a_callback_raises_is_logged_and_the_prompt_stays(prompt: Prompt) -> None:
    prompt.type("httpuv.logLevel('ERROR') and None")
    prompt.wait()
    assert fetch(prompt.address, request("/raise")).status == 500
    prompt.expect("ValueError: on purpose")
    prompt.answers()
    prompt.evaluates("6 * 7", "42")


def test_control_c_at_the_prompt(prompt: Prompt) -> None:
    """A new prompt, without what was typed; the server goes on."""
    for _ in range(3):
        prompt.press("1 +")
        prompt.expect(r"1 \+")
        prompt.press("\x03")
        if prompt.kind == "python":  # IPython clears the line, and says nothing
            prompt.expect("KeyboardInterrupt")
            prompt.wait()
        prompt.answers()
        prompt.evaluates("6 * 7", "42")
    assert "Exception ignored" not in prompt.text


def test_control_c_ends_a_long_computation_and_not_the_server(prompt: Prompt) -> None:
    prompt.type("print('beg' + 'un'); hang()")
    prompt.expect("begun")
    prompt.press("\x03")
    prompt.expect("KeyboardInterrupt")
    prompt.wait()
    prompt.answers()


def test_control_c_ends_a_slow_callback_and_not_the_server(prompt: Prompt) -> None:
    with Wire(prompt.address) as wire:
        wire.send(request("/slow"))
        prompt.expect("slowly")
        prompt.press("\x03")
        assert wire.response().status == 500
    prompt.expect("KeyboardInterrupt")
    prompt.wait()
    prompt.answers()
    prompt.evaluates("6 * 7", "42")


def test_a_signal_from_elsewhere(prompt: Prompt) -> None:
    for _ in range(3):
        prompt.process.send_signal(signal.SIGINT)
        prompt.expect("KeyboardInterrupt" if prompt.kind == "python" else r"In \[\d+\]:")
        prompt.answers()


def test_other_signals_have_their_handlers_run(prompt: Prompt) -> None:
    prompt.type("import signal; signal.signal(signal.SIGUSR1, lambda *_: print('sig' + 'nal'))")
    prompt.wait()
    for _ in range(3):
        prompt.answers()
        prompt.process.send_signal(signal.SIGUSR1)
        prompt.expect("signal")
    prompt.answers()
    prompt.evaluates("6 * 7", "42")


def test_stopped_and_started_again(prompt: Prompt) -> None:
    prompt.type("s.stop()")
    prompt.wait()
    with pytest.raises(ConnectionRefusedError):
        fetch(prompt.address, request())
    prompt.evaluates("6 * 7", "42")
    prompt.type("s = httpuv.startServer('127.0.0.1', 0, call); print('po' + 'rt', s.getPort())")
    prompt.address = ("127.0.0.1", int(prompt.expect(r"port (\d+)\s")[1]))
    prompt.answers()


@pytest.mark.parametrize("how", ["exit()", "\x04"])
def test_it_ends_in_silence_with_the_server_running(prompt: Prompt, how: str) -> None:
    prompt.answers()
    with Wire(prompt.address):
        prompt.type(how) if how == "exit()" else prompt.press(how)
        rest = prompt.end()
    assert not [line for line in rest.split("\n") if "rror" in line or "Exception" in line], rest


@pytest.mark.parametrize("dispatch", ["thread", 2])
def test_threads_at_the_prompt(prompt: Prompt, dispatch: object) -> None:
    prompt.type("s.stop()")
    prompt.wait()
    prompt.type(
        f"s = httpuv.startServer('127.0.0.1', 0, call, dispatch={dispatch!r});"
        " print('po' + 'rt', s.getPort())"
    )
    where = ("127.0.0.1", int(prompt.expect(r"port (\d+)\s")[1]))
    prompt.type("print('beg' + 'un'); hang()")
    prompt.expect("begun")
    assert fetch(where, request()).body == b"httpuv callbacks"
    prompt.press("\x03")
    prompt.expect("KeyboardInterrupt")
    prompt.wait()
    assert fetch(where, request()).body == b"httpuv callbacks"
    prompt.type("exit()")
    prompt.end()


def test_a_notebook() -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cells = [
        "import httpuv, threading\n"
        "def call(req):\n"
        "    return {'status': 200, 'body': threading.current_thread().name}\n"
        "s = httpuv.startServer('127.0.0.1', 0, call)",
        "import asyncio, urllib.request\n"
        "url = f'http://127.0.0.1:{s.getPort()}/'\n"
        "get = lambda: urllib.request.urlopen(url, timeout=20).read().decode()\n"
        "print(await asyncio.to_thread(get))",
        # A cell that blocks: service() runs the callbacks, as in a script.
        "thread = threading.Thread(target=lambda: print(get()))\n"
        "thread.start()\n"
        "while thread.is_alive():\n"
        "    httpuv.service(20)",
        "async def call(req):\n"
        "    await asyncio.sleep(0.01)\n"
        "    return {'status': 200, 'body': type(asyncio.get_running_loop()).__name__}\n"
        "with httpuv.startServer('127.0.0.1', 0, call) as t:\n"
        "    url = f'http://127.0.0.1:{t.getPort()}/'\n"
        "    print((await asyncio.to_thread(get)) == type(asyncio.get_running_loop()).__name__)",
        "done = asyncio.Event()\nhttpuv.later(done.set, 0.01)\nawait done.wait()\nprint('in time')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = ["".join(each.get("text", "") for each in cell.outputs) for cell in notebook.cells]
    assert outputs == ["", "MainThread\n", "MainThread\n", "True\n", "in time\n"]
