"""gzip of what call answers with."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpuv
import pytest
from starting import Start
from support import Wire, address, fetch, request

TEXT = "".join(f"line {i * i}\n" for i in range(20_000))
ACCEPT = "Accept-Encoding: gzip, deflate, br"


def answer(body: Any = TEXT, status: int = 200, **fields: str) -> dict[str, Any]:
    headers = {"Content-Type": "text/plain"}
    headers.update({name.replace("_", "-"): value for name, value in fields.items()})
    return {"status": status, "headers": headers, "body": body}


def plain(response: Any) -> bytes:
    assert response.get("Content-Encoding") is None
    return bytes(response.body)


def coded(response: Any) -> bytes:
    assert response.get("Content-Encoding") == "gzip"
    return gzip.decompress(response.body)


@pytest.mark.parametrize("size", [1024, 5_000, 100_000, 3_000_000])
def test_text_is_compressed(start: Start, size: int) -> None:
    body = (TEXT * (1 + size // len(TEXT)))[:size]
    with start(lambda req: answer(body)) as server, Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request("/", ACCEPT))
            got = wire.response()
            assert coded(got) == body.encode()
            assert got.get("Vary") == "Accept-Encoding"
            assert got.get("Content-Length") == str(len(got.body))
        wire.send(request("/"))
        got = wire.response()
        assert plain(got) == body.encode()
        assert got.get("Vary") == "Accept-Encoding"


def test_awaited_answers_too(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return answer()

    with start(call) as server:
        assert coded(fetch(address(server), request("/", ACCEPT))) == TEXT.encode()


@pytest.mark.parametrize(
    "accept",
    ["", "identity", "gzip;q=0", "br", "deflate", "*;q=0", "identity, gzip;q=0.5"],
)
def test_clients_that_do_not_want_it(start: Start, accept: str) -> None:
    with start(lambda req: answer()) as server:
        got = fetch(address(server), request("/", f"Accept-Encoding: {accept}"))
        assert plain(got) == TEXT.encode()


@pytest.mark.parametrize("accept", ["gzip", "x-gzip", "*", "br;q=1, gzip;q=0.1", "GZIP;q=1.000"])
def test_clients_that_want_it(start: Start, accept: str) -> None:
    with start(lambda req: answer()) as server:
        got = fetch(address(server), request("/", f"Accept-Encoding: {accept}"))
        assert coded(got) == TEXT.encode()


def test_http_1_0(start: Start) -> None:
    with start(lambda req: answer()) as server:
        got = fetch(address(server), request("/", ACCEPT, version="1.0"))
        assert coded(got) == TEXT.encode()


@pytest.mark.parametrize(
    "kind, pays",
    [
        ("text/html; charset=utf-8", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/octet-stream", False),
        ("text/event-stream", False),
    ],
)
def test_types(start: Start, kind: str, pays: bool) -> None:
    with start(lambda req: answer(Content_Type=kind)) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (coded if pays else plain)(got) == TEXT.encode()
        assert got.get("Vary") == ("Accept-Encoding" if pays else None)


def test_what_has_no_type(start: Start) -> None:
    with start(lambda req: {"status": 200, "body": TEXT}) as server:
        assert plain(fetch(address(server), request("/", ACCEPT))) == TEXT.encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"Content_Encoding": "br"},
        {"Cache_Control": "public, no-transform"},
        {"Content_Range": "bytes 0-9/20"},
        {"Repr_Digest": "sha-256=:AAAA:"},
    ],
)
def test_what_is_left_alone(start: Start, fields: dict[str, str]) -> None:
    with start(lambda req: answer(**fields)) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert got.body == TEXT.encode()
        assert got.get("Content-Encoding") == fields.get("Content_Encoding")
        assert got.get("Vary") is None


def test_short_bodies_are_left_alone(start: Start) -> None:
    with start(lambda req: answer("x" * 1023)) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (plain(got), got.get("Vary")) == (b"x" * 1023, None)


def test_what_does_not_shrink_is_sent_as_it_is(start: Start) -> None:
    noise = random.Random(1).randbytes(2000)
    with start(lambda req: answer(noise)) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (plain(got), got.get("Vary")) == (noise, "Accept-Encoding")


def test_opt_out_of_one_answer(start: Start) -> None:
    with start(lambda req: answer(Content_Encoding="identity")) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (plain(got), got.get("Vary")) == (TEXT.encode(), None)


def test_opt_out_of_a_server(start: Start) -> None:
    with start(lambda req: answer(), gzip=False) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (plain(got), got.get("Vary")) == (TEXT.encode(), None)
    with pytest.raises(TypeError, match="gzip"):
        httpuv.startServer("127.0.0.1", 0, answer, gzip=1)  # type: ignore[arg-type]


def test_vary_is_merged(start: Start) -> None:
    varies = {"/a": ["Origin", "Cookie"], "/b": "Origin, ACCEPT-encoding", "/c": "*"}
    merged = {"/a": "Origin, Cookie, Accept-Encoding", "/b": varies["/b"], "/c": "*"}
    with start(lambda req: answer(Vary=varies[req["PATH_INFO"]])) as server:
        for target, expected in merged.items():
            for accept in (ACCEPT, "Accept: */*"):
                assert fetch(address(server), request(target, accept)).get("Vary") == expected


def test_validators(start: Start) -> None:
    with start(lambda req: answer(ETag='"abc"', Accept_Ranges="bytes")) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (got.get("ETag"), got.get("Accept-Ranges")) == ('W/"abc"', None)
        got = fetch(address(server), request("/"))
        assert (got.get("ETag"), got.get("Accept-Ranges")) == ('"abc"', "bytes")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(start: Start, status: int) -> None:
    with start(lambda req: answer(status=status, ETag='"abc"')) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (got.body, got.get("Content-Encoding"), got.get("ETag")) == (b"", None, '"abc"')


@pytest.mark.parametrize("status", [206, 404, 500])
def test_other_statuses(start: Start, status: int) -> None:
    with start(lambda req: answer(status=status)) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (plain if status == 206 else coded)(got) == TEXT.encode()


def test_head_is_told_what_get_is(start: Start) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        return answer(iter([TEXT]) if req["PATH_INFO"] == "/pieces" else TEXT, ETag='"abc"')

    with start(call) as server, Wire(address(server)) as wire:
        for target in ("/", "/pieces"):
            heads = []
            for method in ("GET", "HEAD"):
                wire.send(request(target, ACCEPT, method=method))
                got = wire.response(method)
                heads.append(sorted(each for each in got.fields if each[0] != "Date"))
            assert heads[0] == heads[1]


def test_files_are_sent_by_the_system(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(TEXT)
    with start(lambda req: answer({"file": str(tmp_path / "a")})) as server:
        assert plain(fetch(address(server), request("/", ACCEPT))) == TEXT.encode()


# --- streams ------------------------------------------------------------------------------------


def pieces(size: int) -> Iterator[str]:
    for at in range(0, len(TEXT), size):
        yield TEXT[at : at + size]


async def apieces(size: int) -> AsyncIterator[str]:
    for piece in pieces(size):
        yield piece


@pytest.mark.parametrize("make", [pieces, apieces])
@pytest.mark.parametrize("size", [500, 10_000, 1_000_000])
def test_streams_are_compressed(start: Start, make: Any, size: int) -> None:
    with start(lambda req: answer(make(size))) as server, Wire(address(server)) as wire:
        for _ in range(2):
            wire.send(request("/", ACCEPT))
            got = wire.response()
            assert coded(got) == TEXT.encode()
            assert got.get("Transfer-Encoding") == "chunked"
            assert got.get("Vary") == "Accept-Encoding"
        wire.send(request("/"))
        assert plain(wire.response()) == TEXT.encode()
    with start(lambda req: answer(make(size))) as server:
        got = fetch(address(server), request("/", ACCEPT, version="1.0"))
        assert plain(got) == TEXT.encode()


def test_a_length_is_not_that_of_what_is_sent(start: Start) -> None:
    with start(lambda req: answer(pieces(900), Content_Length=str(len(TEXT)))) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (coded(got), got.get("Content-Length")) == (TEXT.encode(), None)
    with start(lambda req: answer(iter(["short"]), Content_Length="5")) as server:
        got = fetch(address(server), request("/", ACCEPT))
        assert (plain(got), got.get("Content-Length")) == (b"short", "5")


@pytest.mark.parametrize("size", [10, 20_000])
def test_each_piece_can_be_read_when_it_is_made(start: Start, size: int) -> None:
    go: Any = None

    async def slow() -> AsyncIterator[bytes]:
        nonlocal go
        for letter in (b"a", b"b"):
            go = asyncio.Event(), asyncio.get_running_loop()
            yield letter * size
            await go[0].wait()

    with start(lambda req: answer(slow())) as server, Wire(address(server)) as wire:
        wire.send(request("/", ACCEPT))
        assert wire.head().get("Content-Encoding") == "gzip"
        reader = zlib.decompressobj(31)
        for letter in (b"a", b"b"):
            seen = b""
            while len(seen) < size:
                length = int(wire._until(b"\r\n"), 16)
                seen += reader.decompress(wire._exactly(length + 2)[:-2])
            assert seen == letter * size
            event, loop = go
            loop.call_soon_threadsafe(event.set)
        rest = wire._until(b"0\r\n\r\n")
        assert reader.eof or reader.decompress(rest.split(b"\r\n", 1)[1]) == b""


def test_a_stream_that_raises_is_cut(start: Start, log: Any) -> None:
    def failing() -> Iterator[str]:
        yield TEXT
        raise ValueError("midway")

    with start(lambda req: answer(failing())) as server:
        with pytest.raises((EOFError, ConnectionResetError)):
            fetch(address(server), request("/", ACCEPT))
        log.expect("midway")
