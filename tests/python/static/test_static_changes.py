"""Static files that change: while they are sent, and between two requests."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import Wire, address, get, request

#: More than all the buffers between a server and a client that does not read.
SIZE = 24 * 1024 * 1024


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "file.bin"
    path.write_bytes(b"a" * SIZE)
    yield path
    path.unlink(missing_ok=True)  # temporary directories are kept for a while


@contextlib.contextmanager
def downloading(
    server: httpuv.WebServer, target: str = "/file.bin", *fields: str
) -> Iterator[Wire]:
    """A connection on which the answer has begun, and stands still until it is read."""
    with Wire(address(server)) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        wire.send(request(target, *fields))
        while len(wire.buffer) < 100_000:
            assert wire._more()
        yield wire


def read_all(wire: Wire) -> bytes | None:
    """The whole body, or None when the connection was cut before its end."""
    try:
        return wire.response().body
    except (EOFError, ConnectionResetError):
        return None


def test_replaced_while_it_is_sent(serve: Serve, file: Path) -> None:
    server = serve({"staticPaths": {"/": file.parent}})
    with downloading(server) as wire:
        new = file.with_name("new")
        new.write_bytes(b"b" * SIZE)
        new.replace(file)
        # A request now gets the new one; one from before gets the old one.
        assert get(server, "/file.bin", "Range: bytes=0-9").body == b"b" * 10
        assert read_all(wire) == b"a" * SIZE


def test_deleted_while_it_is_sent(serve: Serve, file: Path) -> None:
    server = serve({"staticPaths": {"/": file.parent}})
    with downloading(server) as wire:
        file.unlink()
        assert get(server, "/file.bin").status == 404
        assert read_all(wire) == b"a" * SIZE


@pytest.mark.parametrize("size", [0, 10, SIZE // 2, SIZE - 1])
def test_truncated_while_it_is_sent(serve: Serve, file: Path, size: int) -> None:
    server = serve({"staticPaths": {"/": file.parent}})
    with downloading(server) as wire:
        os.truncate(file, size)
        assert read_all(wire) is None
    assert get(server, "/file.bin").body == b"a" * size


def test_grown_while_it_is_sent(serve: Serve, file: Path) -> None:
    """A log that is written to. What was promised ends in the middle of what is there now."""
    server = serve({"staticPaths": {"/": file.parent}})
    with downloading(server) as wire:
        with open(file, "ab") as log:
            log.write(b"b" * 1000)
        body = read_all(wire)
        assert body is None or body == b"a" * SIZE
    assert get(server, "/file.bin", "Range: bytes=-1001").body == b"a" + b"b" * 1000


def test_rewritten_while_it_is_sent(serve: Serve, file: Path) -> None:
    """Bytes of two states are never taken for a whole file."""
    server = serve({"staticPaths": {"/": file.parent}})
    with downloading(server) as wire:
        with open(file, "r+b") as same:
            same.write(b"b" * SIZE)
        assert read_all(wire) is None
    assert get(server, "/file.bin", "Range: bytes=0-9").body == b"b" * 10


def test_rewritten_while_ranges_are_sent(serve: Serve, file: Path) -> None:
    server = serve({"staticPaths": {"/": file.parent}})
    half = SIZE // 2
    ranges = f"Range: bytes=0-{half - 2},{half}-{SIZE - 1}"
    with downloading(server, "/file.bin", ranges) as wire:
        with open(file, "r+b") as same:
            same.seek(SIZE - 10)
            same.write(b"b" * 10)
        assert read_all(wire) is None


def test_rewritten_while_it_waits_its_turn(serve: Serve, tmp_path: Path) -> None:
    """Its head would name what was found, its bytes would be those of now."""
    file = tmp_path / "file.bin"
    file.write_bytes(b"a" * 200_000)

    def call(req: dict) -> dict:
        with open(file, "r+b") as same:
            same.write(b"b" * 200_000)
        return {"status": 200}

    server = serve({"call": call, "staticPaths": {"/static": tmp_path}})
    old = get(server, "/static/file.bin").get("ETag")
    with Wire(address(server)) as wire:
        wire.send(request("/dynamic") + request("/static/file.bin"))
        assert wire.response().status == 200
        try:
            response = wire.response()
        except (EOFError, ConnectionResetError):
            return
        # Or it was found after all that.
        assert response.get("ETag") != old
        assert response.body == b"b" * 200_000


def test_a_cut_answer_is_the_last(serve: Serve, file: Path) -> None:
    (file.parent / "small.txt").write_text("small")
    server = serve({"staticPaths": {"/": file.parent}})
    with downloading(server) as wire:
        wire.send(request("/small.txt"))
        os.truncate(file, 10)
        assert read_all(wire) is None
        assert b"small" not in wire.buffer


def test_written_in_place_between_requests(serve: Serve, tmp_path: Path) -> None:
    """Editors that write in place, within one tick of the file system's clock, same size."""
    server = serve({"staticPaths": {"/": tmp_path}})
    with Wire(address(server)) as wire:
        for i in range(100):
            text = f"{i:05}".encode()
            (tmp_path / "file.txt").write_bytes(text)
            for _ in range(2):
                wire.send(request("/file.txt"))
                assert wire.response().body == text


def test_old_time_new_bytes(serve: Serve, tmp_path: Path) -> None:
    """rsync and tar set the time of the original, which may be that of the file before."""
    server = serve({"staticPaths": {"/": tmp_path}})
    with Wire(address(server)) as wire:
        for text in (b"one", b"two", b"six"):
            (tmp_path / "new").write_bytes(text)
            os.utime(tmp_path / "new", (1000, 1000))
            (tmp_path / "new").replace(tmp_path / "file.txt")
            wire.send(request("/file.txt"))
            response = wire.response()
            assert response.body == text
            wire.send(request("/file.txt", f"If-None-Match: {response.get('ETag')}"))
            assert wire.response().status == 304


def test_a_deployment_by_link(serve: Serve, tmp_path: Path) -> None:
    """`current` leads to one release, then to another, at once."""
    for release in ("1", "2"):
        (tmp_path / release / "sub").mkdir(parents=True)
        (tmp_path / release / "sub" / "index.html").write_text(f"release {release}")
    (tmp_path / "current").symlink_to("1")
    server = serve({"staticPaths": {"/": tmp_path / "current", "/in": tmp_path}})
    with Wire(address(server)) as wire:
        for i in range(20):
            release = "21"[i % 2]
            (tmp_path / "next").symlink_to(release)
            (tmp_path / "next").replace(tmp_path / "current")
            for target in ("/sub/", "/in/current/sub/"):
                wire.send(request(target))
                assert wire.response().body == f"release {release}".encode()


def test_indexes_listings_and_pages_of_404(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    server = serve(
        {"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True, not_found="404.html")}}
    )
    with Wire(address(server)) as wire:

        def seen(target: str) -> tuple[int, bytes]:
            wire.send(request(target))
            response = wire.response()
            return response.status, response.body

        assert b"empty" in seen("/folder/")[1]
        (folder / "file.txt").write_text("x")
        assert b"file.txt" in seen("/folder/")[1]
        (folder / "index.html").write_text("index")
        assert seen("/folder/") == (200, b"index")
        (folder / "index.html").unlink()
        assert b"file.txt" in seen("/folder/")[1]
        assert seen("/none") == (404, b"Not Found")
        (tmp_path / "404.html").write_text("no such page")
        assert seen("/none") == (404, b"no such page")
        (tmp_path / "none").write_text("there it is")
        assert seen("/none") == (200, b"there it is")
        (tmp_path / "none").unlink()
        (tmp_path / "none").mkdir()
        assert seen("/none")[0] == 301


def test_routes_change_for_the_very_next_request(serve: Serve, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text(name)
    server = serve({"call": lambda req: {"status": 200, "body": "dynamic"}})
    with Wire(address(server)) as wire:

        def seen() -> bytes:
            wire.send(request("/a/page.html"))
            return wire.response().body

        for _ in range(20):
            assert seen() == b"dynamic"
            server.setStaticPath("/a", tmp_path / "one")
            assert seen() == b"one"
            server.setStaticPath(**{"/a": httpuv.staticPath(tmp_path / "two")})
            assert seen() == b"two"
            server.setStaticPathOption(headers={"X-A": "b"})
            wire.send(request("/a/page.html"))
            assert wire.response().get("X-A") == "b"
            server.removeStaticPath("/a")


def test_permission_is_taken_away(serve: Serve, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "file.txt").write_text("x")
    server = serve({"staticPaths": {"/": tmp_path}})
    assert get(server, "/file.txt").status == 200
    (tmp_path / "file.txt").chmod(0)
    assert get(server, "/file.txt").status == 403


def test_the_root_goes_and_comes_back(serve: Serve, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.txt").write_text("before")
    server = serve({"staticPaths": {"/": root}})
    assert get(server, "/file.txt").body == b"before"
    root.rename(tmp_path / "away")
    assert get(server, "/file.txt").status == 404
    root.mkdir()
    (root / "file.txt").write_text("after")
    assert get(server, "/file.txt").body == b"after"
