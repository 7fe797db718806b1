"""The blocks of code in Markdown files, and how the tests run them.

A block of Python runs as a program, in a separate folder, with these differences: servers are on
free ports, and what would serve for ever asks each server for "/" once and returns. What a comment
right before a block says changes that:

``<!-- not run: reason -->``        it is only compiled; the reason says why
``<!-- needs: fastapi -->``         it is skipped where that is not installed
``<!-- continues -->``              it runs behind the block before it, with its names
``<!-- file: site/index.html -->``  it is written to that file, before the blocks of the page run
``<!-- inside asyncio -->``         it may ``await``, as a cell of a notebook
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpuv
import httpuv.asgi
import httpuv.wsgi
import pytest
from httpuv.dispatch import queue

_BLOCK = re.compile(r"((?:^<!-- .*? -->\n)*)^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (not run|needs|continues|file|inside asyncio)(?:: (.+?))? -->")
_WITH_VALUE = ("not run", "needs", "file")


@dataclass
class Block:
    """A block of code."""

    page: Path
    line: int
    language: str
    code: str
    marks: dict[str, str] = field(default_factory=dict)
    before: list[Block] = field(default_factory=list)  # what it continues


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order.

    Raises:
        ValueError: A mark is unknown, or does not say what it has to.
    """
    text = page.read_text("utf-8")
    result: list[Block] = []
    last: Block | None = None
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        block = Block(page, line, match[2], match[3])
        for comment in match[1].splitlines():
            mark = _MARK.fullmatch(comment)
            if mark is None or (mark[2] is not None) != (mark[1] in _WITH_VALUE):
                raise ValueError(f"{page.name}:{line}: what is {comment!r}?")
            block.marks[mark[1]] = mark[2] or ""
        if block.language == "python":
            if "continues" in block.marks:
                if last is None:
                    raise ValueError(f"{page.name}:{line}: there is nothing to continue")
                block.before = [*last.before, last]
            last = block
        result.append(block)
    return result


def compiled(block: Block, flags: int = 0) -> Any:
    """The code of a block, with the line numbers of its page."""
    padded = "\n" * block.line + block.code
    return compile(padded, str(block.page), "exec", flags=flags, dont_inherit=True)


def run(block: Block, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Run a block of Python as its marks say."""
    for name in (mark for each in [*block.before, block] for mark in _needs(each)):
        pytest.importorskip(name, reason=f"needs {name}")
    if "not run" in block.marks:
        compiled(block, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return
    patch.chdir(folder)
    for name in ("site", "files"):
        (folder / name).mkdir(exist_ok=True)
    _bounded(patch)
    at_sigterm = signal.getsignal(signal.SIGTERM)
    scope: dict[str, Any] = {"__name__": "__main__", "__file__": str(folder / "program.py")}
    try:
        for each in [*block.before, block]:
            _execute(each, scope)
        if "app" in scope and not httpuv.listServers():
            _try_application(scope["app"])
    finally:
        httpuv.stopAllServers()
        timers = queue.default()
        for _, _, timer in list(timers._timers):
            timers._cancel(timer)  # a timer that renews itself would outlive the block
        signal.signal(signal.SIGTERM, at_sigterm)


def _needs(block: Block) -> list[str]:
    return re.findall(r"[\w.]+", block.marks.get("needs", ""))


def _execute(block: Block, scope: dict[str, Any]) -> None:
    if "inside asyncio" not in block.marks:
        exec(compiled(block), scope)
        return
    code = compiled(block, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def cell() -> None:
        result = eval(code, scope)
        if inspect.isawaitable(result):
            await result

    asyncio.run(cell())


def _try_application(app: object) -> None:
    """That it starts, and answers."""
    server = httpuv.startServer("127.0.0.1", 0, app, dispatch="service")
    ask_each()
    server.stop()


def ask(server: httpuv.WebServer) -> int:
    """The status of "/" of a server."""
    host = server.getHost()
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{server.getPort()}/", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def ask_each() -> None:
    """Ask each server for "/", running callbacks meanwhile; none may fail."""
    servers = [each for each in httpuv.listServers() if isinstance(each, httpuv.WebServer)]
    found: dict[httpuv.WebServer, object] = {}

    def ask_all() -> None:
        for each in servers:
            try:
                found[each] = ask(each)
            except OSError as error:
                found[each] = error

    asker = threading.Thread(target=ask_all)
    asker.start()
    while asker.is_alive():
        real_service(20)
    asker.join()
    for status in found.values():
        assert isinstance(status, int) and status < 500, status


real_service = httpuv.service


def _bounded(patch: pytest.MonkeyPatch) -> None:
    """Have servers listen on free ports, and programs end."""
    real_start = httpuv.startServer

    def start(host: str, port: int, *rest: Any, **options: Any) -> httpuv.WebServer:
        return real_start(host, 0, *rest, **options)

    def serve(host: str, port: int, app: object, *rest: Any, **options: Any) -> None:
        for name in ("grace", "quiet", "interruptIntervalMs"):
            options.pop(name, None)
        with real_start(host, 0, app, dispatch="service", **options):
            ask_each()

    def service(timeoutMs: Any = 20) -> None:
        if timeoutMs == 0:
            ask_each()
        else:
            real_service(timeoutMs)

    patch.setattr(httpuv, "startServer", start)
    patch.setattr(httpuv, "runServer", serve)
    patch.setattr(httpuv, "service", service)
    patch.setattr(httpuv, "runStaticServer", _static_server(httpuv.runStaticServer))
    for module, interface in ((httpuv.asgi, "asgi"), (httpuv.wsgi, "wsgi")):
        patch.setattr(module, "run", _framework(real_start, interface))


def _static_server(real: Callable[..., Any]) -> Callable[..., None]:
    def run_static(*arguments: Any, **options: Any) -> None:
        options.update(background=True, browse=False, port=0)
        with real(*arguments[:2], **options):
            ask_each()

    return run_static


def _framework(real_start: Callable[..., httpuv.WebServer], interface: str) -> Callable[..., None]:
    def run_framework(app: Any, *rest: Any, **options: Any) -> None:
        mount = httpuv.Mount(app, interface)
        with real_start("127.0.0.1", 0, mount, dispatch="service"):
            ask_each()

    return run_framework
