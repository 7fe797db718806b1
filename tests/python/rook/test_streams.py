"""rook.input and rook.errors by themselves."""

import csv
import io
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Callable

import pytest
from httpuv.rook.request import Errors, Input
from hypothesis import given
from hypothesis import strategies as st


def in_memory(data: bytes) -> Input:
    return Input(data)


def in_a_file(data: bytes) -> Input:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return Input(os.dup(file.fileno()), len(data))


Make = Callable[[bytes], Input]
both = pytest.mark.parametrize("make", [in_memory, in_a_file])


@both
def test_rook_methods(make: Make) -> None:
    stream = make(b"one\ntwo\r\nthree")
    assert stream.read(2) == b"on"
    assert stream.read(l=1) == b"e"
    assert stream.read() == b"\ntwo\r\nthree"
    assert stream.read() == b""
    assert stream.read(5) == b""
    stream.rewind()
    assert stream.read_lines(1) == ["one"]
    assert stream.read_lines(n=2) == ["two", "three"]
    assert stream.read_lines() == []
    stream.rewind()
    assert stream.read_lines() == ["one", "two", "three"]


@both
def test_lines_of_all_kinds(make: Make) -> None:
    stream = make(b"\na\rb\r\n\r\r\nc\xff\xc3\xbc")
    expected = ["", "a", "b", "", "", "c\udcff\u00fc"]
    assert stream.read_lines() == expected
    stream.rewind()
    one_by_one = []
    while line := stream.read_lines(1):
        one_by_one += line
    assert one_by_one == expected
    assert stream.read_lines(0) == []


@given(st.text(alphabet="ab\r\n"), st.lists(st.integers(0, 5)))
def test_read_lines_keeps_its_place(text: str, counts: list[int]) -> None:
    stream = Input(text.encode())
    lines: list[str] = []
    for count in counts:
        part = stream.read_lines(count)
        assert len(part) <= count
        lines += part
    lines += stream.read_lines()
    assert lines == io.StringIO(text, newline=None).read().splitlines()


def do(stream: io.BufferedIOBase, step: tuple[str, int]) -> object:
    name, n = step
    if name == "readinto":
        buffer = bytearray(n)
        return stream.readinto(buffer), bytes(buffer)
    if name == "next":
        return next(stream, None)
    if name == "seek end":
        return stream.seek(-min(n, 3), io.SEEK_END)
    if name == "tell":
        return stream.tell()
    return getattr(stream, name)(n)


STEPS = ["read", "read1", "readline", "readlines", "readinto", "next", "seek", "seek end", "tell"]


@both
@given(
    data=st.binary(min_size=3).map(lambda data: data.replace(b"a", b"\n")),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 10))),
)
def test_is_a_binary_file(make: Make, data: bytes, steps: list[tuple[str, int]]) -> None:
    with make(data) as stream:
        # Files and BytesIO differ in where readlines(hint) stops.
        model = io.BufferedReader(io.BytesIO(data)) if make is in_a_file else io.BytesIO(data)
        for step in steps:
            assert do(stream, step) == do(model, step), step


@both
def test_the_rest_of_a_file(make: Make) -> None:
    stream = make(b"a,b\nc,d\n")
    assert isinstance(stream, io.BufferedIOBase)
    assert (stream.readable(), stream.seekable(), stream.writable()) == (True, True, False)
    assert not stream.isatty()
    stream.flush()
    for method, argument in [("write", b"x"), ("writelines", [b"x"]), ("truncate", 0)]:
        with pytest.raises(io.UnsupportedOperation):
            getattr(stream, method)(argument)
    with make(b"a,b\nc,d\n") as other:
        rows = csv.reader(io.TextIOWrapper(other, newline=""))
        assert list(rows) == [["a", "b"], ["c", "d"]]
    assert list(stream) == [b"a,b\n", b"c,d\n"]
    assert stream.read(None) == b""
    assert not stream.closed
    stream.close()
    assert stream.closed
    with pytest.raises(ValueError):
        stream.read()


def test_descriptor() -> None:
    with in_a_file(b"x") as stream:
        assert os.fstat(stream.fileno()).st_size == 1
    with pytest.raises(io.UnsupportedOperation):
        in_memory(b"x").fileno()


def test_empty() -> None:
    assert Input().read() == b""
    assert Input(b"").read_lines() == []


def test_dropped_without_closing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = in_a_file(b"x")
        descriptor = stream.fileno()
        del stream
    with pytest.raises(OSError):
        os.fstat(descriptor)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    def get() -> list[str]:
        assert {record.levelno for record in caplog.records} <= {logging.ERROR}
        assert {record.name for record in caplog.records} <= {"httpuv"}
        return [record.getMessage() for record in caplog.records]

    return get


def test_errors(lines: Callable[[], list[str]]) -> None:
    errors = Errors()
    errors.cat("a", 1, None)
    errors.cat("a", "b", sep="-")
    assert errors.write("one\ntwo ") == 8
    print("lines", 3, file=errors)
    print("% not a format", file=errors, end="")
    errors.flush()
    errors.flush()
    errors.writelines(["x\n", "y\r\n"])
    assert lines() == ["a 1 None", "a-b", "one", "two lines 3", "% not a format", "x", "y"]
    assert errors.writable()
    assert not errors.readable() and not errors.seekable() and not errors.isatty()


def test_errors_of_two_threads_do_not_mix(lines: Callable[[], list[str]]) -> None:
    errors = Errors()
    errors.write("first ")
    thread = threading.Thread(target=lambda: errors.write("other\n"))
    thread.start()
    thread.join()
    errors.write("line\n")
    assert lines() == ["other", "first line"]
