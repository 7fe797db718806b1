"""Python programs with servers, for tests that need a separate process."""

import textwrap

from support import Script, run_script

PRELUDE = """
import ctypes, math, os, signal, socket, sys, threading, time
import httpuv

def say(*words):  # a signal handler may interrupt it, which print() does not allow
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def hello(req):
    return {"status": 200, "body": "hello"}

def start(app=hello, **options):
    server = httpuv.startServer("127.0.0.1", 0, app, **options)
    say(server.getPort())
    return server

def get(port, target="/"):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"GET {target} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n".encode())
        data = b""
        while more := s.recv(65536):
            data += more
        return data
"""


def script(code: str) -> Script:
    return Script(PRELUDE + textwrap.dedent(code))


def run(code: str) -> str:
    return run_script(PRELUDE + textwrap.dedent(code))


def local(child: Script) -> tuple[str, int]:
    return ("127.0.0.1", int(child.line()))


def ends_well(child: Script) -> str:
    status, output, errors = child.finish()
    assert (status, errors) == (0, ""), f"{status}\n{output}\n{errors}"
    return output
