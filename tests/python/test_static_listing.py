"""The page that shows a directory, as programs and people use it."""

from __future__ import annotations

import html
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
    (tmp_path / "up\\..\\down").write_text("no request can name it")
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    page = get(server, "/").body
    assert b"down" not in page
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
