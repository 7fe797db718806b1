"""What signal handlers may call: everything, in the middle of everything.

A handler runs on the main thread between two steps of what that is doing. Here it runs at each line
of the package in turn, through a trace function, which Python calls in the same places.
"""

import os
import signal
import time

import pytest
from programs import ends_well, local, run, script
from support import Wire, request

EVERY_LINE = """
import faulthandler
faulthandler.dump_traceback_later(200, exit=True)
package = os.path.dirname(httpuv.__file__)
# Where there is something that a handler may find half done.
files = {os.path.join(package, *name.split("/"))
         for name in ("servers/server.py", "servers/routed.py", "servers/registry.py",
                      "answers/sse.py", "dispatch/queue.py",
                      "dispatch/service.py", "dispatch/base.py")}
assert all(map(os.path.isfile, files)), files

def at_every_line(action, handler, step=1):
    turn = 0
    while True:
        lines = 0
        def trace(frame, event, argument):
            nonlocal lines
            if frame.f_code.co_filename not in files:
                return None
            if event == "line":
                lines += 1
                if lines == turn:
                    handler()
            return trace
        sys.settrace(trace)
        try:
            action()
        finally:
            sys.settrace(None)
        if lines < turn:
            return
        turn += step

site = os.path.dirname(package)
other = httpuv.startServer("127.0.0.1", 0, {"call": hello, "staticPaths": {"/a": site}},
                           dispatch="thread")
events = httpuv.EventStream()

def action():
    with httpuv.startServer("127.0.0.1", 0, {"staticPaths": {"/x": site}}, dispatch="thread") as s:
        try:
            s.setStaticPath("/b", site)
            s.removeStaticPath("/x")
            s.setStaticPathOption(indexhtml=False)
        except RuntimeError:
            assert not s.isRunning()  # a handler has stopped it
        s.publish("topic", "message")
        cancels = [httpuv.later(lambda: None, seconds) for seconds in (0.0, 100.0, 50.0)]
        httpuv.runNow(0)
        for cancel in cancels:
            cancel()
        events.send("news")
        httpuv.listServers()
    assert not s.isRunning()
"""

HANDLERS = {
    "stopAllServers": "httpuv.stopAllServers()",
    "stop": "other.stop(1)",
    "start": "httpuv.startServer('127.0.0.1', 0, {}, dispatch='thread').stop()",
    "others": """
    other.setStaticPath('/c', site)
    other.publish('topic', 'message')
    httpuv.later(lambda: None)
    httpuv.later(lambda: None, 60)()
    httpuv.service(None)
    events.send('news')
    httpuv.listServers()
    httpuv.interrupt()
    """,
    "fork": "child = os.fork() or os._exit(httpuv.listServers() != []); os.waitpid(child, 0)",
    "subprocess": "subprocess.run(['true'], preexec_fn=lambda: None, check=True)",
}
SLOW = ("fork", "subprocess")


@pytest.mark.parametrize("name", HANDLERS)
def test_at_every_line(name: str) -> None:
    code = f"""
import subprocess, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of fork() beside threads
def handler():
    {HANDLERS[name]}
at_every_line(action, handler, step={7 if name in SLOW else 1})
httpuv.stopAllServers()
say("fine")
"""
    assert run(EVERY_LINE + code) == "fine\n"


def test_no_change_of_the_routes_is_lost() -> None:
    code = """
handled = changing = False
def change():
    global handled, changing
    changing = True
    other.setStaticPath("/outer", site)
    changing = False
    paths = set(other.getStaticPaths())
    assert paths == ({"/a", "/outer", "/inner"} if handled else {"/a", "/outer"}), paths
    other.removeStaticPath("/outer", "/inner")
    handled = False

def handler():
    global handled
    if changing:
        handled = True
        other.setStaticPath("/inner", site)

at_every_line(change, handler)
say("fine")
"""
    assert run(EVERY_LINE + code) == "fine\n"


def test_no_timer_is_lost() -> None:
    code = """
ran = []
wanted = 0
def change():
    global wanted
    wanted += 1
    httpuv.later(lambda: ran.append(1))
    cancels = [httpuv.later(lambda: ran.append("no"), 0.001) for _ in range(3)]
    for cancel in cancels:
        cancel()
    httpuv.runNow(0)

def handler():
    global wanted
    wanted += 1
    httpuv.later(lambda: ran.append(1))

at_every_line(change, handler)
while len(ran) < wanted:
    httpuv.runNow(1)
say(set(ran))
"""
    assert run(EVERY_LINE + code) == "{1}\n"


@pytest.mark.parametrize("dispatch", ["thread", "service"])
def test_ctrl_c_while_a_server_stops(dispatch: str) -> None:
    code = f"""
    import concurrent.futures
    called = threading.Event()
    def call(req):
        called.set()
        say("called")
        return concurrent.futures.Future()  # no answer
    server = start(call, dispatch={dispatch!r})
    while {dispatch!r} == "service" and not called.is_set():
        httpuv.service(10)
    sys.stdin.readline()
    def ready():
        while server.isRunning():
            time.sleep(0.001)
        say("stopping")
    threading.Thread(target=ready).start()
    try:
        server.stop(100)
    except KeyboardInterrupt:
        say(time.monotonic())
    say(server.isRunning(), httpuv.listServers())
    httpuv.stopAllServers()
    say("stopped")
    """
    within = []
    while len(within) < 3 or (sum(within) <= len(within) / 2 and len(within) < 15):
        with script(code) as child, Wire(local(child)) as wire:
            wire.send(request())
            assert child.line() == "called"
            child.tell()
            assert child.line() == "stopping"
            sent = time.monotonic()
            os.kill(child.pid, signal.SIGINT)
            within.append(float(child.line()) - sent < 0.1)
            assert wire.at_end()  # without an answer
            assert child.line() == "False []"
            assert child.line() == "stopped"
            ends_well(child)
    assert sum(within) > len(within) / 2, within


def test_a_handler_stops_a_server_that_is_stopping() -> None:
    code = """
    import concurrent.futures
    def call(req):
        say("called")
        return concurrent.futures.Future()  # no answer
    server = start(call, dispatch="thread")
    def handler(*_):
        say("handler")
        server.stop()
        say("handled")
    signal.signal(signal.SIGUSR1, handler)
    sys.stdin.readline()
    say("stopping")
    server.stop(100)
    say("stopped")
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        assert child.line() == "called"
        child.tell()
        assert child.line() == "stopping"
        os.kill(child.pid, signal.SIGUSR1)
        assert [child.line() for _ in range(3)] == ["handler", "handled", "stopped"]
        ends_well(child)
