"""encodeURI and its three sisters, against what node - a browser's engine - says."""

import json
import math
import shutil
import subprocess

import httpuv
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import other_programs

FUNCTIONS = ["encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent"]

ENCODE = [
    "",
    "abc XYZ 019",
    "".join(map(chr, range(128))),
    "".join(map(chr, range(128, 1024))),
    ";/?:@&=+$,#-_.!~*'()",
    "é ü 日本語 😀 \U0010ffff",
    "100%",
    "\ud83d\ude00",  # a pair of surrogates is one character to a browser
    "\ud800",
    "a\udc00b",
    "\ude00\ud83d",
]
DECODE = [
    "",
    "abc",
    "a+b",
    "%41%7a",
    "%e6%97%a5%E6%9C%AC",
    "%F0%9F%98%80",
    "%3b%2f%3f%3a%40%26%3d%2b%24%2c%23%3B%2F%3F%3A%2B%3D%2C",
    "%25%2525",
    "".join(f"%{code:02X}" for code in range(128)),
    "plain ü %C3%BC",
    "%",
    "%4",
    "%zz",
    "abc%",
    "%%41",
    "%80",
    "%C3",
    "%C3%28",
    "%C3x",
    "%E6%97",
    "%C0%80",  # overlong
    "%E0%80%AF",
    "%ED%A0%80",  # a surrogate
    "%F4%90%80%80",  # past the last code point
    "%F8%88%80%80%80",
    "%FF",
    "%C3%2F",
    "%u0041",
    "\ud800",
    "%20\ud800",
]


def ask_node(cases: list[tuple[str, str]]) -> list[str | None]:
    """What node answers; None where it throws."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    script = """
      const cases = JSON.parse(require("fs").readFileSync(0));
      console.log(JSON.stringify(cases.map(([f, text]) => {
        try { return globalThis[f](text); } catch (e) {
          if (e instanceof URIError) return null;
          throw e;
        }
      })));
    """
    output = subprocess.run(
        ["node", "-e", script],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        env=other_programs(),
    ).stdout
    return json.loads(output)


def ours(function: str, text: str) -> str | None:
    try:
        return getattr(httpuv, function)(text)
    except ValueError:
        return None


def test_as_node_does() -> None:
    cases = [(f, text) for f in FUNCTIONS[:2] for text in ENCODE]
    cases += [(f, text) for f in FUNCTIONS[2:] for text in DECODE]
    cases += [
        (f, f"%{i:02x}%{j:02X}") for f in FUNCTIONS[2:] for i in range(256) for j in (65, 160)
    ]
    cases += [(f, chr(code)) for f in FUNCTIONS[:2] for code in range(0x250)]
    for case, expected in zip(cases, ask_node(cases), strict=True):
        assert ours(*case) == expected, case


def test_manual() -> None:
    assert httpuv.encodeURI("http://a.b/c d?e=ü") == "http://a.b/c%20d?e=%C3%BC"
    assert httpuv.encodeURIComponent("a/b&c") == "a%2Fb%26c"
    assert httpuv.decodeURI("a%2Fb%20c") == "a%2Fb c"
    assert httpuv.decodeURIComponent("a%2Fb%20c") == "a/b c"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_vectors(function: str) -> None:
    f = getattr(httpuv, function)
    assert f(["a", None, "b"]) == ["a", None, "b"]
    assert f(("a", "b")) == ["a", "b"]
    assert f([]) == []
    assert f(None) is None


@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_iterable(function: str) -> None:
    f = getattr(httpuv, function)
    assert f(each for each in ("a", None)) == ["a", None]
    assert f({"a": 1}.keys()) == ["a"]
    assert f(range(0)) == []
    assert f(math.nan) is None
    numpy = pytest.importorskip("numpy")
    assert f(numpy.array(["a", "b"])) == ["a", "b"]
    assert f(numpy.array(["a", None, math.nan], object)) == ["a", None, None]


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    for kind in (object, "string"):
        column = pandas.Series(["a b", None, pandas.NA], dtype=kind)
        assert httpuv.encodeURI(column) == ["a%20b", None, None]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("value", [1, b"a", 1.5, {"a": 1}, ["a", 1], [["a"]]])
def test_wrong_type(function: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{function}: value must be"):
        getattr(httpuv, function)(value)


@pytest.mark.parametrize("text", ["%", "%4", "%C3", "a%zz"])
def test_malformed(text: str) -> None:
    for function in FUNCTIONS[2:]:
        with pytest.raises(ValueError, match="%"):
            getattr(httpuv, function)(text)
        with pytest.raises(ValueError, match="%"):
            getattr(httpuv, function)(["fine", text])


def test_half_a_pair() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        httpuv.encodeURI("\ud800")


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_round_trip(text: str) -> None:
    assert httpuv.decodeURIComponent(httpuv.encodeURIComponent(text)) == text
    assert httpuv.decodeURI(httpuv.encodeURI(text.replace("%", ""))) == text.replace("%", "")


@given(st.text(alphabet="%0123456789abcdefABCDEFgü/ "))
def test_never_fails_otherwise(text: str) -> None:
    for function in FUNCTIONS:
        ours(function, text)
