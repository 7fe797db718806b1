"""dispatch="qt" and "tk": a window and a server in one loop. Each in a separate program."""

from __future__ import annotations

import textwrap

import pytest
from programs import local, script
from support import fetch, request
from test_prompt_windows import display

assert display  # a fixture

QT = """
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel
app = QApplication([])
window = QLabel("hello")
window.show()
ticks = []
timer = QTimer()
timer.timeout.connect(lambda: ticks.append(1))
timer.start(5)
loop, leave, kind = app.exec, app.quit, "qt"
"""
TK = """
import tkinter
root = tkinter.Tk()
ticks = []
def tick():
    ticks.append(1)
    root.after(5, tick)
tick()
loop, leave, kind = root.mainloop, root.quit, "tk"
"""
PROGRAM = """
def call(req):
    if req["PATH_INFO"] == "/leave":
        httpuv.later(leave, 0.05)
    assert threading.current_thread() is threading.main_thread()
    return {"status": 200, "body": str(len(ticks))}

server = start(call, dispatch=kind)
httpuv.later(lambda: say("in time"), 0.01)
loop()
server.stop()
say("stopped")
"""


@pytest.fixture(params=["qt", "tk"])
def toolkit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "tk":
        pytest.importorskip("tkinter")
        monkeypatch.setenv("DISPLAY", request.getfixturevalue("display"))
        return TK
    pytest.importorskip("PySide6.QtWidgets")
    return QT


def test_window_and_server_are_alive(toolkit: str) -> None:
    with script(toolkit + PROGRAM) as child:
        where = local(child)
        assert child.line() == "in time"
        counts: set[bytes] = set()
        while len(counts) < 5:
            counts.add(fetch(where, request()).body)
        fetch(where, request("/leave"))
        assert child.line() == "stopped"
        status, _, errors = child.finish()
        assert status == 0, errors


def test_stopped_elsewhere_and_started_again(toolkit: str) -> None:
    code = """
    def call(req):
        return {"status": 200, "body": threading.current_thread().name}
    first = start(call, dispatch=kind)
    def elsewhere():
        sys.stdin.readline()
        first.stop()
        say("stopped")
    threading.Thread(target=elsewhere, daemon=True).start()
    def again():
        global second
        if first.isRunning():
            QTimer.singleShot(10, again) if kind == "qt" else root.after(10, again)
        else:
            second = start(call, dispatch=kind)
    QTimer.singleShot(10, again) if kind == "qt" else root.after(10, again)
    loop()
    """
    with script(toolkit + textwrap.dedent(code)) as child:
        assert fetch(local(child), request()).body == b"MainThread"
        child.tell()
        assert child.line() == "stopped"
        assert fetch(local(child), request()).body == b"MainThread"


def test_without_an_application() -> None:
    pytest.importorskip("PySide6.QtCore")
    code = """
    for kind in ("qt", "tk"):
        try:
            httpuv.startServer("127.0.0.1", 0, {}, dispatch=kind)
        except RuntimeError as error:
            say(error)
    """
    with script(code) as child:
        assert child.line() == "dispatch='qt' needs a QApplication: create one before the server"
        assert child.line() == "dispatch='tk' needs tkinter.Tk(): create it before the server"


def test_coroutines_on_qasync() -> None:
    pytest.importorskip("qasync")
    pytest.importorskip("PySide6.QtWidgets")
    code = """
    import asyncio, qasync
    async def call(req):
        await asyncio.sleep(0.001)
        return {"status": 200, "body": threading.current_thread().name}
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    start(call, dispatch="qt")
    with loop:
        loop.run_forever()
    """
    with script(QT + textwrap.dedent(code)) as child:
        assert fetch(local(child), request()).body == b"MainThread"
