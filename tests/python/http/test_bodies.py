"""Request bodies: in memory, spooled, large, many at once, broken off."""

import hashlib
import os
import random
import threading
from pathlib import Path

import pytest
from conftest import Serve
from support import Wire, address, chunked, fetch, open_below, request
from ws_support import wait_until


def digest(req: dict) -> dict:
    """The SHA-256 of the body, read in pieces."""
    hasher = hashlib.sha256()
    while piece := req["rook.input"].read(100_000):
        hasher.update(piece)
    return {"status": 200, "body": hasher.hexdigest()}


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


SIZES = [0, 1, 1000, 65535, 65536, 65537, 200_000, 3_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_sizes(serve: Serve, size: int) -> None:
    server = serve(digest)
    data = random.Random(size).randbytes(size)
    with Wire(address(server)) as wire:
        for _ in range(2):
            wire.send(request(method="POST", body=data))
            assert wire.response().body == sha(data)
        chunks = [data[i : i + 50_000] for i in range(0, size, 50_000)]
        wire.send(request("/", "Transfer-Encoding: chunked", method="POST"), chunked(*chunks))
        assert wire.response().body == sha(data)


def test_20_mib(serve: Serve) -> None:
    data = random.Random(1).randbytes(20 << 20)
    assert fetch(address(serve(digest)), request(method="PUT", body=data)).body == sha(data)


def test_20_mib_in_small_writes(serve: Serve) -> None:
    data = random.Random(2).randbytes(20 << 20)
    with Wire(address(serve(digest))) as wire:
        wire.send(request("/", f"Content-Length: {len(data)}", method="POST"))
        view = memoryview(data)
        for start in range(0, len(data), 16_381):
            wire.send(view[start : start + 16_381])
        assert wire.response().body == sha(data)


def test_several_at_once(serve: Serve) -> None:
    server = serve(digest)
    answers: dict[int, bool] = {}

    def upload(number: int) -> None:
        data = random.Random(number).randbytes(number * 300_000)
        response = fetch(address(server), request(method="POST", body=data))
        answers[number] = response.body == sha(data)

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(10), True)


def test_spooled_body_has_no_name(serve: Serve, tmp_path, monkeypatch) -> None:
    """The file is unlinked from the start: nothing to clean up, whatever happens."""
    names: list[str] = []

    def call(req: dict) -> dict:
        stream = req["rook.input"]
        assert os.fstat(stream.fileno()).st_nlink == 0
        names.extend(os.listdir(tmp_path))
        stream.rewind()
        return {"status": 200, "body": str(len(stream.read()))}

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = serve(call)
    assert fetch(address(server), request(method="POST", body=b"x" * 300_000)).body == b"300000"
    assert names == []


def test_no_place_for_a_long_body(serve: Serve, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", "/no/such/folder")
    server = serve(digest)
    assert fetch(address(server), request(method="POST", body=b"short")).body == sha(b"short")
    with Wire(address(server)) as wire:
        wire.send(request(method="POST", body=b"x" * 300_000))
        assert wire.response().status == 500
        assert wire.at_end()


def test_descriptors_of_spooled_bodies_are_closed(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    most = 0

    def call(req: dict) -> dict:  # never looks at the body
        nonlocal most
        most = max(most, len(open_below(tmp_path)))
        return {"status": 200}

    server = serve(call)
    with Wire(address(server)) as wire:
        for _ in range(30):
            wire.send(request(method="POST", body=b"x" * 100_000))
            assert wire.response().status == 200
    assert 1 <= most <= 2
    wait_until(lambda: not open_below(tmp_path))


def test_input_outlives_its_request(serve: Serve) -> None:
    kept = []

    def call(req: dict) -> dict:
        kept.append(req["rook.input"])
        return {"status": 200}

    server = serve(call)
    for size in (10, 100_000):
        fetch(address(server), request(method="POST", body=b"x" * size))
    server.stop()
    assert [len(stream.read()) for stream in kept] == [10, 100_000]


def test_broken_off_uploads(serve: Serve) -> None:
    calls = []

    def call(req: dict) -> dict:
        calls.append(req["CONTENT_LENGTH"])
        return {"status": 200}

    server = serve(call)
    for sent in (0, 1, 60_000, 70_000, 299_999):
        for end in (Wire.close, Wire.reset):
            wire = Wire(address(server))
            wire.send(request(method="POST", body=b"x" * 300_000)[: -(300_000 - sent)])
            end(wire)
    assert fetch(address(server), request(method="POST", body=b"x" * 300_001)).status == 200
    assert calls == ["300001"]


def test_lines_of_a_form(serve: Serve) -> None:
    def call(req: dict) -> dict:
        return {"status": 200, "body": "|".join(req["rook.input"].read_lines())}

    for body in (b"a\r\nb\nc", b"a\r\n" * 50_000):
        response = fetch(address(serve(call)), request(method="POST", body=body))
        assert response.body == "|".join(body.decode().splitlines()).encode()


def test_body_of_any_method(serve: Serve) -> None:
    server = serve(digest)
    for method in ("GET", "DELETE", "OPTIONS", "PATCH"):
        assert fetch(address(server), request(method=method, body=b"abc")).body == sha(b"abc")
