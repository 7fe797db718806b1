"""rawToBase64."""

import array
import base64

import httpuv
import pytest
from hypothesis import given
from hypothesis import strategies as st


def test_manual() -> None:
    raw = bytes.fromhex("4e418d0e777bcfae0b2b9fe14766c3ab345b5c07")[:19]
    assert httpuv.rawToBase64(raw) == base64.b64encode(raw).decode()


@given(st.binary())
def test_as_the_standard_library(data: bytes) -> None:
    expected = base64.b64encode(data).decode("ascii")
    assert httpuv.rawToBase64(data) == expected
    assert httpuv.rawToBase64(bytearray(data)) == expected
    assert httpuv.rawToBase64(memoryview(data)) == expected
    assert httpuv.rawToBase64(list(data)) == expected
    assert httpuv.rawToBase64(tuple(data)) == expected


def test_other_buffers() -> None:
    assert httpuv.rawToBase64(memoryview(b"a.b.c.")[::2]) == "YWJj"
    assert httpuv.rawToBase64(array.array("H", [0x4142])) in ("QkE=", "QUI=")


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        ("text", TypeError),
        (None, TypeError),
        (5, TypeError),
        ([256], ValueError),
        ([-1], ValueError),
        (["a"], TypeError),
        ([1.5], TypeError),
    ],
)
def test_wrong(x: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="x must"):
        httpuv.rawToBase64(x)
