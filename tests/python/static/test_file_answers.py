"""An answer {"file": path} of call behaves like a static file: ranges, validators, types."""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Serve
from support import Response, get

MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
CONTENT = bytes(i * 7 % 251 for i in range(300_000))

Ask = Callable[..., Response]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    os.utime(path, (MODIFIED, MODIFIED))
    return path


@pytest.fixture(params=["plain", "async"])
def ask(request: pytest.FixtureRequest, serve: Serve) -> Callable[[Any], Ask]:
    """A client of a server that answers with what it is given, at once or from a coroutine."""

    def served(answer: dict[str, Any]) -> Ask:
        async def later(req: dict[str, Any]) -> dict[str, Any]:
            return answer

        server = serve((lambda req: answer) if request.param == "plain" else later)

        def client(*fields: str, method: str = "GET") -> Response:
            return get(server, "/x", *fields, method=method)

        return client

    return served


def test_whole(ask: Callable[[Any], Ask], video: Path) -> None:
    response = ask({"status": 200, "headers": {"X": "y"}, "body": {"file": video}})()
    assert (response.status, response.body) == (200, CONTENT)
    assert response.get("Content-Type") == "video/mp4"
    assert response.get("Last-Modified") == DATE
    assert response.get("Accept-Ranges") == "bytes"
    assert response.get("X") == "y"
    tag = response.get("ETag") or ""
    assert tag.startswith('"') and tag.endswith('"')


def test_ranges(ask: Callable[[Any], Ask], video: Path) -> None:
    client = ask({"status": 200, "headers": {"X": "y"}, "body": {"file": video}})
    piece = client("Range: bytes=1000-1999")
    assert (piece.status, piece.body) == (206, CONTENT[1000:2000])
    assert piece.get("Content-Range") == "bytes 1000-1999/300000"
    assert piece.get("Content-Type") == "video/mp4"
    assert piece.get("X") == "y"
    end = client("Range: bytes=-4")  # as readers of Parquet begin
    assert (end.status, end.body) == (206, CONTENT[-4:])
    beyond = client("Range: bytes=300000-")
    assert (beyond.status, beyond.get("Content-Range")) == (416, "bytes */300000")
    assert beyond.get("X") == "y"
    two = client("Range: bytes=0-1, 10-12")
    assert two.status == 206
    assert (two.get("Content-Type") or "").startswith("multipart/byteranges")
    assert b"Content-Range: bytes 10-12/300000\r\n\r\n" + CONTENT[10:13] in two.body
    tag = client().get("ETag")
    assert client("Range: bytes=0-0", f"If-Range: {tag}").status == 206
    assert client("Range: bytes=0-0", 'If-Range: "other"').status == 200


def test_conditions(ask: Callable[[Any], Ask], video: Path) -> None:
    client = ask({"status": 200, "headers": {"X": "y"}, "body": {"file": video}})
    tag = client().get("ETag")
    for fields in ([f"If-None-Match: {tag}"], [f"If-Modified-Since: {DATE}"]):
        response = client(*fields)
        assert (response.status, response.body) == (304, b"")
        assert (response.get("ETag"), response.get("X")) == (tag, "y")
        assert response.get("Content-Type") is None
    assert client('If-Match: "other"').status == 412
    os.utime(video, (MODIFIED + 5, MODIFIED + 5))
    assert client(f"If-None-Match: {tag}").status == 200


def test_head(ask: Callable[[Any], Ask], video: Path) -> None:
    client = ask({"status": 200, "body": {"file": video}})
    response = client("Range: bytes=0-9", method="HEAD")
    assert (response.status, response.get("Content-Length")) == (200, "300000")
    assert response.get("Accept-Ranges") == "bytes"


def test_the_applications_own_fields_win(ask: Callable[[Any], Ask], video: Path) -> None:
    own = {
        "ETag": '"mine"',
        "Last-Modified": "Mon, 07 Nov 1994 00:00:00 GMT",
        "content-type": "application/x-mine",
        "Accept-Ranges": "none",
        "Content-Length": "5",
        "Date": DATE,
    }
    client = ask({"status": 200, "headers": own, "body": {"file": video}})
    response = client("Range: bytes=0-9")
    assert (response.status, response.body) == (200, CONTENT)
    for name, value in own.items():
        if name != "Content-Length":
            assert response.get(name) == value
    assert response.get("Content-Length") == "300000"
    assert client('If-None-Match: "mine"').status == 304


@pytest.mark.parametrize("status", [201, 404, 500])
def test_another_status_is_sent_whole(ask: Callable[[Any], Ask], video: Path, status: int) -> None:
    response = ask({"status": status, "body": {"file": video}})("Range: bytes=0-9")
    assert (response.status, response.body) == (status, CONTENT)
    assert response.get("Content-Type") == "video/mp4"
    assert response.get("ETag") is None and response.get("Accept-Ranges") is None


def test_ranges_of_the_applications_own(ask: Callable[[Any], Ask], video: Path) -> None:
    headers = {"Content-Range": "bytes 0-299999/900000"}
    for status in (200, 206):
        response = ask({"status": status, "headers": headers, "body": {"file": video}})(
            "Range: bytes=0-9"
        )
        assert (response.status, response.body) == (status, CONTENT)
        assert response.get("Content-Range") == "bytes 0-299999/900000"


def test_other_methods(ask: Callable[[Any], Ask], video: Path) -> None:
    response = ask({"status": 200, "body": {"file": video}})(
        "Range: bytes=0-9", "Content-Length: 0", method="POST"
    )
    assert (response.status, response.body, response.get("ETag")) == (200, CONTENT, None)


def test_types_of_the_server_and_the_charset(serve: Serve, tmp_path: Path) -> None:
    for name in ("a.html", "b.parquet", "c.own", "d"):
        (tmp_path / name).write_bytes(b"x")
    server = serve(
        lambda req: {"status": 200, "body": {"file": f"{tmp_path}{req['PATH_INFO']}"}},
        mimeTypes={".own": "application/x-own"},
    )
    for name, kind in {
        "a.html": "text/html; charset=utf-8",
        "b.parquet": "application/vnd.apache.parquet",
        "c.own": "application/x-own",
        "d": "application/octet-stream",
    }.items():
        assert get(server, f"/{name}").get("Content-Type") == kind


def test_an_owned_file_has_ranges_and_is_deleted(serve: Serve, tmp_path: Path) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        path = tmp_path / "made.csv"
        path.write_bytes(CONTENT)
        return {"status": 200, "body": {"file": path, "owned": True}}

    server = serve(call)
    response = get(server, "/", "Range: bytes=5-9")
    assert (response.status, response.body) == (206, CONTENT[5:10])
    assert response.get("Content-Type") == "text/csv; charset=utf-8"
    assert list(tmp_path.iterdir()) == []


def test_from_on_headers(serve: Serve, video: Path) -> None:
    server = serve(
        {
            "call": lambda req: {"status": 500},
            "onHeaders": lambda req: {"status": 200, "body": {"file": video}},
        }
    )
    assert get(server, "/", "Range: bytes=1-2").body == CONTENT[1:3]


# --- files of other kinds, also as static files ---------------------------------------------------


@pytest.fixture
def both(serve: Serve) -> Callable[[str | Path], list[Response]]:
    """A file as a static file and as the answer of call."""

    def fetched(path: str | Path, *fields: str) -> list[Response]:
        server = serve(
            {
                "call": lambda req: {"status": 200, "body": {"file": path}},
                "staticPaths": {"/static": path},
            }
        )
        return [get(server, target, *fields) for target in ("/static", "/call")]

    return fetched


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and /sys")
@pytest.mark.parametrize(
    "path", ["/proc/self/status", "/proc/cpuinfo", "/sys/kernel/mm/transparent_hugepage/enabled"]
)
def test_files_whose_size_is_not_their_length(both: Any, path: str) -> None:
    if not os.path.exists(path):
        pytest.skip(f"no {path}")
    for response in both(path):
        assert response.status == 200
        assert response.body
        assert response.get("Last-Modified") is None
        assert len(response.body) == int(response.get("Content-Length") or 0)


@pytest.mark.parametrize("size", [1000, 100_000])
@pytest.mark.parametrize("seconds", [-86400, 13_000_000_000])
def test_times_that_nanoseconds_cannot_tell(
    both: Any, tmp_path: Path, size: int, seconds: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    os.utime(path, (seconds, seconds))
    past = os.stat(path).st_mtime < 0
    for response in both(path):
        date = response.get("Last-Modified") or ""
        if past:
            assert date == "Wed, 31 Dec 1969 00:00:00 GMT"
        else:  # never in the future, RFC 9110 section 8.8.2.1
            assert (
                abs(
                    time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT"))
                    - time.timezone
                    - time.time()
                )
                < 86400
            )
    conditional = both(path, "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT")
    assert [each.status for each in conditional] == [304 if past else 200] * 2


def test_svgz(both: Any, tmp_path: Path) -> None:
    path = tmp_path / "drawing.SVGZ"
    path.write_bytes(gzip.compress(b"<svg xmlns='http://www.w3.org/2000/svg'/>"))
    for response in both(path, "Accept-Encoding: gzip"):
        assert response.get("Content-Type") == "image/svg+xml"
        assert response.get("Content-Encoding") == "gzip"
        assert gzip.decompress(response.body).startswith(b"<svg")


# --- bodies that are no bytes --------------------------------------------------------------------


def test_buffers_of_objects_are_refused(serve: Serve, log: Any) -> None:
    numpy = pytest.importorskip("numpy")
    table = numpy.zeros(3, dtype=[("OPX", "i4"), ("b", "u1")])  # names are no types
    bodies: dict[str, Any] = {
        "/objects": numpy.array([object(), "text"]),
        "/record": numpy.zeros(2, dtype=[("a", "i4"), ("b", "O")]),
        "/view": memoryview(numpy.array([None])),
        "/pieces": iter([numpy.array([None])]),
        "/numbers": numpy.arange(6, dtype="u1").reshape(2, 3).T,
        "/table": table,
    }
    server = serve(lambda req: {"status": 200, "body": bodies[req["PATH_INFO"]]})
    for target in ("/objects", "/record", "/view"):
        assert get(server, target).status == 500
    log.expect("TypeError: body must be bytes, not references to objects")
    assert get(server, "/numbers").body == bytes([0, 3, 1, 4, 2, 5])
    assert get(server, "/table").body == table.tobytes()
    with pytest.raises(TypeError, match="references to objects"):
        httpuv.rawToBase64(numpy.array([None]))
    with pytest.raises(TypeError, match="references to objects"):
        server.publish("topic", numpy.array([None]))
