"""The parent's side of the topics that the workers of ``httpuv run`` share."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import tempfile
import threading
from typing import Any

from . import frames
from .memory import Memory
from .protocol import Delivery, Keep

#: The environment variable with the path of its socket, for workers.
SHARED = "_HTTPUV_SHARED_TOPICS"
#: Frames that may wait for a worker. Beyond that its connection ends; it reconnects and catches up.
_MOST = 10_000


class Hub:
    """Listens on a Unix socket in its own folder, which only this user may enter."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="httpuv-")
        self.path = os.path.join(self._folder, "topics")
        self._memory = Memory()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, name="httpuv topics", daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                _Worker(connection, self._memory)

    def close(self) -> None:
        """Stop listening. The workers have ended."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Worker:
    """One connection, with a thread that reads and a thread that writes."""

    def __init__(self, connection: socket.socket, memory: Memory) -> None:
        self._connection = connection
        self._memory = memory
        self._out: queue.Queue[tuple[dict[str, Any], bytes] | None] = queue.Queue(_MOST)
        self._token = memory.start(self._receive, lambda: None)
        threading.Thread(target=self._run, name="httpuv topics", daemon=True).start()

    def _run(self) -> None:
        writer = threading.Thread(target=self._write, name="httpuv topics", daemon=True)
        writer.start()
        with self._connection:
            self._read()
            writer.join()

    def _put(self, frame: tuple[dict[str, Any], bytes] | None) -> None:
        try:
            self._out.put_nowait(frame)
        except queue.Full:
            self._end()

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _receive(self, topic: str, epoch: str, message: Delivery) -> None:
        heads, data = frames.packed([message])
        self._put(({"topic": topic, "epoch": epoch, "messages": heads}, data))

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (frame := self._out.get()) is not None:
                frames.send(self._connection, *frame)
        self._end()

    def _read(self) -> None:
        try:
            while (frame := frames.receive(self._connection)) is not None:
                self._put(self._answer(*frame))
        except OSError:
            pass
        finally:
            self._memory.close(self._token)
            self._put(None)
            self._end()

    def _answer(self, head: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        topic, what = head["topic"], head["what"]
        answer: dict[str, Any] = {"id": head["id"]}
        body = b""
        if what == "publish":
            ((_, binary, event, _),) = head["messages"]
            content = data if binary else data.decode()
            answer["at"] = self._memory.publish(topic, content, event, Keep(*head["keep"]))
        elif what == "subscribe":
            self._memory.subscribe(self._token, topic)
        elif what == "unsubscribe":
            self._memory.unsubscribe(self._token, topic)
        else:
            since = tuple(head["since"]) if head["since"] else None
            epoch, offset, messages = self._memory.history(topic, since)
            answer["at"] = epoch, offset
            answer["messages"], body = frames.packed(messages)
        return answer, body
