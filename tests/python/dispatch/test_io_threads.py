"""ioThreads: several loops behind one address are one server."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpuv
import pytest
import websockets
from conftest import Serve
from support import PATIENCE, get


@pytest.mark.parametrize("wrong", [0, -1, 257, "2", 1.5, True])
def test_wrong_numbers(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="ioThreads"):
        httpuv.startServer("127.0.0.1", 0, {}, ioThreads=wrong)  # type: ignore[arg-type]


def connected(server: httpuv.WebServer, number: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", server.getPort())) for _ in range(number)]


def answer(sock: socket.socket, path: str = "/") -> bytes:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    return data


def connections(server: httpuv.WebServer, number: int) -> None:
    """Wait until so many connections are open: the loops take them at their own pace."""
    end = time.monotonic() + PATIENCE
    while server.stats()["connections"] != number:
        assert time.monotonic() < end, server.stats()
        time.sleep(0.001)


def test_every_connection_is_answered_and_counted(serve: Serve) -> None:
    server = serve(
        {"call": lambda req: {"status": 200, "body": req["PATH_INFO"]}},
        ioThreads=3,
        dispatch="thread",
    )
    sockets = connected(server, 30)
    try:
        for round in range(3):
            for index, sock in enumerate(sockets):
                assert answer(sock, f"/{round}/{index}").endswith(f"/{round}/{index}".encode())
        stats = server.stats()
        assert stats["connections"] == stats["accepted"] == 30
        assert stats["requests"] == 90
    finally:
        for sock in sockets:
            sock.close()


def test_publish_reaches_the_subscribers_of_every_loop_once(serve: Serve) -> None:
    def opened(ws: httpuv.WebSocket) -> None:
        ws.subscribe("news")
        ws.send("ready")

    server = serve({"onWSOpen": opened}, ioThreads=4, dispatch="thread")

    async def listen() -> list[list[str]]:
        url = f"ws://127.0.0.1:{server.getPort()}/"
        clients = [await websockets.connect(url, ping_interval=None) for _ in range(12)]
        for client in clients:
            assert await client.recv() == "ready"
        for number in range(20):
            server.publish("news", str(number))
        server.publish("news", "end")
        heard = []
        for client in clients:
            texts = []
            while (text := await client.recv()) != "end":
                texts.append(text)
            heard.append(texts)
            await client.close()
        return heard

    heard = asyncio.run(asyncio.wait_for(listen(), 30))
    assert heard == [[str(number) for number in range(20)]] * 12


def test_static_paths_change_on_every_loop(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("file")
    server = serve({}, ioThreads=3)
    sockets = connected(server, 9)
    try:
        assert all(b" 404 " in answer(sock, "/s/a") for sock in sockets)
        server.setStaticPath("/s", tmp_path)
        assert all(b" 200 " in answer(sock, "/s/a") for sock in sockets)
    finally:
        for sock in sockets:
            sock.close()


def test_the_limit_of_connections_is_that_of_all_loops(serve: Serve) -> None:
    server = serve({}, ioThreads=3, limits=httpuv.Limits(max_connections=6))
    busy = connected(server, 6)
    try:
        for sock in busy:
            sock.sendall(b"GET / HTTP/1.1\r\n")
        connections(server, 6)
        for index in (5, 0, 3):  # whichever loop has it
            late = connected(server, 1)[0]
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                answer(late)
            busy[index].close()
            late.settimeout(20)
            assert b" 404 " in late.recv(65536)
            late.close()
            busy[index] = connected(server, 1)[0]
            busy[index].sendall(b"GET / HTTP/1.1\r\n")
            connections(server, 6)
    finally:
        for sock in busy:
            sock.close()


def test_idle_connections_of_every_loop_make_room(serve: Serve) -> None:
    server = serve({}, ioThreads=3, limits=httpuv.Limits(max_connections=6))
    sockets = connected(server, 6)
    try:
        assert all(b" 404 " in answer(sock) for sock in sockets)
        for _ in range(12):
            sockets += connected(server, 1)
            sockets[-1].settimeout(20)
            assert b" 404 " in answer(sockets[-1])
        stats = server.stats()
        assert stats["evicted"] == 12
        assert stats["connections"] <= 6
    finally:
        for sock in sockets:
            sock.close()


def test_stop_lets_the_answers_of_every_loop_finish(serve: Serve) -> None:
    going, go = threading.Semaphore(0), threading.Event()

    def call(req: dict[str, object]) -> dict[str, object]:
        going.release()
        go.wait(20)
        return {"status": 200, "body": "done"}

    server = serve({"call": call}, ioThreads=3, dispatch=9)
    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(get, server, "/") for _ in range(9)]
        for _ in answers:
            assert going.acquire(timeout=20)
        thread = threading.Thread(target=server.stop, args=(20,))
        thread.start()
        go.set()
        assert [each.result(20).body for each in answers] == [b"done"] * 9
        thread.join(20)
        assert not thread.is_alive()
    assert not server.isRunning()


def test_a_fork_leaves_the_parent_serving() -> None:
    program = """
import os, socket, httpuv
server = httpuv.startServer("127.0.0.1", 0, {}, ioThreads=3)
socks = [socket.create_connection(("127.0.0.1", server.getPort())) for _ in range(9)]
def ask():
    for s in socks:
        s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        assert b" 404 " in s.recv(65536)
ask()
pid = os.fork()
if pid == 0:
    os._exit(7 if httpuv.listServers() == [] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
ask()
server.stop()
print("fine")
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert (result.stdout, result.returncode) == ("fine\n", 0), result.stderr
