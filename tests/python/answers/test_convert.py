"""convert(): every shape of answer that is not the plain one, and what is wrong with the others.

test_responses.py sends them over the wire.
"""

import array
import http
import os
import re
from collections import OrderedDict, UserDict
from fractions import Fraction
from pathlib import Path

import pytest
from httpuv import _core
from httpuv.answers import response
from support import open_below

ENVIRON = {"REQUEST_METHOD": "GET", "HEADERS": {}}
MIME = _core.MimeTable({})


def convert(result: object) -> response.Normal:
    return response.convert(result, ENVIRON, MIME)


@pytest.mark.parametrize("status", [200, 200.0, http.HTTPStatus.OK])
def test_status(status: object) -> None:
    assert convert({"status": status}) == (200, [], None)
    assert type(convert({"status": status})[0]) is int


@pytest.mark.parametrize("status", [None, "200", True, 200.5, Fraction(200), [200]])
def test_wrong_status(status: object) -> None:
    with pytest.raises(TypeError, match="status must be a whole number, not"):
        convert({"status": status})


def test_no_status() -> None:
    with pytest.raises(TypeError, match="must have a 'status'; this one has 'body'"):
        convert({"body": ""})
    with pytest.raises(TypeError, match="this one has no entries"):
        convert({})


def test_other_mappings() -> None:
    for kind in (UserDict, OrderedDict):
        assert convert(kind(status=404, body="x")) == (404, [], b"x")


async def coroutine() -> None: ...


@pytest.mark.parametrize("result", [None, "text", b"x", 200, ("200", {}, ""), [1], object])
def test_no_response(result: object) -> None:
    expected = rf"a response must be a dict .* not {type(result).__name__}"
    with pytest.raises(TypeError, match=expected):
        convert(result)


def test_coroutine() -> None:
    # Without a second complaint about its not being awaited: warnings are errors here.
    with pytest.raises(TypeError, match="not coroutine"):
        convert(coroutine())


class Text(str): ...


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        (None, []),
        ({}, []),
        ([], []),
        ({"a": "b"}, [("a", "b")]),
        ({"a": b"\xfc"}, [("a", "\xfc")]),
        ({"a": ["b", "c"], "d": ()}, [("a", "b"), ("a", "c")]),
        ({"Content-Length": 5, "x": [1, "2"]}, [("Content-Length", "5"), ("x", "1"), ("x", "2")]),
        ([("a", "b"), ["a", "c"]], [("a", "b"), ("a", "c")]),
        ((("a", "b"),), [("a", "b")]),
        ({Text("a"): Text("b")}, [("a", "b")]),
        ((pair for pair in [("a", "b")]), [("a", "b")]),
    ],
)
def test_headers(headers: object, fields: list[tuple[str, str]]) -> None:
    result = convert({"status": 200, "headers": headers})[1]
    assert result == fields
    assert {type(text) for pair in result for text in pair} <= {str}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("a: b", "headers must be a dict"),
        (b"a: b", "headers must be a dict"),
        (5, "headers must be a dict"),
        (["a: b"], "must hold (name, value) pairs, not str ('a: b')"),
        ([("a", "b", "c")], "must hold (name, value) pairs"),
        ({1: "b"}, "the name of a header must be str, not int (1)"),
        ({"a": None}, "'a' must be str, bytes, a whole number or a list of them, not NoneType"),
        ({"a": True}, "header 'a' must be str"),
        ({"a": 1.5}, "header 'a' must be str"),
        ({"a": [["b"]]}, "header 'a' must be str"),
    ],
)
def test_wrong_headers(headers: object, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        convert({"status": 200, "headers": headers})


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (None, None),
        ("", b""),
        ("ü", b"\xc3\xbc"),
        (Text("ü"), b"\xc3\xbc"),
        (b"\0\xff", b"\0\xff"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"abcd")[::2], b"ac"),
        (array.array("H", [1]), (1).to_bytes(2, "little")),
    ],
)
def test_body(body: object, sent: bytes | None) -> None:
    assert convert({"status": 200, "body": body})[2] == sent


@pytest.mark.parametrize("body", [5, 1.5, True, ["a"], [1, 2], ("a",), object()])
def test_wrong_body(body: object) -> None:
    with pytest.raises(TypeError, match="body must be str, bytes-like, None or"):
        convert({"status": 200, "body": body})


def test_data_is_no_body() -> None:
    with pytest.raises(TypeError, match=r"body must be str, .* not a dict that has 'answer'"):
        convert({"status": 200, "body": {"answer": 42}})


def test_long_values_stay_out_of_the_message() -> None:
    with pytest.raises(TypeError) as caught:
        convert({"status": 200, "body": ["secret"] * 1000})
    assert "secret" not in str(caught.value)


def test_half_a_surrogate_pair() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        convert({"status": 200, "body": Text("\ud800")})


def test_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    for path in (str(file), file, os.fsencode(file)):
        assert isinstance(convert({"status": 200, "body": {"file": path}})[2], _core.File)
    assert file.exists()
    assert isinstance(
        convert({"status": 200, "body": {"file": file, "owned": True}})[2], _core.File
    )
    assert not file.exists()


def test_wrong_files(tmp_path: Path) -> None:
    def body(**entries: object) -> object:
        return convert({"status": 200, "body": entries})

    with pytest.raises(FileNotFoundError):
        body(file=tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        body(file=tmp_path)
    with pytest.raises(TypeError, match="PathLike"):
        body(file=5)
    with pytest.raises(TypeError, match="a dict that has 'path'"):
        body(path=tmp_path)
    with pytest.raises(TypeError, match="'owned' of a body must be bool, not int"):
        body(file=tmp_path, owned=1)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="regular file"):
        body(file=tmp_path / "fifo")


def test_failures_leave_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    for _ in range(10):
        with pytest.raises(IsADirectoryError):
            convert({"status": 200, "body": {"file": tmp_path / "folder"}})
        convert({"status": 200, "body": {"file": tmp_path / "file"}})
    assert open_below(tmp_path) == []


def test_dropped_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    file = _core.File(os.open(path, os.O_RDONLY), str(path), MIME, ENVIRON)
    assert open_below(tmp_path) == [str(path)]
    del file
    assert open_below(tmp_path) == []
