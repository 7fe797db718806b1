"""The same requests to nginx and to us: where the answers differ, it is written here why.

What is compared: status, body, and the fields of FIELDS. Validators are compared by whether they
are there: both servers may name a file as they like.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from support import (
    PATIENCE,
    Response,
    Wire,
    address,
    fetch,
    listening,
    other_programs,
    request,
)

NGINX = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx (Debian: nginx-light)")

#: As nginx's users set it up for a site with compressed files beside the plain ones.
CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {temp}/nginx.pid;
error_log {temp}/error.log;
events {{ worker_connections 64; }}
http {{
  types {{
    text/html html; text/css css; text/javascript js; text/plain txt;
    application/json json; image/png png; application/wasm wasm;
  }}
  default_type application/octet-stream;
  charset utf-8;
  charset_types text/html text/css text/javascript text/plain;
  access_log off;
  sendfile on;
  gzip_static on;
  gzip_vary on;
  client_body_temp_path {temp}/body;
  proxy_temp_path {temp}/proxy;
  fastcgi_temp_path {temp}/fastcgi;
  uwsgi_temp_path {temp}/uwsgi;
  scgi_temp_path {temp}/scgi;
  absolute_redirect off;
  server {{
    listen 127.0.0.1:{port};
    root {root};
  }}
}}
"""

FIELDS = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Content-Encoding",
    "Accept-Ranges",
    "Last-Modified",
    "Location",
    "Vary",
)
PRESENT = ("ETag", "Date")

MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    temp = tmp_path_factory.mktemp("nginx")
    root = temp / "site"
    text = b"some text " * 100
    for name, content in {
        "index.html": b"<p>index</p>",
        "page.html": b"<p>page</p>",
        "style.css": text,
        "style.css.gz": gzip.compress(text),
        "script.js": text,
        "data.json": b"{}",
        "picture.png": b"png",
        "module.wasm": b"wasm",
        "unknown.xyz": b"xyz",
        "no-extension": b"none",
        "empty.txt": b"",
        "large.bin": bytes(range(256)) * 1200,
        "with space.txt": b"space",
        "grüße.txt": b"umlaut",
        "100%.txt": b"percent",
        "a+b&c;d=e.txt": b"reserved",
        "sub/index.html": b"<p>sub</p>",
        "sub/page.html": b"<p>sub page</p>",
        "bare/file.txt": b"no index here",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        os.utime(root / name, (MODIFIED, MODIFIED))
    for folder in (temp, *temp.parents[:2]):  # the worker of a root's nginx is another user
        with contextlib.suppress(PermissionError):
            folder.chmod(0o755)
    return root


@pytest.fixture(scope="module")
def theirs(site: Path) -> Iterator[tuple[str, int]]:
    """Where nginx serves the site."""
    temp = site.parent
    with listening() as port:
        pass  # free again: nginx cannot pick one
    configuration = temp / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(temp=temp, root=site, port=port))
    command = [str(NGINX), "-e", str(temp / "error.log"), "-c", str(configuration)]
    with subprocess.Popen(command, env=other_programs()) as process:
        try:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    fetch(("127.0.0.1", port), request())
                    break
                except OSError:
                    assert process.poll() is None, (temp / "error.log").read_text()
                    assert time.monotonic() < until
                    time.sleep(0.02)  # it does not report that it listens
            yield "127.0.0.1", port
        finally:
            process.terminate()


@pytest.fixture
def ours(serve: Serve, site: Path) -> tuple[str, int]:
    return address(serve({"staticPaths": {"/": site}}))


def seen(where: tuple[str, int], data: bytes, method: str) -> tuple[Response, dict[str, object]]:
    with Wire(where) as wire:
        wire.send(data)
        response = wire.response(method)
    what: dict[str, object] = {name: ", ".join(response.all(name)) for name in FIELDS}
    what |= {name: bool(response.all(name)) for name in PRESENT}
    what |= {"status": response.status, "body": response.body}
    return response, what


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/", []),
        ("/page.html", []),
        ("/page.html?a=b", []),
        ("/style.css", []),
        ("/script.js", []),
        ("/data.json", []),
        ("/picture.png", []),
        ("/module.wasm", []),
        ("/unknown.xyz", []),
        ("/no-extension", []),
        ("/empty.txt", []),
        ("/large.bin", []),
        ("/with%20space.txt", []),
        ("/gr%C3%BC%C3%9Fe.txt", []),
        ("/100%25.txt", []),
        ("/a+b&c;d=e.txt", []),
        ("/%70age.html", []),
        ("//page.html", []),
        ("/./page.html", []),
        ("/sub//page.html", []),
        ("/sub/", []),
        ("/sub/page.html", []),
        ("http://localhost/page.html", []),
        # Conditions
        ("/page.html", [f"If-Modified-Since: {DATE}"]),
        ("/page.html", ["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"]),
        ("/page.html", ["If-Modified-Since: Sun Nov  6 08:49:37 1994"]),
        ("/page.html", ["If-Modified-Since: nonsense"]),
        ("/page.html", ["If-None-Match: *"]),
        ("/page.html", ['If-None-Match: "other"']),
        ("/page.html", ['If-None-Match: "other"', f"If-Modified-Since: {DATE}"]),
        ("/page.html", ["If-Match: *"]),
        ("/page.html", [f"If-Unmodified-Since: {DATE}"]),
        # Ranges
        ("/large.bin", ["Range: bytes=0-0"]),
        ("/large.bin", ["Range: bytes=100-"]),
        ("/large.bin", ["Range: bytes=-100"]),
        ("/large.bin", ["Range: bytes=0-99999999"]),
        ("/page.html", ["Range: bytes=3-6"]),
        ("/page.html", ["Range: lines=3-6"]),
        ("/page.html", ["Range: bytes=3-6", 'If-Range: "other"']),
        ("/page.html", ["Range: bytes=3-6", f"If-Range: {DATE}"]),
        ("/page.html", ["Range: bytes=3-6", f"If-Range: {EARLIER}"]),
        # Codings
        ("/style.css", ["Accept-Encoding: gzip"]),
        ("/style.css", ["Accept-Encoding: gzip;q=0"]),
        ("/style.css", ["Accept-Encoding: deflate, gzip;q=0.5"]),
        ("/script.js", ["Accept-Encoding: identity"]),
        ("/picture.png", ["Accept-Encoding: gzip"]),
    ],
)
def test_same(
    ours: tuple[str, int], theirs: tuple[str, int], target: str, fields: list[str]
) -> None:
    for method in ("GET", "HEAD"):
        data = request(target, *fields, method=method)
        response, what = seen(ours, data, method)
        _, other = seen(theirs, data, method)
        if method == "HEAD" and other["status"] in (206, 416):
            continue  # see DIFFERENCES
        # nginx announces ranges in a 200 without a coding alone. A 206 of ours says so as well,
        # which does no harm; and a coded form beside a file is a file with ranges.
        if response.status == 206 or response.all("Content-Encoding"):
            del what["Accept-Ranges"], other["Accept-Ranges"]
        # nginx repeats Last-Modified in a 304; where there is an ETag it adds nothing (RFC 9110
        # section 15.4.5).
        if response.status == 304:
            del what["Last-Modified"], other["Last-Modified"]
        # nginx says Vary wherever a coded form might appear one day, we where there is one.
        if not response.all("Vary"):
            del what["Vary"], other["Vary"]
        assert what == other, method


#: Request -> (our status, nginx's status, why).
DIFFERENCES = {
    "a parent segment": (
        request("/sub/../page.html"),
        (400, 200, "the manual's reference refuses it: no browser sends it, attackers do"),
    ),
    "an encoded parent segment": (request("/sub/%2e%2e/page.html"), (400, 200, "the same")),
    "a way out": (request("/../page.html"), (400, 400, "")),
    "NUL": (request("/page.html%00"), (400, 400, "")),
    "a broken encoding": (request("/page.html%zz"), (400, 400, "")),
    "an encoded slash": (
        request("/sub%2fpage.html"),
        (400, 200, "it names no file (RFC 3986 section 2.2), and gets around excluded paths"),
    ),
    "a hidden file": (request("/.hidden"), (404, 404, "")),
    "no index": (
        request("/bare/"),
        (404, 403, "what is not shown is not there, as in the manual's reference"),
    ),
    "no index, no slash": (
        request("/bare"),
        (404, 301, "a redirect to a page that does not exist is of no use"),
    ),
    "a missing slash": (request("/sub"), (301, 301, "")),
    "a slash behind a file": (request("/page.html/"), (404, 404, "")),
    "no such file": (request("/none"), (404, 404, "")),
    "another method": (request("/page.html", method="PUT", body=b"x"), (405, 405, "")),
    "several ranges beyond the end": (
        request("/page.html", "Range: bytes=100-200,300-"),
        (416, 416, ""),
    ),
    "a range that is none": (
        request("/page.html", "Range: bytes=6-3"),
        (200, 416, "what is malformed is ignored (RFC 9110 section 14.2)"),
    ),
    "no suffix": (request("/page.html", "Range: bytes=-0"), (416, 416, "")),
    "a range for HEAD": (
        request("/page.html", "Range: bytes=0-1", method="HEAD"),
        (200, 206, "ranges are for GET alone (RFC 9110 section 14.2)"),
    ),
    "If-Modified-Since before": (
        request("/page.html", f"If-Modified-Since: {EARLIER}"),
        (200, 200, ""),
    ),
    "If-Modified-Since after": (
        request("/page.html", "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT"),
        (304, 200, "nginx wants the very date; RFC 9110 section 13.1.3 wants a comparison"),
    ),
    "If-Unmodified-Since before": (
        request("/page.html", f"If-Unmodified-Since: {EARLIER}"),
        (412, 412, ""),
    ),
    "If-Match of another": (request("/page.html", 'If-Match: "x"'), (412, 412, "")),
    "If-Match beats If-Unmodified-Since": (
        request("/page.html", "If-Match: *", f"If-Unmodified-Since: {EARLIER}"),
        (200, 412, "RFC 9110 section 13.2.2, step 1"),
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences(ours: tuple[str, int], theirs: tuple[str, int], name: str) -> None:
    data, (our_status, their_status, why) = DIFFERENCES[name]
    method = data.split(b" ", 1)[0].decode()
    assert fetch(ours, data, method).status == our_status
    assert fetch(theirs, data, method).status == their_status
    assert bool(why) == (our_status != their_status)


def test_several_ranges(ours: tuple[str, int], theirs: tuple[str, int]) -> None:
    """The same parts with any separator between them."""
    data = request("/large.bin", "Range: bytes=0-9,1000-1009,-10")
    bodies = []
    for where in (ours, theirs):
        response = fetch(where, data)
        assert response.status == 206
        kind, _, boundary = (response.get("Content-Type") or "").partition("; boundary=")
        assert kind == "multipart/byteranges"
        parts = response.body.split(b"--" + boundary.encode())
        heads = [part.partition(b"\r\n\r\n") for part in parts[1:-1]]
        bodies.append([(sorted(head.split(b"\r\n")), body) for head, _, body in heads])
    assert bodies[0] == bodies[1]


def test_overlapping_ranges(ours: tuple[str, int], theirs: tuple[str, int]) -> None:
    """nginx sends bytes twice that were asked for twice, up to the size of the file; we merge."""
    data = request("/large.bin", "Range: bytes=0-9,5-19")
    response = fetch(ours, data)
    assert response.get("Content-Range") == "bytes 0-19/307200"
    assert fetch(theirs, data).status == 206


def test_redirect(ours: tuple[str, int], theirs: tuple[str, int]) -> None:
    for target in ("/sub", "/sub?a=b", "//sub"):
        data = request(target)
        assert fetch(ours, data).get("Location") == fetch(theirs, data).get("Location")


def test_our_own_tags(ours: tuple[str, int], theirs: tuple[str, int]) -> None:
    """Each server recognises what it said before, and answers alike."""
    for target in ("/page.html", "/large.bin", "/style.css"):
        for coding in ("gzip", "identity"):
            statuses = []
            for where in (ours, theirs):
                accept = f"Accept-Encoding: {coding}"
                tag = fetch(where, request(target, accept)).get("ETag")
                for field in (
                    f"If-None-Match: {tag}",
                    f"If-None-Match: W/{tag}",
                    f"If-Match: {tag}",
                ):
                    statuses.append(fetch(where, request(target, accept, field)).status)
            assert statuses[:3] == statuses[3:] == [304, 304, 200]
