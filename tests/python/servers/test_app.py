"""The shapes an application may come in."""

import functools
import warnings
from types import MappingProxyType, SimpleNamespace

import httpuv
import pytest
from httpuv.options.static import StaticPath
from httpuv.rook.app import normalize_app


def call(req):
    return {"status": 200}


def test_function() -> None:
    assert normalize_app(call).call is call


def test_other_callables() -> None:
    class Callable:
        def __call__(self, req):
            return {"status": 200}

        def method(self, req):
            return {"status": 200}

    for app in (Callable(), Callable().method, functools.partial(call), lambda req: None):
        assert normalize_app(app).call is not None


def test_dict() -> None:
    app = normalize_app({"call": call, "onHeaders": len, "onWSOpen": print, "staticPaths": None})
    assert (app.call, app.onHeaders, app.onWSOpen, app.staticPaths) == (call, len, print, {})


def test_other_mapping() -> None:
    assert normalize_app(MappingProxyType({"call": call})).call is call


def test_object() -> None:
    class App:
        other = "anything"

        def call(self, req):
            return {"status": 200}

        staticPathOptions = httpuv.staticPathOptions(indexhtml=False)

    app = normalize_app(App())
    assert app.call is not None
    assert app.onHeaders is None
    assert app.staticPathOptions.indexhtml is False


def test_attributes_win_over_call() -> None:
    class App:
        def __call__(self, req):
            raise AssertionError

        def onHeaders(self, req):
            return None

    app = normalize_app(App())
    assert app.call is None
    assert app.onHeaders is not None


def test_namespace_and_empty() -> None:
    assert normalize_app(SimpleNamespace(call=call)).call is call
    assert normalize_app({}).call is None


@pytest.mark.parametrize("app", [None, 5, "app", b"app", [call], object()])
def test_no_app(app: object) -> None:
    with pytest.raises(TypeError, match=f"app must be .*{type(app).__name__}"):
        httpuv.startServer("127.0.0.1", 0, app)


@pytest.mark.parametrize("name", ["call", "onHeaders", "onWSOpen"])
def test_part_cannot_be_called(name: str) -> None:
    with pytest.raises(TypeError, match=f"app: {name} must be callable, not str"):
        normalize_app({name: "f"})


def test_on_headers_is_not_awaited() -> None:
    async def on_headers(req: dict) -> None: ...

    with pytest.raises(TypeError, match="app: onHeaders must be a plain function"):
        normalize_app({"call": call, "onHeaders": on_headers})


def test_unknown_key_warns() -> None:
    with pytest.warns(UserWarning, match=r"'onHeader' is none of .* did you mean 'onHeaders'\?"):
        app = normalize_app({"call": call, "onHeader": len})
    assert app.onHeaders is None
    with pytest.warns(UserWarning, match="'x' is none of"):
        normalize_app({"x": 1})


def test_warning_names_the_callers_line() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        httpuv.startServer("127.0.0.1", 0, {"Call": call}).stop()
        httpuv.WebServer("127.0.0.1", 0, {"Call": call}).stop()
    assert [warning.filename for warning in caught] == [__file__, __file__]


def test_private_keys_are_the_applications_own() -> None:
    assert normalize_app({"call": call, "_state": 1, ".state": 2}).call is call


def test_key_is_no_string() -> None:
    with pytest.raises(TypeError, match="a key must be str, not 5"):
        normalize_app({5: call})


def test_static_paths(tmp_path) -> None:
    (tmp_path / "file.txt").write_text("text")
    app = normalize_app(
        {
            "staticPaths": {
                "/": str(tmp_path),
                "a/": tmp_path,
                "/a//b/": httpuv.staticPath(tmp_path / "file.txt", indexhtml=False),
                "/a/c": httpuv.excludeStaticPath(),
            }
        }
    )
    assert list(app.staticPaths) == ["/", "/a", "/a/b", "/a/c"]
    assert all(isinstance(path, StaticPath) for path in app.staticPaths.values())


@pytest.mark.parametrize(
    ("paths", "kind", "message"),
    [
        (["/"], TypeError, "staticPaths must be a dict"),
        ({1: "."}, TypeError, "a static URL path must be str"),
        ({"": "."}, ValueError, "must not be empty"),
        ({"/../x": "."}, ValueError, "'..'"),
        ({"/a\0": "."}, ValueError, "NUL"),
        ({"/": 5}, TypeError, "'/' must be a path or a staticPath"),
        ({"/": "/no/such/directory"}, FileNotFoundError, "/no/such/directory"),
    ],
)
def test_wrong_static_paths(paths: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        normalize_app({"staticPaths": paths})


def test_wrong_static_path_options() -> None:
    with pytest.raises(TypeError, match="staticPathOptions must be"):
        normalize_app({"staticPathOptions": True})
    with pytest.raises(TypeError, match="option 'indexHtml'; did you mean 'indexhtml'"):
        normalize_app({"staticPathOptions": {"indexHtml": True}})


def test_static_path_options_as_a_dict() -> None:
    assert normalize_app({"staticPathOptions": {"indexhtml": False}}).staticPathOptions == (
        httpuv.staticPathOptions(indexhtml=False)
    )
