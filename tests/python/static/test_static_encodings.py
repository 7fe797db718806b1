"""Static files in coded forms: those that lie beside a file, and gzip made on the way."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import Response, Wire, address, get, request

TEXT = b"all work and no play " * 200
#: What the tests take for brotli and zstd: the server does not look into them.
FORMS = {"br": b"brotli", "zst": b"zstandard", "gz": gzip.compress(TEXT)}
CODINGS = {"br": "br", "zst": "zstd", "gz": "gzip"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "all.js").write_bytes(TEXT)
    (tmp_path / "plain.js").write_bytes(TEXT)
    (tmp_path / "picture.png").write_bytes(TEXT)
    for extension, data in FORMS.items():
        (tmp_path / f"all.js.{extension}").write_bytes(data)
        (tmp_path / f"picture.png.{extension}").write_bytes(data)
    (tmp_path / "only.css").write_bytes(TEXT)
    (tmp_path / "only.css.gz").write_bytes(FORMS["gz"])
    (tmp_path / "index.html").write_bytes(TEXT)
    (tmp_path / "index.html.br").write_bytes(FORMS["br"])
    return tmp_path


def coding(response: Response) -> str:
    return response.get("Content-Encoding") or "identity"


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),  # what browsers send
        ("gzip, zstd", "zstd"),
        ("*", "br"),
        ("deflate", "identity"),
        ("identity", "identity"),
        # Weights decide before our taste.
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0.8, gzip;q=0.8", "br"),
        ("br;q=0.001", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0, br;q=0.000", "identity"),
        ("*;q=0", "identity"),
        ("br;q=0, *", "zstd"),
        ("*;q=0, gzip", "gzip"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=0.6", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("gzip ; q=0.5 ,\tbr ; q=0.4", "gzip"),
        # What is no weight says nothing.
        ("gzip;q=2", "identity"),
        ("gzip;q=-1", "identity"),
        ("gzip;q=x, br", "br"),
        (",,gzip,,", "gzip"),
        ("gzipped", "identity"),
    ],
)
def test_choice(serve: Serve, site: Path, accepted: str | None, chosen: str) -> None:
    server = serve({"staticPaths": {"/": site}})
    fields = [] if accepted is None else [f"Accept-Encoding: {accepted}"]
    response = get(server, "/all.js", *fields)
    assert (response.status, coding(response)) == (200, chosen)
    by_coding = {CODINGS[name]: data for name, data in FORMS.items()}
    assert response.body == by_coding.get(chosen, TEXT)
    assert response.get("Vary") == "Accept-Encoding"
    assert response.get("Content-Type") == "text/javascript; charset=utf-8"


def test_repeated_field(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    response = get(server, "/all.js", "Accept-Encoding: deflate", "Accept-Encoding: gzip")
    assert coding(response) == "gzip"


def test_each_form_has_its_own_tag(serve: Serve, site: Path) -> None:
    """A cache that holds one form must not be told that it has another (RFC 9110, 8.8.3.3)."""
    server = serve({"staticPaths": {"/": site}})
    accept = {name: f"Accept-Encoding: {name}" for name in ("br", "zstd", "gzip", "identity")}
    tags = {name: get(server, "/all.js", field).get("ETag") for name, field in accept.items()}
    assert len(set(tags.values())) == 4
    for asked, field in accept.items():
        for held, tag in tags.items():
            response = get(server, "/all.js", field, f"If-None-Match: {tag}")
            assert response.status == (304 if asked == held else 200), (asked, held)
            if response.status == 304:
                assert response.get("Vary") == "Accept-Encoding"
                assert response.get("ETag") == tag


def test_ranges_are_of_the_chosen_form(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    response = get(server, "/all.js", "Accept-Encoding: zstd", "Range: bytes=2-4")
    assert (response.status, response.body, coding(response)) == (206, b"tan", "zstd")
    assert response.get("Content-Range") == "bytes 2-4/9"
    tag = get(server, "/all.js", "Accept-Encoding: br").get("ETag")
    response = get(
        server, "/all.js", "Accept-Encoding: zstd", "Range: bytes=2-4", f"If-Range: {tag}"
    )
    assert (response.status, response.body) == (200, b"zstandard")


def test_head_and_index(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    response = get(server, "/all.js", "Accept-Encoding: br", method="HEAD")
    assert (coding(response), response.get("Content-Length")) == ("br", "6")
    response = get(server, "/", "Accept-Encoding: gzip, br")
    assert (response.body, coding(response)) == (b"brotli", "br")
    assert response.get("Content-Type") == "text/html; charset=utf-8"


def test_what_has_no_forms(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    for target in ("/plain.js", "/picture.png", "/all.js.gz"):
        response = get(server, target, "Accept-Encoding: br, gzip")
        assert (coding(response), response.get("Vary")) == ("identity", None), target
    # Asked for by its own name it is a file like any other.
    assert get(server, "/all.js.gz").get("Content-Type") == "application/gzip"
    off = serve({"staticPaths": {"/": httpuv.staticPath(site, precompressed=False)}})
    response = get(off, "/all.js", "Accept-Encoding: br, gzip")
    assert (response.body, response.get("Vary")) == (TEXT, None)


def test_an_older_form_is_not_of_this_file(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": site}})
    with Wire(address(server)) as wire:

        def seen() -> tuple[bytes, str]:
            wire.send(request("/only.css", "Accept-Encoding: gzip"))
            response = wire.response()
            return response.body, coding(response)

        assert seen() == (FORMS["gz"], "gzip")
        old = os.stat(site / "only.css").st_mtime - 100
        os.utime(site / "only.css.gz", (old, old))
        assert seen() == (TEXT, "identity")
        os.utime(site / "only.css.gz")
        assert seen() == (FORMS["gz"], "gzip")
        (site / "only.css.gz").unlink()
        assert seen() == (TEXT, "identity")
        (site / "only.css.br").write_bytes(b"new form")
        assert seen() == (TEXT, "identity")
        (site / "only.css.gz").write_bytes(FORMS["gz"])
        assert seen() == (FORMS["gz"], "gzip")


# --- compressed on the way ----------------------------------------------------------------------


def test_gzip(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": httpuv.staticPath(site, gzip=True)}})
    plain = get(server, "/plain.js")
    assert (plain.body, coding(plain), plain.get("Vary")) == (TEXT, "identity", "Accept-Encoding")
    coded = get(server, "/plain.js", "Accept-Encoding: gzip")
    assert coding(coded) == "gzip"
    assert gzip.decompress(coded.body) == TEXT
    assert len(coded.body) < len(TEXT) / 2
    assert coded.get("ETag") != plain.get("ETag")
    tag = coded.get("ETag")
    fields = ("Accept-Encoding: gzip", f"If-None-Match: {tag}")
    assert get(server, "/plain.js", *fields).status == 304
    part = get(server, "/plain.js", "Accept-Encoding: gzip", "Range: bytes=3-9")
    assert (part.status, part.body) == (206, coded.body[3:10])
    assert coding(get(server, "/plain.js", "Accept-Encoding: gzip;q=0")) == "identity"


def test_gzip_where_it_pays(serve: Serve, site: Path) -> None:
    (site / "tiny.txt").write_bytes(b"tiny")
    (site / "noise.txt").write_bytes(os.urandom(20_000))
    (site / "huge.txt").write_bytes(TEXT * 2000)  # beyond what is compressed on the way
    large = TEXT * 100
    (site / "large.json").write_bytes(large)
    server = serve({"staticPaths": {"/": httpuv.staticPath(site, gzip=True)}})
    for target in ("/tiny.txt", "/noise.txt", "/picture.png", "/huge.txt"):
        response = get(server, target, "Accept-Encoding: gzip")
        assert coding(response) == "identity", target
        assert response.body == (site / target[1:]).read_bytes()
    # The form beside the file is the better one.
    assert get(server, "/all.js", "Accept-Encoding: gzip").body == FORMS["gz"]
    response = get(server, "/large.json", "Accept-Encoding: gzip")
    assert gzip.decompress(response.body) == large


def test_gzip_follows_the_file(serve: Serve, site: Path) -> None:
    server = serve({"staticPaths": {"/": httpuv.staticPath(site, gzip=True)}})
    with Wire(address(server)) as wire:
        for i in range(20):
            text = f"version {i} ".encode() * 1000
            (site / "new").write_bytes(text)
            (site / "new").replace(site / "plain.js")
            for _ in range(2):
                wire.send(request("/plain.js", "Accept-Encoding: gzip"))
                assert gzip.decompress(wire.response().body) == text
