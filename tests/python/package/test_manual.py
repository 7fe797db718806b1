"""Names, arguments and defaults are the manual's; what is beyond it is keyword-only."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import httpuv
import pytest

# The manual's "Usage" of each function. NULL is None, list() and character(0) are (), and a default
# that R computes when it is called (getwd(), interactive()) is None as well.
FUNCTIONS = {
    "decodeURI": "(value)",
    "decodeURIComponent": "(value)",
    "encodeURI": "(value)",
    "encodeURIComponent": "(value)",
    "excludeStaticPath": "()",
    "interrupt": "()",
    "ipFamily": "(ip)",
    "listServers": "()",
    "randomPort": "(min=1024, max=49151, host='127.0.0.1', n=20)",
    "rawToBase64": "(x)",
    "runServer": "(host, port, app, interruptIntervalMs=None)",
    "runStaticServer": "(dir=None, host='127.0.0.1', port=None)",
    "startDaemonizedServer": "(host, port, app, quiet=False)",
    "startPipeServer": "(name, mask, app, quiet=False)",
    "startServer": "(host, port, app, quiet=False)",
    "staticPath": "(path, indexhtml=None, fallthrough=None, html_charset=None, headers=None,"
    " validation=None)",
    "staticPathOptions": "(indexhtml=True, fallthrough=False, html_charset='utf-8', headers=(),"
    " validation=(), exclude=False)",
    "stopAllServers": "()",
    "stopDaemonizedServer": "(server)",
    "stopServer": "(server)",
}
METHODS = {
    httpuv.WebServer: {"getHost": "()", "getPort": "()"},
    httpuv.PipeServer: {"getName": "()", "getMask": "()"},
    httpuv.WebSocket: {
        "onMessage": "(func)",
        "onClose": "(func)",
        "send": "(message)",
        "close": "(code=1000, reason='')",
    },
}
# Of both kinds of servers.
OF_SERVERS = {
    "isRunning",
    "stop",
    "getStaticPaths",
    "setStaticPath",
    "removeStaticPath",
    "getStaticPathOptions",
    "setStaticPathOption",
}


def usage(function: Callable[..., object]) -> str:
    """The arguments that may be given by position, as the manual writes them."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    shown = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in kinds and parameter.name != "self"
    ]
    return str(inspect.Signature(shown))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    assert usage(getattr(httpuv, name)) == FUNCTIONS[name]


def test_methods() -> None:
    for kind, methods in METHODS.items():
        for name, expected in methods.items():
            assert usage(getattr(kind, name)) == expected, name
    for kind in (httpuv.WebServer, httpuv.PipeServer):
        assert {name for name in dir(kind) if callable(getattr(kind, name))} >= OF_SERVERS


def test_service() -> None:
    # Its default depends on whether Python is interactive: 100 or 1000 (test_dispatch.py).
    assert list(inspect.signature(httpuv.service).parameters) == ["timeoutMs"]


def test_run_static_server_takes_the_rest_by_name() -> None:
    parameters = inspect.signature(httpuv.runStaticServer).parameters
    assert parameters["background"].default is False
    assert parameters["browse"].default is None  # whether Python runs a prompt
    assert parameters["options"].kind is inspect.Parameter.VAR_KEYWORD  # staticPath()'s


def test_what_is_beyond_the_manual_is_shown_by_name() -> None:
    start = inspect.signature(httpuv.startServer).parameters
    beyond = [name for name in start if name not in ("host", "port", "app", "quiet")]
    assert {"limits", "allowedHosts", "dispatch"} <= set(beyond)
    assert all(start[name].kind is inspect.Parameter.KEYWORD_ONLY for name in beyond)
    assert start["dispatch"].default == "auto"
    only_tcp = {"reusePort", "fd"}
    for function in (httpuv.startPipeServer, httpuv.WebServer, httpuv.PipeServer):
        shown = inspect.signature(function).parameters
        expected = [name for name in beyond if function is httpuv.WebServer or name not in only_tcp]
        assert [name for name in shown if name in beyond] == expected
    shown = inspect.signature(httpuv.runServer).parameters
    assert [name for name in shown if name in beyond] == [
        name for name in beyond if name != "dispatch"
    ]


@pytest.mark.parametrize("start", [httpuv.startServer, httpuv.runServer, httpuv.WebServer])
def test_unknown_arguments_are_refused(start: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'limit'"):
        start("127.0.0.1", 0, {}, limit=httpuv.Limits())
    assert httpuv.listServers() == []


def test_run_server_is_service() -> None:
    with pytest.raises(TypeError, match="dispatch"):
        httpuv.runServer("127.0.0.1", 0, {}, dispatch="thread")


def test_public_names() -> None:
    assert FUNCTIONS.keys() | {"service", "WebServer", "PipeServer", "WebSocket"} <= set(
        httpuv.__all__
    )
    for name in httpuv.__all__:
        assert getattr(httpuv, name).__doc__, name
