"""Imports in python/httpuv go one way: between its folders, and between modules.

No module needs, directly or not, one that needs it. Imports for type checkers count, too: what only
they need is a Protocol where it is used. Imports within functions do not count between modules, as
they are for what few programs use; between folders they do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python" / "httpuv"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}
# The folders, and what is in none; each may import what comes before it. Those of one line know
# nothing of each other.
LAYERS = (
    {"base"},
    {"dispatch"},
    {"brokers"},
    {"options"},
    {"answers"},
    {"rook"},
    {"gateways"},
    {"servers"},
    {"static_server", "asgi"},
    {"wsgi"},
    {"cli", "demo", "testing"},
    {"gunicorn", "__main__"},
)
MOST_FILES = 16


def imported(module: str, within_functions: bool = False) -> Iterator[str]:
    """The modules of the package that one imports; packages as ``name.__init__``."""
    folder = module.split(".")[:-1]
    found: list[ast.AST] = [ast.parse(MODULES[module].read_text("utf-8"))]
    for node in found:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not within_functions:
            continue
        found += ast.iter_child_nodes(node)
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = folder[: len(folder) - (node.level - 1)]
        base += node.module.split(".") if node.module else []
        for alias in node.names:
            for parts in ([*base, alias.name], base):
                names = {".".join(parts), ".".join([*parts, "__init__"])} & MODULES.keys()
                if names:
                    yield names.pop()
                    break


def test_every_import_is_read() -> None:
    """Imports of the package within it are relative: others would not be seen here."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("httpuv") for alias in node.names), module
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert not (node.module or "").startswith("httpuv"), module


def test_no_circles() -> None:
    needs = {module: set(imported(module)) for module in MODULES}
    assert needs["servers.server"] > {"answers.asyncapp", "rook.websocket"}, "are they read?"
    left = dict(needs)
    # What needs only modules that were removed is removed, until nothing or a circle is left.
    while free := [module for module, its in left.items() if not its & left.keys()]:
        for module in free:
            del left[module]
    assert not left, {module: its & left.keys() for module, its in left.items()}


def test_every_folder_has_its_place() -> None:
    assert {module.split(".")[0] for module in MODULES} == set().union(*LAYERS)


def test_imports_between_folders_go_one_way() -> None:
    place = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        for other in imported(module, within_functions=True)
        if module.split(".")[0] != other.split(".")[0]
        and place[other.split(".")[0]] >= place[module.split(".")[0]]
    ]
    assert not wrong


def test_folders_are_small() -> None:
    folders = [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]
    many = {
        folder.name: count
        for folder in folders
        if (count := len(list(folder.glob("*.py")))) > MOST_FILES
    }
    assert not many


def test_dispatch_knows_nothing_of_servers() -> None:
    outside = {
        name
        for module in MODULES
        if module.startswith("dispatch.")
        for name in imported(module)
        if not name.startswith("dispatch.")
    }
    assert outside <= {"base.checks", "base.fork", "base.log"}, outside
