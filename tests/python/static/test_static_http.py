"""Static files over HTTP: methods, conditions and ranges, of files in memory and of sent ones."""

from __future__ import annotations

import email
import email.policy
import os
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import Response, Wire, address, get, request

#: The core keeps the first in memory and sends the other from its descriptor.
SIZES = {"small.bin": 1000, "large.bin": 300_000}
MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, size in SIZES.items():
        (tmp_path / name).write_bytes(bytes(i * 7 % 251 for i in range(size)))
        os.utime(tmp_path / name, (MODIFIED, MODIFIED))
    (tmp_path / "empty.bin").write_bytes(b"")
    return tmp_path


@pytest.fixture(params=SIZES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_validators(serve: Serve, site: Path, name: str) -> None:
    response = get(serve({"staticPaths": {"/": site}}), f"/{name}")
    assert (response.status, response.body) == (200, (site / name).read_bytes())
    assert response.get("Last-Modified") == DATE
    assert response.get("Accept-Ranges") == "bytes"
    tag = response.get("ETag") or ""
    assert tag.startswith('"') and tag.endswith('"')  # strong


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_other_methods_are_refused(serve: Serve, site: Path, method: str) -> None:
    response = get(serve({"staticPaths": {"/": site}}), "/small.bin", method=method)
    assert (response.status, response.get("Allow")) == (405, "GET, HEAD")


def test_conditions(serve: Serve, site: Path, name: str) -> None:
    """RFC 9110 section 13, the precedence of 13.2.2 included."""
    server = serve({"staticPaths": {"/": site}})
    tag = get(server, f"/{name}").get("ETag")
    for fields, status in [
        # One at a time.
        ([f"If-None-Match: {tag}"], 304),
        ([f"If-None-Match: W/{tag}"], 304),  # the weak comparison
        ([f'If-None-Match: "x", {tag}'], 304),
        (['If-None-Match: "x"', f"If-None-Match: {tag}"], 304),
        (["If-None-Match: *"], 304),
        (['If-None-Match: "x"'], 200),
        ([f"If-Modified-Since: {DATE}"], 304),
        ([f"If-Modified-Since: {LATER}"], 304),
        ([f"If-Modified-Since: {EARLIER}"], 200),
        (["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"], 304),
        (["If-Modified-Since: Sun Nov  6 08:49:37 1994"], 304),
        (["If-Modified-Since: yesterday"], 200),
        ([f"If-Match: {tag}"], 200),
        (["If-Match: *"], 200),
        (['If-Match: "x"'], 412),
        ([f"If-Match: W/{tag}"], 412),  # the strong comparison
        ([f"If-Unmodified-Since: {DATE}"], 200),
        ([f"If-Unmodified-Since: {EARLIER}"], 412),
        (["If-Unmodified-Since: yesterday"], 200),
        # A tag says more than a date.
        (['If-None-Match: "x"', f"If-Modified-Since: {DATE}"], 200),
        ([f"If-None-Match: {tag}", f"If-Modified-Since: {EARLIER}"], 304),
        ([f"If-Match: {tag}", f"If-Unmodified-Since: {EARLIER}"], 200),
        # What may fail comes first.
        (['If-Match: "x"', f"If-None-Match: {tag}"], 412),
        ([f"If-Unmodified-Since: {EARLIER}", f"If-None-Match: {tag}"], 412),
        ([f"If-Match: {tag}", f"If-None-Match: {tag}"], 304),
        # Ranges come last.
        ([f"If-None-Match: {tag}", "Range: bytes=0-1"], 304),
        (['If-Match: "x"', "Range: bytes=0-1"], 412),
        ([f"If-Match: {tag}", "Range: bytes=0-1"], 206),
        ([f"If-None-Match: {tag}", "Range: bytes=9999999-"], 304),
    ]:
        for method in ("GET", "HEAD"):
            response = get(server, f"/{name}", *fields, method=method)
            wanted = 200 if method == "HEAD" and status == 206 else status
            assert response.status == wanted, (method, fields)
            if status == 304:
                assert response.get("ETag") == tag
                assert response.get("Date")
                assert not response.get("Content-Type")
                assert response.body == b""


def test_not_modified_says_what_a_cache_needs(serve: Serve, site: Path) -> None:
    """RFC 9110 section 15.4.5."""
    options = {"headers": {"Expires": LATER, "X-A": "b"}, "cache_control": "max-age=60"}
    server = serve({"staticPaths": {"/": site}, "staticPathOptions": options})
    whole = get(server, "/small.bin")
    response = get(server, "/small.bin", f"If-None-Match: {whole.get('ETag')}")
    for name in ("ETag", "Cache-Control", "Expires"):
        assert response.get(name) == whole.get(name), name


@pytest.mark.parametrize(
    ("spec", "first", "last"),
    [("0-9", 0, 9), ("5-5", 5, 5), ("990-", 990, -1), ("-10", -10, -1), ("0-", 0, -1)],
)
def test_one_range(serve: Serve, site: Path, name: str, spec: str, first: int, last: int) -> None:
    size = SIZES[name]
    first, last = first % size, last % size
    server = serve({"staticPaths": {"/": site}})
    response = get(server, f"/{name}", f"Range: bytes={spec}")
    assert response.status == 206
    assert response.body == (site / name).read_bytes()[first : last + 1]
    assert response.get("Content-Range") == f"bytes {first}-{last}/{size}"
    assert response.get("Content-Length") == str(last + 1 - first)
    whole = get(server, f"/{name}")
    for field in ("ETag", "Last-Modified", "Content-Type"):
        assert response.get(field) == whole.get(field)


def test_ranges_beyond_the_end(serve: Serve, site: Path, name: str) -> None:
    size = SIZES[name]
    server = serve({"staticPaths": {"/": site}})
    for spec in (f"{size}-", f"{size}-{size + 5}", "-0", "99999999999999999999999-"):
        response = get(server, f"/{name}", f"Range: bytes={spec}")
        assert response.status == 416, spec
        assert response.get("Content-Range") == f"bytes */{size}"
    for spec in (f"0-{size + 5}", f"-{size + 5}", "0-99999999999999999999999"):
        response = get(server, f"/{name}", f"Range: bytes={spec}")
        assert (response.status, len(response.body)) == (206, size), spec
    assert get(server, "/empty.bin", "Range: bytes=0-").status == 416


@pytest.mark.parametrize(
    "field", ["bytes", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=1", "lines=0-1", "bytes=0-1,x"]
)
def test_what_is_no_range_is_ignored(serve: Serve, site: Path, field: str) -> None:
    response = get(serve({"staticPaths": {"/": site}}), "/small.bin", f"Range: {field}")
    assert (response.status, len(response.body)) == (200, 1000)


def parts_of(response: Response) -> list[tuple[str, str, bytes]]:
    """Content-Range, Content-Type and bytes of each part of a multipart/byteranges body."""
    kind = response.get("Content-Type") or ""
    assert kind.startswith("multipart/byteranges; boundary=")
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + response.body, policy=email.policy.HTTP)
    assert message.is_multipart() and not message.defects
    boundary = message.get_boundary()
    # The bytes from the wire: the parser is one for text.
    pieces = response.body.split(f"--{boundary}".encode())
    assert pieces[0] == b"" and pieces[-1] == b"--\r\n"
    result = []
    for part, piece in zip(message.iter_parts(), pieces[1:-1], strict=True):
        content = piece.partition(b"\r\n\r\n")[2][:-2]
        result.append((part["Content-Range"], part["Content-Type"], content))
    return result


def test_several_ranges(serve: Serve, site: Path, name: str) -> None:
    size = SIZES[name]
    data = (site / name).read_bytes()
    with Wire(address(serve({"staticPaths": {"/": site}}))) as wire:
        wire.send(request(f"/{name}", "Range: bytes=500-599, 0-0,-5 , 9999999-"))
        wire.send(request(f"/{name}", "Range: bytes=0-1, 9999999-"))
        wire.send(request("/empty.bin"))
        response = wire.response()
        assert response.status == 206
        assert response.get("Content-Range") is None
        assert int(response.get("Content-Length") or 0) == len(response.body)
        kind = "application/octet-stream"
        assert parts_of(response) == [
            (f"bytes 500-599/{size}", kind, data[500:600]),
            (f"bytes 0-0/{size}", kind, data[:1]),
            (f"bytes {size - 5}-{size - 1}/{size}", kind, data[-5:]),
        ]
        # Of several only one can be satisfied: no multipart body.
        response = wire.response()
        assert (response.status, response.body) == (206, data[:2])
        assert wire.response().body == b""


def test_if_range(serve: Serve, site: Path, name: str) -> None:
    server = serve({"staticPaths": {"/": site}})
    tag = get(server, f"/{name}").get("ETag")
    for validator, status in [
        (tag, 206),
        (DATE, 206),
        ('"x"', 200),
        (f"W/{tag}", 200),  # only a strong match will do
        (EARLIER, 200),
        (LATER, 200),  # exactly, or it is another file
        ("yesterday", 200),
    ]:
        response = get(server, f"/{name}", f"If-Range: {validator}", "Range: bytes=0-9")
        assert response.status == status, validator
        assert len(response.body) == (10 if status == 206 else SIZES[name])
    # The file is another one: all of it, not 416.
    response = get(server, f"/{name}", 'If-Range: "x"', "Range: bytes=9999999-")
    assert response.status == 200


def test_if_range_after_a_replacement(serve: Serve, site: Path) -> None:
    """A download that is taken up again never joins two files."""
    server = serve({"staticPaths": {"/": site}})
    tag = get(server, "/large.bin").get("ETag")
    (site / "new").write_bytes(b"x" * SIZES["large.bin"])
    (site / "new").replace(site / "large.bin")
    response = get(server, "/large.bin", f"If-Range: {tag}", "Range: bytes=1000-")
    assert (response.status, response.body) == (200, b"x" * SIZES["large.bin"])


def test_ranges_of_a_head_are_ignored(serve: Serve, site: Path, name: str) -> None:
    """RFC 9110 section 14.2."""
    server = serve({"staticPaths": {"/": site}})
    for spec in ("0-9", "0-1,5-6", "9999999-"):
        response = get(server, f"/{name}", f"Range: bytes={spec}", method="HEAD")
        assert (response.status, response.get("Content-Length")) == (200, str(SIZES[name]))


def test_range_attack(serve: Serve, site: Path, name: str) -> None:
    """However often the same bytes are asked for, the answer is no longer than the file."""
    size = SIZES[name]
    server = serve({"staticPaths": {"/": site}})
    attacks = [
        ",".join(["0-"] * 1300),
        ",".join(f"0-{i}" for i in range(1300)),
        ",".join(f"{i}-{i}" for i in range(0, 2600, 2)),
        ",".join(["0-"] * 100),
        ",".join(f"{2 * i}-{2 * i}" for i in range(100)),
        ",".join(f"{i}-" for i in range(100)),
    ]
    with Wire(address(server)) as wire:
        for ranges in attacks * 10:
            wire.send(request(f"/{name}", f"Range: bytes={ranges}"))
            response = wire.response()
            assert response.status in (200, 206)
            assert len(response.body) <= size + 100 * 200
    assert len(get(server, f"/{name}").body) == size


def test_validators_of_the_application(serve: Serve, site: Path, name: str) -> None:
    """As in R, headers= replaces what the server would say; and conditions go by it."""
    headers = {
        "ETag": b'"build-7"',
        "Last-Modified": "Mon, 07 Nov 1994 00:00:00 GMT",
        "Accept-Ranges": "none",
        "Date": DATE,
        "X-Count": 3,
    }
    server = serve({"staticPaths": {"/": httpuv.staticPath(site, headers=headers)}})
    response = get(server, f"/{name}", "Range: bytes=0-9")
    assert (response.status, len(response.body)) == (200, SIZES[name])
    assert response.get("ETag") == '"build-7"'
    assert response.get("Last-Modified") == headers["Last-Modified"]
    assert response.get("Accept-Ranges") == "none"
    assert response.get("Date") == DATE
    assert response.get("X-Count") == "3"
    unchanged = get(server, f"/{name}", 'If-None-Match: "build-7"')
    assert (unchanged.status, unchanged.get("ETag")) == (304, '"build-7"')
    assert get(server, f"/{name}", f"If-Modified-Since: {LATER}").status == 200
    # They describe the file, not what is said of one that is missing.
    missing = get(server, "/missing")
    assert missing.get("ETag") is None and missing.get("Date") == DATE
