"""The page of `make demo` in a real browser, on a desk and on a phone, light and dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from support import PATIENCE
from test_examples import EXAMPLES, example, where

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")

_WAIT = 1000 * PATIENCE


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with example("demo.py", "--port", "0") as child:
        host, port = where(child)
        yield f"http://{host}:{port}/"


def opened(browser_context: Any, url: str, width: int, scheme: str) -> Any:
    """A page; an error in its console fails the test."""
    page = browser_context.new_page()
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.errors = []
    page.on(
        "console",
        lambda message: page.errors.append(message.text) if message.type == "error" else None,
    )
    page.goto(url)
    page.wait_for_function("document.documentElement.dataset.ready === 'yes'", timeout=_WAIT)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everything_fits_and_is_alive(
    browser_context: Any, url: str, width: int, scheme: str
) -> None:
    page = opened(browser_context, url, width, scheme)
    page.wait_for_function("document.getElementById('socket').textContent === 'connected'")
    page.wait_for_function("/^\\d\\d:/.test(document.getElementById('clock').textContent)")
    page.wait_for_function("document.getElementById('film').readyState >= 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in page.query_selector_all("pre"):
        assert "def " in part.inner_text()
    page.wait_for_function("document.getElementById('python').textContent !== '–'")  # noqa: RUF001
    assert page.errors == []


def test_files_come_while_python_is_blocked(browser_context: Any, url: str) -> None:
    page = opened(browser_context, url, 1280, "light")
    page.click("#block")
    page.wait_for_selector("#block:disabled")
    # Python's latency grows to seconds; meanwhile a file is fetched as before.
    page.wait_for_function("document.getElementById('python').textContent.endsWith(' s')")
    # So are the health check and the pongs that another process waits for.
    for name in ("file", "health", "ping"):
        assert page.text_content(f"#{name}").endswith(" ms"), name
    took = page.evaluate(
        """async () => {
          const begin = performance.now();
          for (let i = 0; i < 5; i++) await (await fetch("/ping.txt", {cache: "no-store"})).text();
          return [performance.now() - begin, document.getElementById("block").disabled];
        }"""
    )
    assert took[1], f"Python was free again after {took[0]} ms"
    page.wait_for_selector("#block:enabled")
    assert page.errors == []


def test_drawings_appear_elsewhere_and_uploads_arrive(browser_context: Any, url: str) -> None:
    one = opened(browser_context, url, 1280, "light")
    two = opened(browser_context, url, 390, "dark")
    for page in (one, two):
        page.wait_for_function("document.getElementById('socket').textContent === 'connected'")
    blank = two.evaluate("document.getElementById('board').toDataURL()")
    one.locator("#board").scroll_into_view_if_needed()
    box = one.locator("#board").bounding_box()
    one.mouse.move(box["x"] + 20, box["y"] + 20)
    one.mouse.down()
    one.mouse.move(box["x"] + 120, box["y"] + 90, steps=4)
    one.mouse.up()
    two.wait_for_function("b => document.getElementById('board').toDataURL() !== b", arg=blank)
    one.click("#random")
    one.wait_for_function("document.getElementById('sent').textContent.includes('SHA-256')")
    assert one.evaluate("document.getElementById('progress').value") == 1
    assert one.errors == two.errors == []


def test_the_film_seeks(browser_context: Any, url: str) -> None:
    page = opened(browser_context, url, 1280, "light")
    page.evaluate("document.getElementById('film').currentTime = 20")
    page.wait_for_function("document.getElementById('range').textContent.includes('At 20.0 s')")
    assert page.errors == []
