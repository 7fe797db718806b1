"""The page that shows a directory, as programs and people use it."""

from __future__ import annotations

import gzip
import html
import json
import re
from pathlib import Path
from urllib.parse import urljoin

import httpuv
import pytest
from conftest import Serve
from support import get

ODD = ["back\\slash.txt", "a:b.txt", "50% off?#1", 'q&a\'s "x" <b>.txt', "snow \u2603.txt", "%41"]


def links(page: bytes) -> list[str]:
    """Where the links of a page lead, as a browser reads them."""
    found = re.findall(r'<a\b[^>]*?\bhref="([^"]*)"', page.decode())
    return [urljoin("/", html.unescape(each)) for each in found]


def test_what_is_listed_can_be_had(serve: Serve, tmp_path: Path) -> None:
    for name in ODD:
        (tmp_path / name).write_text(name)
    (tmp_path / "up\\..\\unnamable").write_text("no request can name it")
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    page = get(server, "/").body
    assert b"unnamable" not in page
    bodies = {get(server, link).body.decode() for link in links(page) if link != "/"}
    assert bodies == set(ODD)


def test_fsspec_reads_it(serve: Serve, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    (tmp_path / "sub").mkdir()
    for name in ("a.parquet", "b.parquet", "it's & more.parquet", "c.txt", "sub/d.parquet"):
        (tmp_path / name).write_text("x")
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    root = f"http://127.0.0.1:{server.getPort()}/"
    web = fsspec.filesystem("http", skip_instance_cache=True, use_listings_cache=False)
    assert sorted(web.glob(root + "[ab].parquet")) == [root + "a.parquet", root + "b.parquet"]
    assert root + "sub/d.parquet" in web.glob(root + "**/*.parquet")
    assert len(web.glob(root + "*.parquet")) == 3
    assert root + "sub/" in web.ls(root, detail=False)
    for url in web.find(root):
        assert web.cat(url) == b"x"


def test_json_for_programs(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("12345")
    (tmp_path / "a").mkdir()
    server = serve({"staticPaths": {"/data": httpuv.staticPath(tmp_path, listing=True)}})
    response = get(server, "/data/", "Accept: application/json")
    assert response.get("Content-Type") == "application/json"
    assert response.get("Vary") == "Accept, Accept-Encoding"
    listing = json.loads(response.body)
    assert listing["path"] == "/data/"
    assert [(each["href"], each["type"], each.get("size")) for each in listing["entries"]] == [
        ("a/", "directory", None),
        ("b.txt", "file", 5),
    ]
    # Both forms at the same time, each for its client.
    page = get(server, "/data/", "Accept: text/html")
    assert (page.get("Content-Type") or "").startswith("text/html")
    tag = response.get("ETag")
    unchanged = get(server, "/data/", "Accept: application/json", f"If-None-Match: {tag}")
    assert unchanged.status == 304


def test_orders_by_query(serve: Serve, tmp_path: Path) -> None:
    for name, size in (("a", 3), ("b", 1), ("c", 2)):
        (tmp_path / name).write_bytes(b"x" * size)
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    for query, names in (("", "abc"), ("?sort=size", "bca"), ("?sort=-name", "cba"), ("", "abc")):
        listing = json.loads(get(server, f"/{query}", "Accept: application/json").body)
        assert "".join(each["name"] for each in listing["entries"]) == names


def test_a_long_listing_leaves_compressed(serve: Serve, tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"frame-{number}.png").touch()
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    plain = get(server, "/")
    coded = get(server, "/", "Accept-Encoding: gzip")
    assert coded.get("Content-Encoding") == "gzip"
    assert gzip.decompress(coded.body) == plain.body
    assert len(coded.body) * 8 < len(plain.body)
    assert coded.get("ETag") != plain.get("ETag")


def test_error_pages_are_for_browsers(serve: Serve, tmp_path: Path) -> None:
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, headers={"X-Own": "1"})}})
    page = get(server, "/missing", "Accept: text/html,*/*;q=0.8")
    assert (page.status, page.get("X-Own")) == (404, "1")
    assert page.get("Content-Type") == "text/html; charset=utf-8"
    assert b"Not Found" in page.body
    assert b"httpuv" not in page.body and str(tmp_path).encode() not in page.body
    for fields in ([], ["Accept: */*"], ["Accept: application/json"]):
        response = get(server, "/missing", *fields)
        assert response.body == b"Not Found"
        assert response.get("Vary") == "Accept"


def test_tools_and_challenge(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    path = httpuv.staticPath(
        tmp_path,
        listing=True,
        listing_tools="<b>{path}</b>",
        validation='"authorization" = "x"',
        challenge='Basic realm="r"',
    )
    server = serve({"staticPaths": {"/": path}})
    refused = get(server, "/a%20b/")
    assert (refused.status, refused.get("WWW-Authenticate")) == (401, 'Basic realm="r"')
    assert b"<b>/a%20b/</b>" in get(server, "/a%20b/", "Authorization: x").body
