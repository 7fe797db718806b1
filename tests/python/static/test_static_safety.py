"""Static files, what must never be served: nothing outside the root, nothing hidden, no device."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import Wire, address, get, request

SECRET = b"SECRET"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A root with a page, between places that no request may see."""
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    (root / "page.html").write_text("page")
    (root / "sub" / "page.html").write_text("sub page")
    (root / "sub" / "index.html").write_text("index")
    (root / ".hidden").write_bytes(SECRET)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(SECRET)
    # Beside the root, in a folder whose name begins like it, and below a name that is an attack.
    for place in ("secret.txt", "site-private/secret.txt", "sitesecret.txt"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(SECRET)
    return root


UP = [
    # As it is, in every place.
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/sub/../page.html",
    "/..",
    "/sub/..",
    "/sub/../",
    "//../secret.txt",
    "/./../secret.txt",
    "/sub//..//../secret.txt",
    "/../site/page.html",
    "/../site-private/secret.txt",
    # Encoded dots, slashes, both; in any case.
    "/%2e%2e/secret.txt",
    "/%2E%2E/secret.txt",
    "/.%2e/secret.txt",
    "/%2e./secret.txt",
    "/..%2fsecret.txt",
    "/..%2Fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/sub%2f..%2f..%2fsecret.txt",
    "/sub/..%2f..%2fsecret.txt",
    # Backslashes, which some systems take for slashes.
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "/..%5Csecret.txt",
    "/%2e%2e%5csecret.txt",
    "/sub\\..\\..\\secret.txt",
    # Absolute form, with and without a user in front.
    "http://localhost/../secret.txt",
    "http://localhost/%2e%2e/secret.txt",
    "http://user@localhost/../secret.txt",
]

ELSEWHERE = [
    # Encoded twice, and deeper: decoded once, it is a name that does not exist.
    "/%252e%252e/secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/%25252e%25252e/secret.txt",
    # Overlong UTF-8 of dots and slashes; full-width ones; what IIS took for a percent sign.
    "/%c0%ae%c0%ae/secret.txt",
    "/%c0%ae%c0%ae%c0%afsecret.txt",
    "/%e0%80%ae%e0%80%ae/secret.txt",
    "/%f0%80%80%ae%f0%80%80%ae/secret.txt",
    "/..%c0%afsecret.txt",
    "/..%c1%9csecret.txt",
    "/%ef%bc%8e%ef%bc%8e/secret.txt",
    "/..%ef%bc%8fsecret.txt",
    "/%u002e%u002e/secret.txt",
    "/%%32%65%%32%65/secret.txt",
    "/%uff0e%uff0e/secret.txt",
    # NUL: the end of the name for C, not for Python.
    "/page.html%00",
    "/page.html%00.png",
    "/%00/page.html",
    "/..%00/secret.txt",
    # Dots and spaces at the end, streams and short names, which Windows ignores or knows.
    "/page.html.",
    "/page.html%20",
    "/page.html...",
    "/page.html::$DATA",
    "/sub./page.html",
    "/.../secret.txt",
    "/....//secret.txt",
    "/..;/secret.txt",
    "/..;a=b/secret.txt",
    "/PAGE~1.HTM",
    # Absolute names, other roots, broken encodings.
    "//etc/passwd",
    "/%2fetc/passwd",
    "/%2fetc%2fpasswd",
    "/file:///etc/passwd",
    "/C:/secret.txt",
    "/~root/secret.txt",
    "/proc/self/environ",
    "/%",
    "/%2",
    "/%zz",
    "/page.html%",
    "/page.html/",
    "/page.html/.",
    "/sub%00/page.html",
]


@pytest.mark.parametrize("target", UP)
def test_parent_segments_are_refused(serve: Serve, site: Path, target: str) -> None:
    assert get(serve({"staticPaths": {"/": site}}), target).status == 400


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_other_spelling_leads_out(serve: Serve, site: Path, target: str) -> None:
    response = get(serve({"staticPaths": {"/": site}}), target)
    assert response.status in (400, 404), (response.status, response.body)
    assert SECRET not in response.body and response.body != b"page"


def test_attacks_on_a_route_that_falls_through(serve: Serve, site: Path) -> None:
    """The application may get odd names, but no file of ours that was asked for with them."""
    server = serve(
        {
            "call": lambda req: {"status": 200, "body": "dynamic"},
            "staticPaths": {"/files": httpuv.staticPath(site, fallthrough=True)},
        }
    )
    for target in UP + ELSEWHERE:
        if target.startswith("/"):
            response = get(server, "/files" + target)
            assert response.status == 400 or response.body == b"dynamic", target


def test_raw_bytes_in_a_target(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    for raw in (
        b"/page.html\0",
        b"/\xc0\xae\xc0\xae/secret.txt",
        b"/page\x01.html",
        b"/page .html",
    ):
        with Wire(address(server)) as wire:
            wire.send(b"GET " + raw + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response().status == 400


def test_links(serve: Serve, site: Path) -> None:
    outside = site.parent
    for name, target in {
        "inside": "page.html",
        "inside-absolute": site / "page.html",
        "folder": "sub",
        "round": "sub/../page.html",
        "up": "..",
        "up-file": "../secret.txt",
        "absolute": outside / "secret.txt",
        "sibling": "../site-private",
        "chain": "up-file",
        "there-and-back": "../site/page.html",
        "circle": "circle",
        "nowhere": "does-not-exist",
        "process": "/proc/self/root",
        "everything": "/",
    }.items():
        (site / name).symlink_to(target)
    server = serve({"staticPaths": {"/": site, "/all": httpuv.staticPath(site, symlinks=True)}})
    for target, body in [
        ("/inside", b"page"),
        ("/inside-absolute", b"page"),
        ("/folder/page.html", b"sub page"),
        ("/folder/", b"index"),
        ("/round", b"page"),
        # What counts is where they end.
        ("/there-and-back", b"page"),
        ("/up/site/page.html", b"page"),
    ]:
        for prefix in ("", "/all"):
            response = get(server, prefix + target)
            assert (response.status, response.body) == (200, body), prefix + target
    for target in (
        *("/up/secret.txt", "/up-file", "/absolute", "/sibling/secret.txt"),
        *("/chain", "/circle", "/nowhere", "/process/etc/passwd", "/everything/etc/passwd"),
    ):
        response = get(server, target)
        assert response.status == 404, target
        assert SECRET not in response.body
    for target in ("/up/secret.txt", "/up-file", "/absolute", "/sibling/secret.txt", "/chain"):
        assert get(server, "/all" + target).body == SECRET, target
    for target in ("/all/circle", "/all/nowhere"):
        assert get(server, target).status == 404


def test_hidden_names(serve: Serve, site: Path) -> None:
    (site / ".well-known").mkdir()
    (site / ".well-known" / "security.txt").write_text("well known")
    (site / ".well-known" / ".hidden").write_bytes(SECRET)
    server = serve({"staticPaths": {"/": httpuv.staticPath(site, listing=True)}})
    for target in (
        *("/.hidden", "/%2ehidden", "/%2Ehidden", "//.hidden", "/./.hidden", "/sub/./.hidden"),
        *("/.git/config", "/%2egit/config", "/.git/", "/.git", "/.well-known/.hidden"),
        *("/.hidden?x", "/..hidden", "/.", "/./"),
    ):
        response = get(server, target)
        assert SECRET not in response.body, target
        assert response.status == (200 if target in ("/.", "/./") else 404), target
    assert get(server, "/.well-known/security.txt").body == b"well known"
    links = re.findall(rb'href="([^"]*)"', get(server, "/").body)
    assert b"sub/" in links
    assert not [link for link in links if link.startswith((b".hidden", b".git"))]


def test_only_regular_files_never_wait(serve: Serve, site: Path) -> None:
    """open() of a FIFO without a writer blocks; that of a terminal may, too."""
    os.mkfifo(site / "fifo")
    os.mkfifo(site / "page.css.gz")
    (site / "page.css").write_text("css")
    (site / "fifo-folder").mkdir()
    os.mkfifo(site / "fifo-folder" / "index.html")
    (site / "zero").symlink_to("/dev/zero")
    (site / "tty").symlink_to("/dev/tty")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(site)  # such names may be 100 bytes long
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        options = {"symlinks": True, "listing": True}
        server = serve(
            {
                "staticPaths": {
                    "/": httpuv.staticPath(site, **options),
                    "/route": site / "fifo",
                    "/inside": site,
                }
            }
        )
        special = ["/fifo", "/inside/fifo", "/zero", "/inside/zero", "/tty", "/socket", "/route"]
        with Wire(address(server)) as wire:
            for target in special * 5:
                wire.send(request(target))
                assert wire.response().status == 404, target
            wire.send(request("/page.css", "Accept-Encoding: gzip"))
            response = wire.response()
            assert (response.body, response.get("Content-Encoding")) == (b"css", None)
            wire.send(request("/fifo-folder/"))
            assert wire.response().status == 200  # the listing: that is no index
            wire.send(request("/"))
            shown = wire.response().body
            assert b"page.css" in shown and b"zero" not in shown and b'"./fifo"' not in shown


def test_redirects_stay_here(serve: Serve, site: Path) -> None:
    """A Location that begins with two slashes names another host."""
    (site / "evil.example" / "sub").mkdir(parents=True)
    (site / "evil.example" / "index.html").write_text("x")
    (site / "evil.example" / "sub" / "index.html").write_text("x")
    server = serve({"staticPaths": {"/": site}})
    for target, location in [
        ("/sub", "/sub/"),
        ("/sub?a=b&c", "/sub/?a=b&c"),
        ("//evil.example", "/evil.example/"),
        ("///evil.example", "/evil.example/"),
        ("//evil.example/sub", "/evil.example/sub/"),
        ("/./evil.example", "/evil.example/"),
        ("/.//evil.example", "/evil.example/"),
        ("http://localhost//evil.example", "/evil.example/"),
    ]:
        response = get(server, target)
        assert (response.status, response.get("Location")) == (301, location), target
    for target in ("/\\evil.example", "/%5cevil.example", "/%2fevil.example", "/%09/evil.example"):
        assert get(server, target).status in (400, 404)


def test_redirects_keep_names_encoded(serve: Serve, site: Path) -> None:
    name = 'ü "<b>&'
    (site / name).mkdir()
    (site / name / "index.html").write_text("x")
    server = serve({"staticPaths": {"/": site}})
    response = get(server, "/%C3%BC%20%22%3Cb%3E%26")
    location = response.get("Location") or ""
    assert location.isascii() and not set(location) & set(' "<>')
    assert b"<b>" not in response.body
    assert get(server, location).body == b"x"
    # What a client puts behind it cannot end the field or the page's attribute.
    response = get(server, '/sub?"><script>alert(1)</script>')
    assert response.status in (301, 400)
    assert b"<script>" not in response.body
