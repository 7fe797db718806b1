"""A person's mistake is one line that says what to do; their exception is their traceback."""

from pathlib import Path

import pytest
from cli_support import apps, command
from support import Script, listening

assert apps  # a fixture

LOG = ("--port", "0", "--access-log", "--access-log-file")


@pytest.mark.parametrize(
    ("arguments", "status", "parts"),
    [
        ([], 2, ["httpuv run MODULE:APP"]),
        (["apps"], 1, ["httpuv run apps:app"]),
        (["sub/apps.py:app"], 1, ["is a file", "httpuv run sub.apps:app"]),
        (["nowhere:app"], 1, ["no module nowhere", "--app-dir"]),
        (["apps.sub:app"], 1, ["no module apps.sub"]),
        (["apps:wsgo"], 1, ["apps has no attribute wsgo: did you mean wsgi?"]),
        (["apps:rook.sub"], 1, ["apps.rook has no attribute sub"]),
        (["apps:thing"], 1, ["apps:thing", "--interface"]),
        (["apps:thing", "--interface", "wsgi"], 1, ["no WSGI application: it is 5"]),
        (["apps:thing", "--interface", "rook"], 1, ["app must be", "not int"]),
        (["apps:thing", "--interface", "asgi-factory"], 1, ["no function"]),
        (["apps:cannot_start", "--port", "0"], 1, ["failed to start: no database"]),
        (["apps:rook", "--port", "http"], 2, ["--port must be a whole number from 0 to 65535"]),
        (["apps:rook", "--port", "70000"], 2, ["--port must be", "'70000'"]),
        (["apps:rook", "--interface", "cgi"], 2, ["--interface must be one of auto, asgi"]),
        (["apps:rook", "--max-pipelined", "0"], 2, ["--max-pipelined: ", "must be from 1 to"]),
        (["apps:rook", "--idle-timeout", "-1"], 2, ["--idle-timeout must be a number"]),
        (["apps:rook", "--prot", "1"], 2, ["--prot", "--help"]),
        (["apps:rook", "apps:wsgi"], 2, ["apps:wsgi", "--help"]),
        (["apps:rook", "--static", "files"], 2, ["--static must be like /url=directory"]),
        (["apps:rook", "--static", "/a=nowhere"], 1, ["--static /a=nowhere: No such file"]),
        (["apps:rook", "--static", "/a=.", "--static", "/a/=."], 1, ["/a was given before"]),
        (["apps:rook", "--app-dir", "nowhere"], 1, ["--app-dir nowhere"]),
        (["apps:rook", "--env-file", "nowhere"], 2, ["--env-file nowhere"]),
        (["apps:rook", "--host", "192.0.2.1", "--port", "0"], 1, ["192.0.2.1", "--host"]),
        (["apps:rook", "--host", "name.invalid"], 1, ["name.invalid"]),
        (["apps:rook", "--host", ""], 2, ["--host must be a text that is not empty"]),
        (["apps:rook", "--uds", "no/such/socket"], 1, ["no/such/socket"]),
        (["apps:rook", "--uds", "apps.py"], 1, ["apps.py exists and is no socket"]),
        (["apps:rook", "--uds", "x" * 200], 1, ["too long for a Unix socket", "at most 107"]),
        (["apps:asgi", *LOG, "/no/such/log"], 1, ["--access-log-file: /no/such/log cannot be"]),
        (["apps:wsgi", *LOG, "/no/such/log"], 1, ["--access-log-file: /no/such/log cannot be"]),
        (["apps:rook", "--access-log-file", "log"], 2, ["--access-log-file needs --access-log"]),
        (["apps:asgi", *LOG, "log", "--log-format", "{x}"], 1, ["--log-format: no field x"]),
        (["apps:wsgi", *LOG, "log", "--log-format", "{x}"], 1, ["--log-format: no field x"]),
        (["apps:wsgi", "--wsgi-input", "stream"], 1, ["--wsgi-input stream needs --threads"]),
        (["apps:asgi", "--health", "/x", "--ready", "/x"], 1, ["must be different paths"]),
        (
            ["apps:rook", "--uds", "s", "--uds-mode", "rw"],
            2,
            ["--uds-mode must be a text"],
        ),
        (["apps:rook", "--uds-mode", "0660"], 2, ["--uds-mode needs --uds"]),
        (["apps:rook", "--forwarded-allow-ips", "1.2.3"], 2, ["unix or *, not '1.2.3'"]),
        (["apps:rook", "--admin", "x"], 2, ["--admin must be HOST:PORT", "./admin, not 'x'"]),
    ],
)
def test_one_line(apps: Path, arguments: list[str], status: int, parts: list[str]) -> None:
    with command(apps, *arguments) as child:
        code, _, errors = child.finish()
    assert code == status, errors
    assert len(errors.splitlines()) == 1 and errors.startswith("httpuv: "), errors
    for part in parts:
        assert part in errors


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_port_is_taken(apps: Path, name: str) -> None:
    with listening() as port, command(apps, f"apps:{name}", "--port", str(port)) as child:
        status, _, errors = child.finish()
    assert status == 1
    assert errors == (
        f"httpuv: 127.0.0.1 port {port} is taken by another program: choose another with --port,"
        " or --port 0 for a free one\n"
    )


@pytest.mark.parametrize(
    ("name", "first", "last", "shown"),
    [
        (
            "broken:app",
            "broken could not be imported",
            "KeyError: 'mine'",
            ["in fail", "broken.py"],
        ),
        (
            *("needs_other:app", "needs_other could not be imported"),
            *("ModuleNotFoundError: No module named 'there_is_no_such_module'", ["needs_other.py"]),
        ),
        ("wrong_syntax:app", "wrong_syntax could not be", "SyntaxError:", ["wrong_syntax.py"]),
        ("apps:broken_factory", "broken_factory() failed", "ZeroDivisionError", ["return 1 / 0"]),
    ],
)
def test_exception_of_the_module(
    apps: Path, name: str, first: str, last: str, shown: list[str]
) -> None:
    with command(apps, name) as child:
        status, _, errors = child.finish()
    lines = errors.splitlines()
    assert status == 1
    assert first in lines[0] and last in lines[-1]
    for part in shown:
        assert part in errors
    assert "/httpuv/" not in errors and "importlib" not in errors


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("port = 'x'", ["httpuv.toml: port must be a whole number", "'x'"]),
        ("prot = 1", ["httpuv.toml: there is no option prot; did you mean port?"]),
        ("port = = 1", ["httpuv.toml cannot be read"]),
        (b"\xff", ["httpuv.toml must be UTF-8"]),
        ("app = 5", ["httpuv.toml: app must be a text"]),
        ("access-log = 1", ["httpuv.toml: access-log must be true or false"]),
    ],
)
def test_mistakes_in_the_file(apps: Path, text: str | bytes, parts: list[str]) -> None:
    (apps / "httpuv.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with command(apps) as child:
        status, _, errors = child.finish()
    assert status == 2 and len(errors.splitlines()) == 1
    for part in parts:
        assert part in errors


def test_table_of_the_project_that_is_none(apps: Path) -> None:
    (apps / "pyproject.toml").write_text("[tool]\nhttpuv = 5\n")
    with command(apps, "apps:rook") as child:
        assert child.finish()[::2] == (2, "httpuv: pyproject.toml: tool.httpuv must be a table\n")


@pytest.mark.parametrize("arguments", [["run", "apps:rook"], ["serve"], ["--port", "0"]])
def test_current_directory_that_is_gone(tmp_path: Path, arguments: list[str]) -> None:
    code = """
    import os, sys
    os.rmdir(os.getcwd())
    import httpuv.cli
    sys.exit(httpuv.cli.main(sys.argv[1:], "python -m httpuv"))
    """
    folder = tmp_path / "gone"
    folder.mkdir()
    with Script(code, *arguments, cwd=folder) as child:
        status, _, errors = child.finish()
    text = "httpuv: the current directory does not exist any more: change to another\n"
    assert (status, errors) == (1, text)


def test_misspelt_variable_is_named(apps: Path) -> None:
    with command(apps, "nowhere:app", HTTPUV_WORKER="2", HTTPUV_OF_MINE="x") as child:
        first, _ = child.finish()[2].splitlines()
    assert first == "httpuv: HTTPUV_WORKER has no effect; did you mean HTTPUV_WORKERS?"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prot", "3"], "there is no option --prot; did you mean --port?"),
        (["--uplod"], "there is no option --uplod; did you mean --upload?"),
        (["-z"], "there is no option -z"),
        ([".", "docs"], "one directory only: docs is one too many"),
    ],
)
def test_wrong_arguments_of_serve(tmp_path: Path, arguments: list[str], message: str) -> None:
    with Script("", "serve", *arguments, module="httpuv", cwd=tmp_path) as child:
        status, _, errors = child.finish()
    assert status == 2
    assert errors.splitlines()[-1] == f"python -m httpuv serve: error: {message}"
