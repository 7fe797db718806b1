"""Static files in a real browser: a page with styles, modules and WebAssembly, sound, listings."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Serve
from support import Script

SECONDS = 120
RATE = 22_050

#: (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
WASM = bytes.fromhex(
    "0061736d01000000"  # magic, version
    "01070160027f7f017f"  # a type: (i32, i32) -> i32
    "03020100"  # a function of that type
    "070701036164640000"  # exported as "add"
    "0a09010700200020016a0b"  # its code
)


def tone() -> bytes:
    """Two minutes of a triangle wave, as a WAV file of five megabytes."""
    period = [abs(i - 50) * 400 - 10_000 for i in range(100)]
    frames = struct.pack("<100h", *period) * (SECONDS * RATE // 100)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames)
    return out.getvalue()


PAGE = """<!DOCTYPE html>
<title>ü</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="styles/page.css">
<script type="module" src="scripts/main.mjs"></script>
<p id="text">Grüße</p>
<p id="sum"></p>
"""

MAIN = """import { add } from "./adder.js";
document.getElementById("sum").textContent = await add(40, 2);
"""

ADDER = """
const url = new URL("../adder.wasm", import.meta.url);
const { instance } = await WebAssembly.instantiateStreaming(fetch(url));
export const add = async (a, b) => instance.exports.add(a, b);
"""

PLAYER = """<!DOCTYPE html>
<title>player</title>
<link rel="icon" href="data:,">
<audio id="audio" src="tone.wav" preload="metadata" muted></audio>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    for name, content in {
        "index.html": PAGE,
        "styles/page.css": "p { color: rgb(1, 2, 3) } #text::after { content: ' ✓' }",
        "scripts/main.mjs": MAIN,
        "scripts/adder.js": ADDER,
        "player.html": PLAYER,
        "folder/größe 100% #1?.txt": "found it",
        "folder/日本語/deep.txt": "deep",
        'folder/<b>&amp;".txt': "escaped",
        "folder/a:b.txt": "colon",
        "folder/.hidden": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    (root / "adder.wasm").write_bytes(WASM)
    (root / "tone.wav").write_bytes(tone())
    return root


@pytest.fixture
def url(site: Path) -> Iterator[str]:
    """The site, served by the command; ends in a slash."""
    with Script("", str(site), "--port", "0", "--no-browse", module="httpuv") as server:
        while "http://" not in (line := server.error_line()):
            pass
        yield line.split()[-1]
    (site / "tone.wav").unlink()  # temporary directories are kept for a while


def test_page_with_styles_modules_and_wasm(browser_context: Any, url: str) -> None:
    page = browser_context.new_page()
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(url)
    page.locator("#sum", has_text="42").wait_for()
    assert page.title() == "ü"
    assert page.inner_text("#text") == "Grüße"
    style = "getComputedStyle(document.getElementById('text')"
    assert page.evaluate(f"{style}).color") == "rgb(1, 2, 3)"
    assert page.evaluate(f"{style}, '::after').content") == '" ✓"'
    kinds = {each.url.removeprefix(url): each.headers["content-type"] for each in answers}
    assert kinds == {
        "": "text/html; charset=utf-8",
        "styles/page.css": "text/css; charset=utf-8",
        "scripts/main.mjs": "text/javascript; charset=utf-8",
        "scripts/adder.js": "text/javascript; charset=utf-8",
        "adder.wasm": "application/wasm",
    }
    # Once more: the browser asks whether each is still the same, and gets no body again.
    page.reload()
    page.locator("#sum", has_text="42").wait_for()
    # (Resource Timing: a transfer counts 300 bytes and the body.)
    sizes = """['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
        .map(entry => entry.transferSize)"""
    assert set(page.evaluate(sizes)) <= {0, 300}


def test_sound_plays_and_seeks(browser_context: Any, url: str) -> None:
    page = browser_context.new_page()
    statuses: list[int] = []
    page.on(
        "response",
        lambda answer: statuses.append(answer.status) if answer.url.endswith(".wav") else None,
    )
    page.goto(url + "player.html")
    page.wait_for_function("audio.readyState >= HTMLMediaElement.HAVE_METADATA")
    assert page.evaluate("Math.round(audio.duration)") == SECONDS
    assert page.evaluate("audio.seekable.length && Math.round(audio.seekable.end(0))") == SECONDS
    page.evaluate("audio.play()")
    page.wait_for_function("audio.currentTime > 0.1")
    for position in (SECONDS - 20, 40):
        page.evaluate(f"audio.currentTime = {position}")
        page.wait_for_function(f"!audio.seeking && audio.currentTime > {position} + 0.1")
    page.evaluate("audio.currentTime = audio.duration - 0.5")
    page.wait_for_function("audio.ended")
    assert page.evaluate("audio.error") is None
    assert statuses and set(statuses) == {206}


def test_listing(browser_context: Any, url: str) -> None:
    page = browser_context.new_page()
    page.goto(url + "folder")  # without its slash
    assert page.url == url + "folder/"
    links = page.locator("td:first-child a")
    assert links.all_inner_texts() == [
        "..",
        "日本語/",
        '<b>&amp;".txt',
        "a:b.txt",
        "größe 100% #1?.txt",
    ]
    for name, text in [
        ("größe 100% #1?.txt", "found it"),
        ('<b>&amp;".txt', "escaped"),
        ("a:b.txt", "colon"),
    ]:
        links.filter(has_text=name).click()
        page.locator("pre", has_text=text).wait_for()
        page.go_back()
        page.wait_for_url(url + "folder/")
    links.filter(has_text="日本語/").click()
    page.wait_for_url("**/%E6%97%A5%E6%9C%AC%E8%AA%9E/")
    assert page.inner_text("h1").replace(" ", "") == "/folder/日本語"
    links.filter(has_text="deep.txt").click()
    page.locator("pre", has_text="deep").wait_for()
    page.go_back()
    page.locator("tr.up a").click()
    page.wait_for_url(url + "folder/")


def _shown(page: Any) -> list[str]:
    return [row.inner_text() for row in page.locator("tbody tr:visible td:first-child").all()]


def test_listing_sorts_and_filters(browser_context: Any, serve: Serve, tmp_path: Path) -> None:
    for name, size in (("file10", 1), ("file9", 30), ("other", 2)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "folder").mkdir()
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    page = browser_context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.getPort()}/")
    assert _shown(page) == ["folder/", "file9", "file10", "other"]
    for button, order in [
        ("Size", ["folder/", "file9", "other", "file10"]),
        ("Size", ["folder/", "file10", "other", "file9"]),
        ("Name", ["folder/", "file9", "file10", "other"]),
        ("Name", ["folder/", "other", "file10", "file9"]),
    ]:
        page.get_by_role("button", name=button).click()
        assert _shown(page) == order
        page.reload()  # the address says it, too
        assert _shown(page) == order
    page.keyboard.press("/")
    page.keyboard.type("FILE1")
    assert _shown(page) == ["file10"]
    page.keyboard.press("Escape")
    assert len(_shown(page)) == 4
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert errors == []


def test_listing_without_javascript(browser_context: Any, serve: Serve, tmp_path: Path) -> None:
    for name, size in (("a", 1), ("b", 2)):
        (tmp_path / name).write_bytes(b"x" * size)
    server = serve({"staticPaths": {"/": httpuv.staticPath(tmp_path, listing=True)}})
    context = browser_context.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.getPort()}/")
    page.get_by_role("button", name="Size").click()
    page.wait_for_url("**/?sort=-size")
    assert _shown(page) == ["b", "a"]
    assert not page.locator("#q").is_visible()
    context.close()
