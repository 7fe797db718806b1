"""The dict of a request serves the next one only if the application has left it as it was."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

import httpuv
import pytest
from support import PATIENCE

Request = dict[str, Any]

HEAD = b"GET /a?x=1 HTTP/1.1\r\nHost: here\r\nX-Value: one\r\n\r\n"
OTHER_LINE = HEAD.replace(b"/a?x=1", b"/b")


def facts(req: Request) -> Request:
    """All of it, but for what is an object of one request."""
    plain = {key: value for key, value in req.items() if not key.startswith("rook.")}
    return plain | {"HEADERS": dict(req["HEADERS"]), "type": type(req["HEADERS"])}


def answers(requests: list[bytes], act: Callable[[int, Request], None]) -> list[Request]:
    """Sends the requests on two connections in turn; what the application was given each time."""
    seen: list[Request] = []

    def call(req: Request) -> Request:
        seen.append(facts(req))
        act(len(seen) - 1, req)
        return {"status": 200}

    with httpuv.startServer("127.0.0.1", 0, {"call": call}, dispatch="thread") as server:
        address = ("127.0.0.1", server.getPort())
        with (
            socket.create_connection(address, PATIENCE) as one,
            socket.create_connection(address, PATIENCE) as other,
        ):
            for i, request in enumerate(requests):
                here = (one, other)[i // 2 % 2]
                here.sendall(request)
                assert here.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
                assert seen[-1].pop("REMOTE_PORT") == str(here.getsockname()[1])
    return seen


def nothing(_: int, __: Request) -> None:
    pass


def reads_all(_: int, req: Request) -> None:
    assert req["rook.input"].read() == b""
    req["rook.input"].close()


def adds_a_key(_: int, req: Request) -> None:
    req["mine"] = 1


def deletes_a_key(_: int, req: Request) -> None:
    del req["HTTP_X_VALUE"]


def sets_a_value(_: int, req: Request) -> None:
    req["PATH_INFO"] = "/changed"


def changes_and_restores_the_size(_: int, req: Request) -> None:
    req["mine"] = req.pop("QUERY_STRING")


def empties_it(_: int, req: Request) -> None:
    req.clear()


def changes_fields(_: int, req: Request) -> None:
    req["HEADERS"]["x-value"] = "changed"


def empties_fields(_: int, req: Request) -> None:
    req["HEADERS"].clear()


def replaces_fields(_: int, req: Request) -> None:
    req["HEADERS"] = dict(req["HEADERS"])


def changes_the_class_of_fields(_: int, req: Request) -> None:
    class Mine(dict[str, str]):
        __slots__ = ()

    req["HEADERS"].__class__ = Mine


ACTS = [
    nothing,
    reads_all,
    adds_a_key,
    deletes_a_key,
    sets_a_value,
    changes_and_restores_the_size,
    empties_it,
    changes_fields,
    empties_fields,
    replaces_fields,
    changes_the_class_of_fields,
]


@pytest.mark.parametrize("act", ACTS)
def test_what_one_request_changes_the_next_does_not_see(
    act: Callable[[int, Request], None],
) -> None:
    seen = answers([HEAD] * 10, act)
    assert seen == [seen[0]] * 10
    assert seen[0]["PATH_INFO"] == "/a"
    assert seen[0]["HEADERS"] == {"host": "here", "x-value": "one"}


def test_what_is_kept_stays_as_it_was() -> None:
    kept: list[tuple[Any, Any]] = []

    def keep(i: int, req: Request) -> None:
        each = [req, req["HEADERS"], req["rook.input"]][i % 3]
        kept.append((each, dict(each) if isinstance(each, dict) else each))

    seen = answers([HEAD, HEAD, HEAD, OTHER_LINE] * 5, keep)
    assert [each["PATH_INFO"] for each in seen] == ["/a", "/a", "/a", "/b"] * 5
    assert [each["QUERY_STRING"] for each in seen] == ["x=1", "x=1", "x=1", ""] * 5
    assert all(each == before for each, before in kept)
    assert len({id(each) for each, _ in kept}) == len(kept)


def test_a_body_belongs_to_its_request() -> None:
    bodies = []

    def note(_: int, req: Request) -> None:
        bodies.append(req["rook.input"].read())

    head = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\n"
    answers([head + body for body in (b"abc", b"def", b"ghi", b"jkl")], note)
    assert bodies == [b"abc", b"def", b"ghi", b"jkl"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="no numbers of states (PEP 509)")
def test_one_that_was_left_alone_comes_back() -> None:
    ids = []
    others = []  # they take the memory that one left free

    def note(_: int, req: Request) -> None:
        ids.append((id(req), id(req["HEADERS"]), id(req["rook.input"])))
        others.extend((dict.fromkeys(req), type(req["HEADERS"])(), type(req["rook.input"])()))

    seen = answers([HEAD, HEAD, HEAD, HEAD, OTHER_LINE, HEAD], note)
    assert len(set(ids[-3:])) == 1
    assert [each["PATH_INFO"] for each in seen[-3:]] == ["/a", "/b", "/a"]
