"""The description of a server's options: names, checks, and that the core knows the same ones."""

import inspect
from typing import Any

import httpuv
import pytest
from httpuv import _core
from httpuv.options import server as options
from httpuv.options import settings as made
from httpuv.options.limits import Limits

TCP = options.TcpOptions.__annotations__


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mimetypes", "mimeTypes"),
        ("wscompression", "wsCompression"),
        ("allowed_hosts", "allowedHosts"),
        ("limit", "limits"),
    ],
)
def test_wrong_name_says_which_was_meant(name: str, meant: str) -> None:
    message = f"unexpected keyword argument {name!r}; did you mean {meant!r}"
    for start in (httpuv.startServer, httpuv.WebServer):
        with pytest.raises(TypeError, match=message):
            start("127.0.0.1", 0, {}, **{name: None})  # type: ignore[arg-type, misc]


def test_name_like_no_other() -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'xyzzy'$"):
        httpuv.startServer("127.0.0.1", 0, {}, xyzzy=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", options.DESCRIPTIONS)
def test_each_is_shown_and_described(name: str) -> None:
    shown = inspect.signature(httpuv.startServer).parameters[name]
    assert shown.default == options.DESCRIPTIONS[name].default
    text = inspect.getdoc(httpuv.startServer) or ""
    assert f"\n    {name}: " in text
    assert (name in (inspect.getdoc(httpuv.startPipeServer) or "")) == (name not in TCP)


@pytest.mark.parametrize("name", sorted(set(options.DESCRIPTIONS) - {"dispatch", "mounts"}))
def test_each_is_checked(name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        made.complete({name: object()})


def test_each_limit_has_a_text() -> None:
    fields = Limits.__dataclass_fields__.values()
    assert all(len(field.metadata["text"]) > 20 for field in fields)


def _server(settings: dict[str, Any]) -> None:
    callbacks: Any = {"call": None, "on_headers": None, "on_error": print, "convert": print}
    _core.Server(_core.Queue(), environ={}, settings=settings, **callbacks)


def test_the_core_knows_the_same_settings() -> None:
    settings = made.core_settings(made.complete({}))
    _server(settings)
    for name in settings:
        with pytest.raises(KeyError, match=name):
            _server({each: value for each, value in settings.items() if each != name})
    with pytest.raises(TypeError, match="surplus"):
        _server({**settings, "surplus": 1})
    limits: Any = settings["limits"]
    for name in limits:
        with pytest.raises(KeyError, match=name):
            _server({**settings, "limits": {n: v for n, v in limits.items() if n != name}})
    with pytest.raises(TypeError, match="surplus"):
        _server({**settings, "limits": {**limits, "surplus": 1}})
