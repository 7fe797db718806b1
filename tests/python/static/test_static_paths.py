"""Static paths, black-box: which requests they answer, and how."""

import os
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import Wire, address, fetch, get, request


def dynamic(req: dict) -> dict:
    return {"status": 200, "body": f"dynamic {req['PATH_INFO']}"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    for name, text in {
        "index.html": "<h1>root</h1>",
        "page.html": "<p>page</p>",
        "style.css": "body {}",
        "data.bin": "\0\1\2",
        "sub/index.html": "<h1>sub</h1>",
        "sub/file.txt": "text",
        "empty/.keep": "",
        ".secret": "hidden",
        ".well-known/x.txt": "known",
        "with space.txt": "space",
        "ü.txt": "umlaut",
        "100%.txt": "percent",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "outside.txt").write_text("outside")
    return root


def test_files(serve: Serve, site: Path) -> None:
    server = serve({"call": dynamic, "staticPaths": {"/": site}})
    for target, body in [
        ("/", b"<h1>root</h1>"),
        ("/index.html", b"<h1>root</h1>"),
        ("/page.html?query", b"<p>page</p>"),
        ("/data.bin", b"\0\1\2"),
        ("/sub/", b"<h1>sub</h1>"),
        ("/sub/file.txt", b"text"),
        ("/with%20space.txt", b"space"),
        ("/%C3%BC.txt", b"umlaut"),
        ("/100%25.txt", b"percent"),
        ("/%70age.html", b"<p>page</p>"),
        ("http://localhost/page.html", b"<p>page</p>"),
    ]:
        response = get(server, target)
        assert (response.status, response.body) == (200, body), target
        assert response.get("Content-Length") == str(len(body))
    for target in ("/none", "/sub/none", "/page.html/", "/page.html/x", "/empty/none"):
        assert get(server, target).status == 404, target


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.HTM", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.png", "image/png"),
        ("a.svg", "image/svg+xml"),
        ("a.avif", "image/avif"),
        ("a.woff2", "font/woff2"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.mp4", "video/mp4"),
        ("a.pdf", "application/pdf"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("a.unknown", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_content_type(serve: Serve, tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_text("x")
    assert get(serve({"staticPaths": {"/": tmp_path}}), f"/{name}").get("Content-Type") == kind


def test_mime_types_can_be_overridden(serve: Serve, tmp_path: Path) -> None:
    for name in ("a.x", "a.css", "a.CSV"):
        (tmp_path / name).write_text("x")
    types = {".x": "application/x-mine", "css": "text/x-css; charset=x", ".CSV": "a/b"}
    server = serve({"staticPaths": {"/": tmp_path}}, mimeTypes=types)
    assert get(server, "/a.x").get("Content-Type") == "application/x-mine"
    assert get(server, "/a.css").get("Content-Type") == "text/x-css; charset=x"
    assert get(server, "/a.CSV").get("Content-Type") == "a/b"


def test_html_charset(serve: Serve, site: Path) -> None:
    server = serve(
        {
            "staticPaths": {
                "/none": httpuv.staticPath(site, html_charset=""),
                "/latin": httpuv.staticPath(site, html_charset="iso-8859-1"),
            }
        }
    )
    assert get(server, "/none/page.html").get("Content-Type") == "text/html"
    assert get(server, "/latin/page.html").get("Content-Type") == "text/html; charset=iso-8859-1"
    # Only HTML can name its own; other text is UTF-8.
    assert get(server, "/latin/style.css").get("Content-Type") == "text/css; charset=utf-8"


def test_indexhtml(serve: Serve, site: Path) -> None:
    server = serve(
        {
            "call": dynamic,
            "staticPaths": {
                "/off": httpuv.staticPath(site, indexhtml=False),
                "/through": httpuv.staticPath(site, indexhtml=False, fallthrough=True),
            },
        }
    )
    assert get(server, "/off/").status == 404
    assert get(server, "/off/index.html").body == b"<h1>root</h1>"
    assert get(server, "/through/").body == b"dynamic /through/"


def test_missing_slash_is_redirected(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    response = get(server, "/sub")
    assert response.status in (301, 308)
    assert (response.get("Location") or "").endswith("/sub/")


def test_fallthrough(serve: Serve, site: Path) -> None:
    server = serve(
        {"call": dynamic, "staticPaths": {"/": httpuv.staticPath(site, fallthrough=True)}}
    )
    assert get(server, "/page.html").body == b"<p>page</p>"
    assert get(server, "/none").body == b"dynamic /none"
    assert get(server, "/page.html", method="POST").body == b"dynamic /page.html"
    data = request("/none", method="POST", body=b"body")
    assert fetch(address(server), data).body == b"dynamic /none"


def test_fallthrough_without_call(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": httpuv.staticPath(site, fallthrough=True)}})
    assert get(server, "/none").status == 404


def test_without_fallthrough_call_is_not_asked(serve: Serve, site: Path) -> None:
    asked: list[dict] = []
    server = serve({"call": asked.append, "onHeaders": asked.append, "staticPaths": {"/": site}})
    assert get(server, "/none").status == 404
    assert get(server, "/page.html").status == 200
    assert asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods(serve: Serve, site: Path, method: str) -> None:
    server = serve({"call": dynamic, "staticPaths": {"/": site}})
    response = get(server, "/page.html", method=method)
    assert response.status == 405
    assert {part.strip() for part in (response.get("Allow") or "").split(",")} >= {"GET", "HEAD"}


def test_head(serve: Serve, site: Path) -> None:
    with Wire(address(serve({"staticPaths": {"/": site}}))) as wire:
        wire.send(request("/page.html", method="HEAD"), request("/none", method="HEAD"))
        wire.send(request("/page.html"))
        head = wire.response("HEAD")
        assert head.get("Content-Length") == "11"
        assert wire.response("HEAD").status == 404
        response = wire.response()
        assert response.body == b"<p>page</p>"
        assert {name for name, _ in head.fields} == {name for name, _ in response.fields}


def test_longest_prefix_wins(serve: Serve, site: Path) -> None:
    server = serve(
        {
            "call": dynamic,
            "staticPaths": {
                "/": site,
                "/sub": httpuv.staticPath(site / "empty", fallthrough=True),
                "/sub/deep": site,
            },
        }
    )
    assert get(server, "/page.html").body == b"<p>page</p>"
    assert get(server, "/sub/file.txt").body == b"dynamic /sub/file.txt"
    assert get(server, "/sub/deep/page.html").body == b"<p>page</p>"
    # Whole segments only.
    assert get(server, "/subdeep/page.html").status == 404


def test_a_path_that_is_a_file(serve: Serve, site: Path) -> None:
    server = serve({"call": dynamic, "staticPaths": {"/the/file": site / "page.html"}})
    response = get(server, "/the/file")
    assert response.body == b"<p>page</p>"
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    assert get(server, "/the/file/x").status == 404
    assert get(server, "/the").body == b"dynamic /the"


def test_exclude(serve: Serve, site: Path) -> None:
    server = serve(
        {
            "call": dynamic,
            "staticPaths": {
                "/": site,
                "/sub": httpuv.excludeStaticPath(),
                "/page.html": httpuv.excludeStaticPath(),
                "/sub/again": site,
            },
        }
    )
    assert get(server, "/style.css").body == b"body {}"
    assert get(server, "/sub/file.txt").body == b"dynamic /sub/file.txt"
    assert get(server, "/sub").body == b"dynamic /sub"
    assert get(server, "/page.html").body == b"dynamic /page.html"
    assert get(server, "/sub/again/page.html").body == b"<p>page</p>"
    # No spelling gets around it.
    for target in ("/%73ub/file.txt", "//sub/file.txt", "/./sub/file.txt", "/sub//file.txt"):
        assert b"text" not in get(server, target).body


def test_headers(serve: Serve, site: Path) -> None:
    headers = {"X-One": "1", "Set-Cookie": ["a=1", "b=2"]}
    server = serve(
        {
            "staticPaths": {"/": site, "/none": httpuv.staticPath(site, headers={})},
            "staticPathOptions": httpuv.staticPathOptions(headers=headers),
        }
    )
    response = get(server, "/page.html")
    assert response.get("X-One") == "1"
    assert response.all("Set-Cookie") == ["a=1", "b=2"]
    assert get(server, "/none/page.html").get("X-One") is None


def test_validation(serve: Serve, site: Path) -> None:
    server = serve(
        {
            "call": dynamic,
            "staticPaths": {
                "/": httpuv.staticPath(site, validation='"X-Token" = "secret word"'),
                "/open": httpuv.staticPath(site, validation=[]),
            },
        }
    )
    assert get(server, "/page.html", "x-token: secret word").body == b"<p>page</p>"
    for field in (
        "X-Token: Secret Word",
        "X-Token: secret wor",
        "X-Token: secret words",
        "X-Token:",
    ):
        assert get(server, "/page.html", field).status == 403
    assert get(server, "/page.html").status == 403
    assert get(server, "/none").status == 403
    assert get(server, "/open/page.html").status == 200


def test_extensions(serve: Serve, site: Path) -> None:
    (site / "home.htm").write_text("home")
    (site / "404.html").write_text("custom")
    server = serve(
        {
            "staticPaths": {
                "/": httpuv.staticPath(
                    site,
                    index_names=["home.htm", "index.html"],
                    not_found="404.html",
                    cache_control="max-age=60",
                )
            }
        }
    )
    assert get(server, "/").body == b"home"
    assert get(server, "/sub/").body == b"<h1>sub</h1>"
    assert get(server, "/page.html").get("Cache-Control") == "max-age=60"
    response = get(server, "/none")
    assert (response.status, response.body) == (404, b"custom")


def test_listing(serve: Serve, site: Path) -> None:
    server = serve(
        {
            "staticPaths": {
                "/on": httpuv.staticPath(site, listing=True, indexhtml=False),
                "/off": httpuv.staticPath(site, indexhtml=False),
            }
        }
    )
    response = get(server, "/on/")
    assert response.status == 200
    assert (response.get("Content-Type") or "").startswith("text/html")
    text = response.body.decode()
    assert "page.html" in text and "with%20space.txt" in text and "sub/" in text
    assert ".secret" not in text
    assert get(server, "/off/").status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/../outside.txt",
        "/sub/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e%2foutside.txt",
        "/..\\outside.txt",
        "/..%5coutside.txt",
        "/sub/..%2f..%2foutside.txt",
        "/%252e%252e/outside.txt",
        "/%c0%ae%c0%ae/outside.txt",
        "/page.html%00.txt",
        "//../outside.txt",
        "/./../outside.txt",
        "http://localhost/../outside.txt",
        "/..;/outside.txt",
        "/.../outside.txt",
    ],
)
def test_no_way_out(serve: Serve, site: Path, target: str) -> None:
    response = get(serve({"staticPaths": {"/": site}}), target)
    assert response.status in (400, 404)
    assert b"outside" not in response.body


def test_dot_dot_is_400(serve: Serve, site: Path) -> None:
    assert get(serve({"staticPaths": {"/": site}}), "/sub/../page.html").status == 400


def test_dotfiles(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site, "/all": httpuv.staticPath(site, dotfiles=True)}})
    assert get(server, "/.secret").status == 404
    assert get(server, "/empty/.keep").status == 404
    assert get(server, "/.well-known/x.txt").body == b"known"
    assert get(server, "/all/.secret").body == b"hidden"


def test_symlinks(serve: Serve, site: Path) -> None:
    (site / "inside").symlink_to("page.html")
    (site / "out").symlink_to("../outside.txt")
    (site / "absolute").symlink_to(site.parent / "outside.txt")
    server = serve({"staticPaths": {"/": site, "/all": httpuv.staticPath(site, symlinks=True)}})
    assert get(server, "/inside").body == b"<p>page</p>"
    assert get(server, "/out").status == 404
    assert get(server, "/absolute").status == 404
    assert get(server, "/all/out").body == b"outside"
    assert get(server, "/all/absolute").body == b"outside"


def test_only_regular_files(serve: Serve, site: Path) -> None:
    os.mkfifo(site / "fifo")
    server = serve({"staticPaths": {"/": site}})
    assert get(server, "/fifo").status == 404
    assert get(server, "/page.html").status == 200


def test_changes_are_seen_at_once(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    with Wire(address(server)) as wire:
        for i in range(50):
            new = site / "new"
            new.write_text(f"version {i}")
            new.rename(site / "file.txt")
            wire.send(request("/file.txt"))
            assert wire.response().body == f"version {i}".encode()
        (site / "file.txt").unlink()
        wire.send(request("/file.txt"))
        assert wire.response().status == 404


def test_conditional_and_range(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    response = get(server, "/page.html")
    tag, modified = response.get("ETag"), response.get("Last-Modified")
    assert tag and modified and response.get("Accept-Ranges") == "bytes"
    for field in (f"If-None-Match: {tag}", f"If-Modified-Since: {modified}"):
        answer = get(server, "/page.html", field)
        assert (answer.status, answer.body) == (304, b"")
    part = get(server, "/page.html", "Range: bytes=3-6")
    assert (part.status, part.body) == (206, b"page")
    assert part.get("Content-Range") == "bytes 3-6/11"
    assert get(server, "/page.html", "Range: bytes=100-").status == 416


def test_large_file_whole(serve: Serve, site: Path) -> None:
    data = bytes(range(256)) * 60_000
    (site / "large.bin").write_bytes(data)
    server = serve({"staticPaths": {"/": site}})
    assert get(server, "/large.bin").body == data
    with Wire(address(server)) as wire:
        wire.send(request("/large.bin"), request("/page.html"), request("/large.bin"))
        assert wire.response().body == data
        assert wire.response().body == b"<p>page</p>"
        assert wire.response().body == data


def test_over_a_pipe(running: object, site: Path, tmp_path: Path) -> None:
    name = str(tmp_path / "socket")
    with httpuv.startPipeServer(name, None, {"staticPaths": {"/": site}}):
        assert fetch(name, request("/page.html")).body == b"<p>page</p>"


def test_name_that_is_not_utf_8(serve: Serve, tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(root)
    with open(root + b"/\xff.txt", "wb") as file:
        file.write(b"bytes")
    server = serve({"staticPaths": {"/": os.fsdecode(root)}})
    assert get(server, "/%FF.txt").body == b"bytes"
