"""A real browser's EventSource across restarts of its server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from httpuv import brokers
from httpuv.brokers.protocol import Keep
from redis_server import redis_server
from support import Script

SERVER = """
import sys
import httpuv
from httpuv import brokers

PAGE = '''<!doctype html><title>Events</title><script>
window.got = [];
const events = new EventSource("/events");
events.onmessage = event => got.push(event.data);
events.addEventListener("reset", () => got.push("reset"));
</script>'''

def call(req):
    if req["PATH_INFO"] == "/events":
        return stream
    return {"status": 200, "headers": {"Content-Type": "text/html"}, "body": PAGE}

stream = httpuv.EventStream(topics=["t"], retry=0.1)
broker = brokers.Redis(sys.argv[2]) if sys.argv[2] else None
topics = {"t": httpuv.Topic(history=1000)}
with httpuv.startServer(
    "127.0.0.1", int(sys.argv[1]), call, topics=topics, broker=broker, dispatch="thread"
) as server:
    print(server.getPort(), flush=True)
    for line in sys.stdin:
        server.publish("t", line.strip())
"""


@contextlib.contextmanager
def serving(url: str, port: int = 0) -> Iterator[tuple[Script, int]]:
    with Script(SERVER, str(port), url) as script:
        yield script, int(script.line())


def sees(page: Any, text: str) -> list[str]:
    page.wait_for_function(f"got.includes({text!r})")
    return list(page.evaluate("got"))


def test_nothing_is_missed_with_redis(browser_context: Any) -> None:
    with redis_server() as redis:
        broker = brokers.Redis(redis.url)
        keep = Keep(1000, 1 << 20, 60.0)
        numbers = iter(range(1000))
        said = []

        def publish(count: int) -> str:
            for _ in range(count):
                said.append(str(next(numbers)))
                broker.publish("t", said[-1], "", keep)
            return said[-1]

        with serving(redis.url) as (script, port):
            page = browser_context.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_function("events.readyState == EventSource.OPEN")
            sees(page, publish(10))
            script.process.kill()
        for _ in range(3):
            last = publish(20)  # while there is no server
            with serving(redis.url, port) as (script, _):
                sees(page, last)
                sees(page, publish(10))
                script.process.kill()
        assert page.evaluate("got") == said


def test_a_restart_without_a_broker_is_told(browser_context: Any) -> None:
    with serving("") as (script, port):
        page = browser_context.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_function("events.readyState == EventSource.OPEN")
        script.tell("one")
        assert sees(page, "one") == ["one"]
        script.process.kill()
    with serving("", port) as (script, _):
        sees(page, "reset")
        script.tell("two")
        assert sees(page, "two") == ["one", "reset", "two"]
        script.process.kill()
