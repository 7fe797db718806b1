"""_core.pyi, which type checkers believe, says what the C++ module has."""

from __future__ import annotations

import ast
from pathlib import Path

from httpuv import _core

STUB = ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text("utf-8"))

Signature = tuple[list[str], list[str], int]


def signature(function: ast.FunctionDef) -> Signature:
    """Names of its arguments, of those by keyword only, and how many have a default."""
    arguments = function.args
    defaults = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
    return (
        [argument.arg for argument in arguments.args],
        [argument.arg for argument in arguments.kwonlyargs],
        len(defaults),
    )


def runtime_signature(function: object) -> Signature:
    """The same of a function of the module: pybind11 writes it in front of the docstring."""
    head = (function.__doc__ or "").partition("\n")[0]
    (parsed,) = ast.parse(f"def {head}: ...").body
    assert isinstance(parsed, ast.FunctionDef)
    return signature(parsed)


def declared(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or class of the stub declares, by name."""
    names: dict[str, ast.stmt] = {}
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            names[statement.name] = statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names[statement.target.id] = statement
    return names


def public(names: object) -> set[str]:
    return {name for name in vars(names) if not name.startswith("_")}


def test_names_of_the_module() -> None:
    assert public(_core) == set(declared(STUB.body)) - {"__version__"}
    assert isinstance(_core.__version__, str)


def test_functions() -> None:
    for name, statement in declared(STUB.body).items():
        if isinstance(statement, ast.FunctionDef):
            assert signature(statement) == runtime_signature(getattr(_core, name)), name


def test_classes() -> None:
    seen = 0
    for name, statement in declared(STUB.body).items():
        if not isinstance(statement, ast.ClassDef):
            continue
        cls = getattr(_core, name)
        members = declared(statement.body)
        if type(cls) is type:  # made without pybind11: its signatures are not written out
            assert public(cls) == {each for each in members if not each.startswith("_")}, name
            continue
        assert public(cls) == members.keys() - {"__init__"}, name
        for member, declaration in members.items():
            runtime = getattr(cls, member)
            if isinstance(declaration, ast.AnnAssign) or isinstance(runtime, property):
                assert isinstance(runtime, property), f"{name}.{member}"
                assert (runtime.fset is not None) == isinstance(declaration, ast.AnnAssign)
            else:
                assert isinstance(declaration, ast.FunctionDef)
                assert signature(declaration) == runtime_signature(runtime), f"{name}.{member}"
                seen += 1
    assert seen > 20
