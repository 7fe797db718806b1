"""Tables that are made from the package, so that they cannot differ from it.

``httpuv-limits``: every limit with its default and what happens beyond it.
``httpuv-options``: every keyword of ``startServer`` with its default and its description.
``httpuv-metrics``: every metric that a server shows, with its type and what it counts.
``httpuv-command``: the help text of a command.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import urllib.request
from dataclasses import fields
from typing import Any

import httpuv
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx


class _Generated(Directive):
    """Parses reStructuredText that is generated; to be used inside of ``eval-rst``."""

    has_content = False
    makes: type[nodes.Node]

    def lines(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        self.state.nested_parse(StringList(self.lines(), "generated"), 0, container)
        if not any(isinstance(each, self.makes) for each in container.children):
            raise self.error(f"{self.name} must be inside of eval-rst")
        return container.children


def _size(value: Any) -> str:
    if value is None:
        return "``None``"
    if isinstance(value, float):
        return f"{value:g} s"
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value >= 1 << shift and value % (1 << shift) == 0:
            return f"{value >> shift} {unit}"
    return f"{value:,}"


class Limits(_Generated):
    """A table with each limit."""

    makes = nodes.table

    def lines(self) -> list[str]:
        result = [".. list-table::", "   :header-rows: 1", "   :widths: 25 15 60", ""]
        result += ["   * - Limit", "     - Default", "     - What it bounds, and what lies beyond"]
        for field in fields(httpuv.Limits):
            result += [
                f"   * - ``{field.name}``",
                f"     - {_size(field.default)}",
                f"     - {field.metadata['text']}",
            ]
        return [*result, ""]


#: The labels of metrics, which a server without requests does not show.
LABELS = {
    "http_server_requests_total": "``method``, ``status``, ``kind``",
    "http_server_request_duration_seconds": "``method``, ``kind``",
    "http_server_connections": "``state``",
    "http_server_refused_total": "``status``, ``reason``",
    "httpuv_websocket_messages_total": "``direction``",
    "httpuv_build_info": "``version``, ``python``, ``implementation``",
}


class Metrics(_Generated):
    """A table with each metric."""

    makes = nodes.table

    def lines(self) -> list[str]:
        with httpuv.startServer(
            "127.0.0.1", 0, {}, metrics="/metrics", dispatch="thread"
        ) as server:
            open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
            with open_url(f"http://127.0.0.1:{server.getPort()}/metrics") as answer:
                text = answer.read().decode()
        result = [".. list-table::", "   :header-rows: 1", "   :widths: 48 12 40", ""]
        result += ["   * - Metric and labels", "     - Type", "     - What it counts"]
        found = re.findall(r"^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$", text, re.MULTILINE)
        unknown = LABELS.keys() - {name for name, _, _ in found}
        if unknown:
            raise self.error(f"there are no such metrics: {sorted(unknown)}")
        for name, meaning, kind in found:
            labels = f"; {LABELS[name]}" if name in LABELS else ""
            result += [f"   * - ``{name}``{labels}", f"     - {kind}", f"     - {meaning}"]
        return [*result, ""]


class Options(_Generated):
    """A definition list with each keyword of startServer."""

    makes = nodes.definition_list

    def lines(self) -> list[str]:
        documented = _arguments(inspect.getdoc(httpuv.startServer) or "")
        result: list[str] = []
        for name, parameter in inspect.signature(httpuv.startServer).parameters.items():
            if name in ("host", "port", "app"):
                continue
            text = documented[name]  # a KeyError: an option that has no description
            result += [f"``{name}={parameter.default!r}``", *(f"   {line}" for line in text), ""]
        return result


def _arguments(docstring: str) -> dict[str, list[str]]:
    """What the section "Args" of a docstring says of each argument."""
    section = re.search(r"^Args:\n(.*?)(?=^\S)", docstring, re.DOTALL | re.MULTILINE)
    result: dict[str, list[str]] = {}
    names: list[str] = []
    for line in (section[1] if section else "").splitlines():
        started = re.fullmatch(r"    (\w+(?:, \w+)*): ?(.*)", line)
        if started:
            names = started[1].split(", ")
            line = " " * 8 + started[2]
        for name in names:
            result.setdefault(name, []).append(line[8:])
    return result


class Command(Directive):
    """The help text of a command."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        result = subprocess.run(
            [sys.executable, *self.arguments[0].split(), "--help"],
            env={**os.environ, "COLUMNS": "90", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if result.returncode != 0:
            raise self.error(f"{self.arguments[0]}: {result.stderr}")
        block = nodes.literal_block(result.stdout, result.stdout)
        block["language"] = "text"
        return [block]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("httpuv-limits", Limits)
    app.add_directive("httpuv-metrics", Metrics)
    app.add_directive("httpuv-options", Options)
    app.add_directive("httpuv-command", Command)
    return {"parallel_read_safe": True}
