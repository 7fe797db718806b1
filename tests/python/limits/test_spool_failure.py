"""Bodies that are too long for memory, where the folder for them does not work."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Log
from programs import ends_well, local, script
from support import address, fetch, request

_LONG = request("/", method="POST", body=b"x" * 200_000)


def _size(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": str(len(req["rook.input"].read()))}


def test_is_logged_once_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    folder = tmp_path / "spool"
    monkeypatch.setenv("TMPDIR", str(folder))
    with httpuv.startServer("127.0.0.1", 0, _size, dispatch="thread") as server:
        for _ in range(3):
            assert fetch(address(server), _LONG).status == 500
        log.expect("cannot keep request bodies", str(folder), os.strerror(2))
        assert log.text().count("cannot keep request bodies") == 1
        folder.mkdir()
        for _ in range(3):
            assert fetch(address(server), _LONG).body == b"200000"
        folder.rmdir()
        assert fetch(address(server), _LONG).status == 500
        # Callbacks run in the order of the answers: this request's comes behind the message.
        assert fetch(address(server), request()).status == 200
        assert log.text().count("cannot keep request bodies") == 2


def test_short_bodies_need_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with httpuv.startServer("127.0.0.1", 0, _size, dispatch="thread") as server:
        answer = fetch(address(server), request("/", method="POST", body=b"x" * 1000))
        assert answer.body == b"1000"


def test_no_room_is_507() -> None:
    """A limit on the size of files stands for a full disk: EFBIG, and no signal."""
    program = script(
        f"""
        import logging, resource
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, {resource.RLIM_INFINITY}))
        start(dispatch="thread")
        sys.stdin.read()
        """
    )
    with program as child:
        assert fetch(local(child), _LONG).status == 507
        assert "cannot keep request bodies" in child.line()
        child.tell()
        ends_well(child)
