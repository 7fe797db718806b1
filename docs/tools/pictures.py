"""Screenshots: the demonstration, the tutorial's page, a listing, an error page, the documentation.

    python docs/tools/pictures.py build/docs/pictures

At 1280 and 390 pixels, light and dark. The tutorial's page comes from docs/tutorial.md,
so the picture is of what a reader makes. Needs Chromium and the package playwright.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpuv

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "docs" / "html"
WIDTHS = {1280: 800, 390: 844}


def tutorial(folder: Path) -> Path:
    """The folder `site` of the tutorial, as a reader writes it."""
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    for name, code in re.findall(
        r"<!-- file: (site/.+?) -->\n```\w+\n(.*?)^```$", text, re.S | re.M
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, "utf-8")
    return folder / "site"


def samples(folder: Path) -> Path:
    """A folder worth listing."""
    root = folder / "samples"
    for name, size in {"film.mp4": 7_400_000, "notes.txt": 812, "table.csv": 48_000}.items():
        (root / "photos").mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(size))
    return root


@contextlib.contextmanager
def dashboard(site: Path) -> Iterator[str]:
    """The tutorial's server, with loads that are the same each time."""

    def onWSOpen(ws: httpuv.WebSocket) -> None:
        for step in range(61):
            ws.send(json.dumps({"load": 1 + (step * 7 % 13) / 10}))

    app = {"onWSOpen": onWSOpen, "staticPaths": {"/": site}}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server:
        yield server.url


@contextlib.contextmanager
def demonstration() -> Iterator[str]:
    """The page of `make demo`, by its own program."""
    program = [sys.executable, str(ROOT / "examples" / "demo.py"), "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().split()[-1]
        finally:
            child.terminate()
            child.stdout.read()


@contextlib.contextmanager
def served(folder: Path, **options: Any) -> Iterator[str]:
    """The URL of a folder."""
    app = {"staticPaths": {"/": httpuv.staticPath(folder, **options)}}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server:
        yield server.url


def take(
    browser: Any, name: str, url: str, ready: str, target: Path, *, click: str | None = None
) -> None:
    """Pictures of one page in all widths and both schemes.

    `click`: a button that is pressed first; the whole page is taken when it can be pressed again.
    """
    for width, height in WIDTHS.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on(
                "console",
                lambda message, errors=errors: (
                    errors.append(f"{message.text} {message.location['url']}")
                    if message.type == "error"
                    else None
                ),
            )
            page.goto(url)
            page.wait_for_function(ready, polling=100)
            if click is not None:
                page.click(click)
                page.wait_for_selector(f"{click}:disabled")
                page.wait_for_selector(f"{click}:enabled")
            path = target / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=click is not None)
            wide = page.evaluate("document.documentElement.scrollWidth")
            context.close()
            # What Chromium itself reports: the error page's status, a missing icon.
            expected = ("nothing", "favicon.ico")
            errors = [each for each in errors if not each.endswith(expected)]
            if errors or wide > width:
                raise SystemExit(f"{path.name}: errors {errors}, the page is {wide} pixels wide")
            print(path)


def main(target: Path) -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("needs Chromium (Debian: apt-get install chromium)")
    target.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        board = stack.enter_context(dashboard(tutorial(folder)))
        listing = stack.enter_context(served(samples(folder), listing=True))
        docs = stack.enter_context(served(SITE))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        measured = "document.getElementById('file').textContent.endsWith('ms')"
        take(browser, "dashboard", board, measured, target)
        demo = stack.enter_context(demonstration())
        lively = "parseFloat(document.getElementById('load').textContent) >= 0"
        lively += " && performance.now() > 4000"  # the chart has a line
        take(browser, "demo", demo, lively, target, click="#block")
        take(browser, "error", listing + "nothing", "document.body !== null", target)
        take(browser, "listing", listing, "document.querySelector('a') !== null", target)
        take(browser, "docs", docs, "document.querySelector('h1') !== null", target)
        take(
            browser,
            "limits",
            docs + "reference/limits.html",
            "document.querySelector('table') !== null",
            target,
        )
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
