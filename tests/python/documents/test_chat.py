"""The chat of the examples: its protocol, and its page in a real browser."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Script, fetch, request
from ws_support import BINARY, TEXT, Client, handshake

EXAMPLE = Path(__file__).parents[3] / "examples" / "chat.py"

pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples are not here")


@contextlib.contextmanager
def chat(port: int = 0) -> Iterator[int]:
    """The example, running; its port."""
    code = f"import runpy; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    with Script(code, str(port)) as script:
        line = script.line()
        assert line.startswith("http://127.0.0.1:")
        yield int(line.split("/")[2].rpartition(":")[2])
        script.process.send_signal(signal.SIGINT)
        status, _, errors = script.finish()
        assert (status, errors) == (0, ""), errors


@contextlib.contextmanager
def guest(port: int, *fields: str) -> Iterator[Client]:
    with Client(("127.0.0.1", port)) as client:
        assert client.shake_hands(handshake("/", *fields)).status == 101
        yield client


def event(client: Client) -> dict[str, Any]:
    return json.loads(client.message())


def test_protocol() -> None:
    with chat() as port, guest(port) as anna, guest(port) as ben, guest(port) as mute:
        assert b"<title>Chat</title>" in fetch(("127.0.0.1", port), request("/")).body
        anna.say(TEXT, "Anna")
        assert event(anna)["present"] == ["Anna"]
        ben.say(TEXT, "Ben")
        assert event(ben)["name"] == "Anna"  # what was said before
        assert [event(each)["name"] for each in (anna, ben)] == ["Ben", "Ben"]
        ben.say(TEXT, "Hello <b>there</b> ✓")
        for each in (anna, ben):
            told = event(each)
            assert (told["name"], told["text"]) == ("Ben", "Hello <b>there</b> ✓")
        ben.farewell()
        told = event(anna)
        assert (told["event"], told["name"], told["present"]) == ("left", "Ben", ["Anna"])
        anna.say(BINARY, b"what?")
        assert anna.closed()[0] == 1008
        mute.say(TEXT, "x" * 2001)
        assert mute.closed()[0] == 1008


def test_other_pages_may_not_connect() -> None:
    with chat() as port:
        at = ("127.0.0.1", port)
        assert fetch(at, handshake("/", "Origin: http://evil.example")).status == 403
        assert fetch(at, handshake("/", "Origin: http://localhost")).status == 101


# --- in a browser -------------------------------------------------------------------------------


def test_two_tabs(browser_context: Any) -> None:
    def tab(url: str) -> Any:
        page = browser_context.new_page()
        page.goto(url)
        page.wait_for_function("document.getElementById('state').textContent == 'connected'")
        return page

    def say(page: Any, text: str) -> None:
        page.fill("#input", text)
        page.press("#input", "Enter")

    def sees(page: Any, text: str) -> None:
        page.locator("#lines li", has_text=text).wait_for()

    with chat() as port:
        url = f"http://127.0.0.1:{port}/"
        anna, ben = tab(url), tab(url)
        say(anna, "Anna")
        sees(anna, "Anna joined")
        say(ben, "Ben")
        for page in (anna, ben):
            sees(page, "Ben joined")
            assert page.inner_text("#state") == "2 here: Anna, Ben"
        say(anna, "Hello <b>Ben</b>, schön dich zu sehen ✓")
        for page in (anna, ben):
            sees(page, "Hello <b>Ben</b>, schön dich zu sehen ✓")
        say(ben, "Hello Anna")
        for page in (anna, ben):
            sees(page, "Hello Anna")
            assert page.locator("#lines li:not(.notice)").count() == 2
        ben.close()
        sees(anna, "Ben left")
        assert anna.inner_text("#state") == "1 here: Anna"
    # The server has ended, and said so.
    anna.wait_for_function("document.getElementById('state').textContent.includes('1001')")
    with chat(port):
        # It comes back, and so does the page, by itself.
        anna.wait_for_function("document.getElementById('state').textContent == '1 here: Anna'")
