"""What a served directory offers besides its files: spa, auth, upload, archives, the QR code."""

from __future__ import annotations

import base64
import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpuv
import pytest
from httpuv.static_server import archive, auth, lan, qr, spa
from httpuv.static_server.site import Features
from support import Wire, address, fetch, get, request

Start = Callable[..., httpuv.WebServer]
HTML = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture
def start(running: threading.Thread, tmp_path: Path) -> Iterator[Start]:
    def begin(**options: Any) -> httpuv.WebServer:
        server = httpuv.runStaticServer(tmp_path, port=0, background=True, browse=False, **options)
        assert server is not None
        return server

    (tmp_path / "index.html").write_text("<p>start")
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("A" * 10_000)
    (tmp_path / ".secret").write_text("secret")
    yield begin
    httpuv.stopAllServers()


def put(server: httpuv.WebServer, target: str, body: bytes, *fields: str) -> Any:
    return fetch(
        address(server),
        request(target, f"Content-Length: {len(body)}", *fields, method="PUT") + body,
    )


def test_spa(start: Start) -> None:
    server = start(spa=True)
    page = get(server, "/any/route", HTML)
    assert (page.status, page.body) == (200, b"<p>start")
    assert get(server, "/any/route", "Sec-Fetch-Dest: document").body == b"<p>start"
    assert get(server, "/app.js").body == b"1"
    for target, fields in [
        ("/missing.js", [HTML]),
        ("/any/route", ["Accept: */*"]),
        ("/any/route", [HTML, "Sec-Fetch-Dest: script"]),
        ("/api/data", ["Accept: application/json"]),
    ]:
        assert get(server, target, *fields).status == 404
    assert get(server, "/any/route", HTML, method="POST").status == 405


def test_navigations() -> None:
    def req(path: str, **fields: str) -> dict[str, Any]:
        return {"REQUEST_METHOD": "GET", "PATH_INFO": path, **fields}

    assert spa.is_navigation(req("/a/b", HTTP_ACCEPT="text/html"))
    assert spa.is_navigation(req("/old.html", HTTP_ACCEPT="text/html"))
    assert not spa.is_navigation(req("/a/b"))
    assert not spa.is_navigation(req("/a.png", HTTP_SEC_FETCH_DEST="document"))


def test_auth(start: Start) -> None:
    server = start(auth="me:pässword", archive=True, upload=True)
    token = base64.b64encode("me:pässword".encode()).decode()
    wrong = base64.b64encode(b"me:other").decode()
    for target in ("/", "/app.js", "/sub/", "/missing", "/.httpuv/zip/sub/"):
        for fields in ([], [f"Authorization: Basic {wrong}"]):
            response = get(server, target, *fields)
            assert response.status == 401
            assert response.get("WWW-Authenticate") == auth.CHALLENGE
        assert get(server, target, f"Authorization: Basic {token}").status in (200, 404)
    assert put(server, "/new.txt", b"x").status == 401
    for wrong_auth in ("nocolon", ":x", "a:b\n"):
        with pytest.raises(ValueError, match="auth must"):
            start(auth=wrong_auth)


def test_upload(start: Start, tmp_path: Path) -> None:
    server = start(upload=True)
    body = os.urandom(300_000)
    assert put(server, "/sub/new%20file.bin", body).status == 201
    assert (tmp_path / "sub" / "new file.bin").read_bytes() == body
    assert get(server, "/sub/new%20file.bin").body == body
    # Never over something, and nowhere else.
    assert put(server, "/sub/a.txt", b"x").status == 409
    assert (tmp_path / "sub" / "a.txt").read_text() == "A" * 10_000
    for target, status in [
        ("/sub", 409),
        ("/nowhere/x", 404),
        ("/.hidden", 403),
        ("/sub/.hidden", 403),
        ("/.httpuv-upload-x", 403),
    ]:
        assert put(server, target, b"x").status == status
    assert put(server, "/../outside", b"x").status == 400
    assert sorted(os.listdir(tmp_path)) == [".secret", "app.js", "index.html", "sub"]
    assert b"Upload" in get(server, "/sub/").body


def test_upload_over_a_file(start: Start, tmp_path: Path) -> None:
    server = start(upload=True, overwrite=True)
    assert put(server, "/app.js", b"2").status == 200
    assert (tmp_path / "app.js").read_text() == "2"
    with pytest.raises(ValueError, match="overwrite makes no sense"):
        start(overwrite=True)


def test_a_broken_upload_leaves_nothing(start: Start, tmp_path: Path) -> None:
    server = start(upload=True)
    with Wire(address(server)) as wire:
        wire.send(request("/sub/part", "Content-Length: 100000", method="PUT"), b"x" * 50_000)
        while not any(name.startswith(".httpuv-upload") for name in os.listdir(tmp_path / "sub")):
            pass
        wire.reset()
        while any(name.startswith(".httpuv-upload") for name in os.listdir(tmp_path / "sub")):
            pass
    assert sorted(os.listdir(tmp_path / "sub")) == ["a.txt"]


def test_uploads_are_off_unless_asked_for(start: Start) -> None:
    server = start()
    assert put(server, "/new", b"x").status == 405
    assert b"Upload" not in get(server, "/sub/").body
    assert get(server, "/.httpuv/zip/sub/").status == 404


def test_archive(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir()
    (tmp_path / "sub" / "deep" / "b.jpg").write_bytes(os.urandom(700_000))
    (tmp_path / "sub" / ".hidden").write_text("x")
    (tmp_path / "sub" / "link").symlink_to("/etc/passwd")
    os.utime(tmp_path / "sub" / "a.txt", (0, 0))
    server = start(archive=True)
    assert b'href="/.httpuv/zip/sub/"' in get(server, "/sub/").body
    response = get(server, "/.httpuv/zip/sub/")
    assert response.status == 200
    assert response.get("Content-Disposition") == "attachment; filename*=UTF-8''sub.zip"
    with zipfile.ZipFile(io.BytesIO(response.body)) as zipped:
        assert zipped.testzip() is None
        assert sorted(zipped.namelist()) == ["a.txt", "deep/b.jpg"]
        assert zipped.read("a.txt") == b"A" * 10_000
    for target in ("/.httpuv/zip/missing/", "/.httpuv/zip/..%2f", "/.httpuv/zip/.secret"):
        assert get(server, target).status == 404


def test_an_archive_is_made_while_it_is_sent(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(os.urandom(600_000))
    sizes = [len(piece) for piece in archive.zipped(str(tmp_path))]
    assert len(sizes) > 3
    assert max(sizes) < 1_000_000


def test_a_wrong_feature_is_named() -> None:
    for name in ("spa", "upload", "archive"):
        with pytest.raises(TypeError, match=f"{name} must be bool"):
            Features(**{name: 1})
    with pytest.raises(TypeError, match="auth must be str"):
        Features(auth=5)  # type: ignore[arg-type]


def test_address_for_others() -> None:
    assert lan.lan_url("127.0.0.1", 80) is None
    assert lan.lan_url("localhost", 80) is None
    assert lan.lan_url("192.168.1.5", 7446) == "http://192.168.1.5:7446/"
    assert lan.lan_url("fd00::1", 80) == "http://[fd00::1]:80/"


def test_qr() -> None:
    """Against ISO/IEC 18004, figure by figure: sizes, finders, timing, format, correction."""
    for text, size in [("x" * 17, 21), ("x" * 18, 25), ("x" * 53, 29), ("x" * 106, 37)]:
        cells = qr.matrix(text)
        assert len(cells) == size and all(len(row) == size for row in cells)
        assert [cells[6][i] for i in range(8, size - 8)] == [i % 2 == 0 for i in range(8, size - 8)]
        for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
            assert all(cells[top][left : left + 7])
            assert not any(cells[top + 1][left + 1 : left + 6])
        assert cells[size - 8][8]
    with pytest.raises(ValueError, match="at most 106 bytes"):
        qr.matrix("x" * 107)
    # The codewords of "HTTP" in version 1-L, with those for correction.
    words = qr._codewords(b"HTTP", 19)
    assert words[:6] == [0x40, 0x44, 0x85, 0x45, 0x45, 0x00]
    assert words[6:8] == [0xEC, 0x11]
    given = [0x40, 0x44, 0x85, 0x45, 0x45, 0x00, 0x00, *([0xEC, 0x11] * 6)]
    assert qr._correction(given, 7) == [0x92, 0xEB, 0xB0, 0x8D, 0x6C, 0xDD, 0x74]
    lines = qr.qr_lines("http://192.168.1.5:7446/")
    assert len(lines) == 15 and all(line.startswith("\x1b[30;107m") for line in lines)
    assert qr.qr_lines("x" * 200) == []
