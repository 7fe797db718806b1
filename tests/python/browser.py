"""A real browser: the system's Chromium, driven by Playwright; the fixtures are in conftest.py."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from support import PATIENCE

#: No sandbox: tests often run as root. No network but this machine's.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A headless browser. Skips the test where there is none.

    As long as it is open the thread has an asyncio loop, Playwright's own: a server that calls
    Python must run elsewhere, best in another process (support.Script).
    """
    if os.environ.get("HTTPUV_SANITIZED"):
        pytest.skip("a browser on top of a sanitizer takes too long")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs the system's chromium (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def window(browser: Any) -> Iterator[Any]:
    """A browser context, as new as a private window. Its pages may not have failed at the end."""
    context = browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    problems: list[str] = []
    context.on("weberror", lambda error: problems.append(str(error.error)))
    yield context
    context.close()
    assert problems == []
