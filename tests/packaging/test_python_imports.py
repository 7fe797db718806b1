"""Imports in python/httpuv go one way: no module needs, directly or not, one that needs it.

Imports for type checkers count, too: what only they need is a Protocol where it is used. Imports
within functions do not: they are for what few programs use.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python" / "httpuv"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py")
}


def imported(module: str) -> Iterator[str]:
    """The modules of the package that one imports outside of functions."""
    folder = module.split(".")[:-1]
    found: list[ast.AST] = [ast.parse(MODULES[module].read_text("utf-8"))]
    for node in found:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        found += ast.iter_child_nodes(node)
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = folder[: len(folder) - (node.level - 1)]
        base += node.module.split(".") if node.module else []
        for alias in node.names:
            for name in (".".join([*base, alias.name]), ".".join(base)):
                if name in MODULES:
                    yield name
                    break


def test_no_circles() -> None:
    needs = {module: set(imported(module)) for module in MODULES}
    assert needs["server"] > {"asyncapp", "websocket"}, "is the test reading the right thing?"
    left = dict(needs)
    # What needs only modules that were removed is removed, until nothing or a circle is left.
    while free := [module for module, its in left.items() if not its & left.keys()]:
        for module in free:
            del left[module]
    assert not left, {module: its & left.keys() for module, its in left.items()}


def test_dispatch_knows_nothing_of_servers() -> None:
    outside = {
        name
        for module in MODULES
        if module.startswith("dispatch.")
        for name in imported(module)
        if not name.startswith("dispatch.")
    }
    assert outside <= {"_checks", "fork", "log", "presence"}, outside
