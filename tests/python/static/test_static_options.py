"""staticPath, excludeStaticPath, staticPathOptions: what they take and what they inherit."""

import inspect
import os
from pathlib import Path

import httpuv
import pytest
from httpuv.options.static import normalize_options, routes


def resolved(path: httpuv.StaticPath, options: object = None) -> dict[str, object]:
    ((_, _, _, result),) = routes({"/": path}, normalize_options(options))
    return result


def test_manual_defaults() -> None:
    parameters = inspect.signature(httpuv.staticPathOptions).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert list(defaults)[:6] == [
        "indexhtml",
        "fallthrough",
        "html_charset",
        "headers",
        "validation",
        "exclude",
    ]
    assert defaults["indexhtml"] is True
    assert defaults["fallthrough"] is False
    assert defaults["html_charset"] == "utf-8"
    assert list(defaults["headers"]) == []
    assert list(defaults["validation"]) == []
    assert defaults["exclude"] is False
    for name, parameter in inspect.signature(httpuv.staticPath).parameters.items():
        assert name == "path" or parameter.default is None


def test_inheritance(tmp_path: Path) -> None:
    path = httpuv.staticPath(tmp_path, indexhtml=False, headers={}, validation=[])
    options = httpuv.staticPathOptions(
        fallthrough=True, html_charset="", headers={"a": "b"}, validation='"x" = "y"'
    )
    result = resolved(path, options)
    assert result["indexhtml"] is False
    assert result["fallthrough"] is True
    assert result["html_charset"] == ""
    assert result["headers"] == []  # given, and empty
    assert result["validation"] is None  # the same

    result = resolved(httpuv.staticPath(tmp_path), options)
    assert result["headers"] == [("a", b"b")]
    assert result["validation"] == ("x", "y")


def test_none_in_the_options_is_the_default(tmp_path: Path) -> None:
    options = httpuv.staticPathOptions(indexhtml=None, html_charset=None, headers=None)
    assert resolved(httpuv.staticPath(tmp_path), options) == resolved(httpuv.staticPath(tmp_path))


def test_everything_resolves(tmp_path: Path) -> None:
    for name, value in resolved(httpuv.staticPath(tmp_path)).items():
        assert value is not None or name == "validation", name


def test_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sub").mkdir()
    for given in ("sub", "./sub/", "~/sub", Path("sub"), tmp_path / "sub"):
        assert httpuv.staticPath(given).path == str(tmp_path / "sub")


def test_path_is_passed_as_the_system_spells_it(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")  # not UTF-8
    (tmp_path / name).mkdir()
    ((_, local, _, _),) = routes(
        {"/": httpuv.staticPath(tmp_path / name)}, httpuv.staticPathOptions()
    )
    assert local == os.fsencode(tmp_path) + b"/caf\xe9"


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("", ValueError, "path must not be empty"),
        (None, TypeError, "path must be str or a path object, not NoneType"),
        (5, TypeError, "path must be str"),
        (b"/tmp", TypeError, "path must be str"),
        ("/no/such/thing", FileNotFoundError, "No such file"),
    ],
)
def test_wrong_path(path: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        httpuv.staticPath(path)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('"abc" = "xyz"', ("abc", "xyz")),
        ('"abc"="xyz"', ("abc", "xyz")),
        ('"abc" == "xyz"', ("abc", "xyz")),
        ('"abc"=="=xyz"', ("abc", "=xyz")),
        (' "X-Token"  =  "a b=c" ', ("x-token", "a b=c")),
        ("'abc' = 'xyz'", ("abc", "xyz")),
        (r'"abc" = "x\"y\\z"', ("abc", 'x"y\\z')),
        ('"abc" = ""', ("abc", "")),
        (['"abc" = "xyz"'], ("abc", "xyz")),
        ([], None),
        ((), None),
        ("", None),
    ],
)
def test_validation(text: object, result: object, tmp_path: Path) -> None:
    assert resolved(httpuv.staticPath(tmp_path, validation=text))["validation"] == result


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"indexhtml": 1}, TypeError, "indexhtml must be True, False or None, not 1"),
        ({"fallthrough": "yes"}, TypeError, "fallthrough must be"),
        ({"html_charset": 8}, TypeError, "html_charset must be str"),
        ({"html_charset": "utf-8\r\nX: y"}, ValueError, "html_charset must not"),
        ({"html_charset": "a b"}, ValueError, "name of a character set"),
        ({"headers": "a: b"}, TypeError, "headers must be a dict, a list of"),
        ({"headers": {"a": 5.5}}, TypeError, "header 'a' must be str, bytes, a whole number"),
        ({"headers": {"a": None}}, TypeError, "header 'a' must be"),
        ({"headers": {"a": "\u2603"}}, ValueError, "header 'a' must be of Latin-1"),
        ({"headers": {"a b": "c"}}, ValueError, "header 'a b' is not a header name"),
        ({"headers": {"a": "b\r\nc: d"}}, ValueError, "header 'a' has a control character"),
        ({"headers": {"Content-Length": 3}}, ValueError, "header 'Content-Length' is set by"),
        ({"headers": {"transfer-encoding": "x"}}, ValueError, "header 'transfer-encoding' is"),
        ({"headers": [("a",)]}, TypeError, "pairs"),
        ({"validation": "abc"}, ValueError, "must look like"),
        ({"validation": '"abc" === "x"'}, ValueError, "must look like"),
        ({"validation": '"a b" = "c"'}, ValueError, "not a header name"),
        ({"validation": ['"a" = "b"', '"c" = "d"']}, ValueError, "one pattern at most"),
        ({"validation": 5}, TypeError, "validation must be str"),
        ({"index_names": "index.html"}, TypeError, "list of file names"),
        ({"index_names": ["a/b"]}, ValueError, "plain file names"),
        ({"cache_control": "a\nb"}, ValueError, "control characters"),
    ],
)
def test_wrong_options(options: dict, kind: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=message):
        httpuv.staticPath(tmp_path, **options)
    with pytest.raises(kind, match=message):
        httpuv.staticPathOptions(**options)


def test_headers_of_any_shape(tmp_path: Path) -> None:
    for headers in ({"a": "1", "b": ["2", "3"]}, [("a", "1"), ("b", "2"), ("b", "3")]):
        assert resolved(httpuv.staticPath(tmp_path, headers=headers))["headers"] == [
            ("a", b"1"),
            ("b", b"2"),
            ("b", b"3"),
        ]


class Index:
    """What numpy's integers are."""

    def __index__(self) -> int:
        return 7


def test_header_values_are_those_of_answers(tmp_path: Path) -> None:
    headers = {"a": "\xe9", "b": b"\xe9", "c": 5, "d": Index(), "e": ("x", 1)}
    given = [("a", b"\xe9"), ("b", b"\xe9"), ("c", b"5"), ("d", b"7"), ("e", b"x"), ("e", b"1")]
    assert resolved(httpuv.staticPath(tmp_path, headers=headers))["headers"] == given
    once = httpuv.staticPath(tmp_path, headers=iter(headers.items()))
    for _ in range(2):
        assert resolved(once)["headers"] == given


def test_a_wrong_header_names_its_path(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=f"^staticPath\\('{tmp_path}'\\): header 'X-Own' must be"):
        httpuv.staticPath(tmp_path, headers={"X-Own": 1.5})
    with pytest.raises(TypeError, match=r"^staticPathOptions\(\): header 'X-Own' must be"):
        httpuv.staticPathOptions(headers={"X-Own": 1.5})


def test_repr(tmp_path: Path) -> None:
    assert repr(httpuv.staticPath(tmp_path, indexhtml=False, html_charset="")) == (
        f"staticPath({str(tmp_path)!r}, indexhtml=False, html_charset='')"
    )
    assert repr(httpuv.excludeStaticPath()) == "excludeStaticPath()"
    assert "fallthrough=True" in repr(httpuv.staticPathOptions(fallthrough=True))


def test_are_values(tmp_path: Path) -> None:
    assert httpuv.staticPath(tmp_path, indexhtml=True) == httpuv.staticPath(tmp_path, True)
    assert httpuv.staticPath(tmp_path) != httpuv.staticPath(tmp_path, True)
    assert httpuv.excludeStaticPath() == httpuv.excludeStaticPath()
