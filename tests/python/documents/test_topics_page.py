"""The page on topics: what its programs say about a reset is what happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpuv
import pytest
from blocks import blocks_of, compiled
from conftest import Serve
from httpuv import brokers
from redis_server import redis_server
from ws_support import Client

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "topics.md"
TOPICS = {"*": httpuv.Topic(history=1000, ttl=60)}

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")


def documented(text: str) -> dict[str, Any]:
    """The names of the program with that text on the page on topics."""
    (block,) = [each for each in blocks_of(PAGE) if text in each.code and each.language == "python"]
    names: dict[str, Any] = {}
    exec(compiled(block), names)
    return names


def test_a_page_begins_anew_as_documented(serve: Serve) -> None:
    """What comes behind the word of the reset is all that the new history has, once."""
    app = {"onWSOpen": documented("ws.onReset")["onWSOpen"]}
    with redis_server() as redis:
        server = serve(app, topics=TOPICS, broker=brokers.Redis(redis.url))
        with Client.open(server) as client:
            server.publish("news", "old")
            assert client.message() == "old"
            for _ in range(3):
                redis.tell("FLUSHALL")
                epoch = server.publish("news", "new 1").epoch
                while client.message() != json.dumps({"reset": "news"}):
                    pass  # what came before is dropped
                for number in range(2, 6):
                    assert server.publish("news", f"new {number}").epoch == epoch
                assert [client.message() for _ in range(5)] == [f"new {n}" for n in range(1, 6)]
