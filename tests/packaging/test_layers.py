"""Includes in cpp/ follow the arrows: base <- {http, websocket, net, coding <- files} <- server."""

import re
from pathlib import Path

import pytest

CPP = Path(__file__).parents[2] / "cpp"

MAY_INCLUDE = {
    "base": {"base"},
    "http": {"base", "http"},
    "websocket": {"base", "websocket"},
    "coding": {"base", "coding"},
    "files": {"base", "coding", "files"},
    "net": {"base", "net"},
    "server": {"base", "coding", "http", "websocket", "files", "net", "server"},
    "python": {"base", "http", "websocket", "files", "server", "python"},
}
SERVER = {
    "message", "worker", "observe", "topics", "connection", "websocket", "fanout", "report",
}  # fmt: skip
PYTHON = {"runtime", "waking", "convert", "queue", "link", "socket", "answer", "application"}
# The same between the subfolders of a folder; "." is the folder itself.
INSIDE = {
    "base": {
        "text": {"text"},
        "encode": {"text", "encode"},
        ".": {"text", "encode", "."},
    },
    "http": {
        "message": {"message"},
        "proxy": {"message", "proxy"},
        "parse": {"message", "parse"},
        "wire": {"message", "parse", "wire"},
    },
    "websocket": {
        "frame": {"frame"},
        "deflate": {"frame", "deflate"},
        ".": {"frame", "deflate", "."},
    },
    "files": {
        "routes": {"routes"},
        "disk": {"disk"},
        "pages": {"routes", "disk", "pages"},
        "answer": {"routes", "disk", "pages", "answer"},
        "cache": {"routes", "disk", "pages", "answer", "cache"},
    },
    "net": {
        "file": {"file"},
        "lanes": {"lanes"},
        "driver": {"driver"},
        "loop": {"file", "lanes", "driver", "loop"},
        "listen": {"loop", "listen"},
        "stream": {"file", "loop", "listen", "stream"},
        "tls": {"loop", "listen", "stream", "file", "tls"},
    },
    "net/tls": {
        "openssl": {"openssl"},
        "session": {"openssl", "session"},
        ".": {"openssl", "session", "."},
    },
    "server/http": {
        "exchange": {"exchange"},
        "routing": {"exchange", "routing"},
        "responders": {"exchange", "responders"},
        ".": {"exchange", "routing", "responders", "."},
    },
    "server": {
        "message": {"message"},
        "worker": {"message", "worker"},
        "observe": {"worker", "observe"},
        "topics": {"message", "worker", "topics"},
        "connection": {"message", "worker", "observe", "topics", "connection"},
        "websocket": {"message", "topics", "connection", "websocket"},
        "fanout": {"message", "topics", "connection", "websocket", "fanout"},
        "report": {"message", "observe", "connection", "report"},
        "http": SERVER - {"topics"} | {"http"},
        ".": SERVER | {"http", "."},
    },
    "python": {
        "runtime": {"runtime"},
        "waking": {"runtime", "waking"},
        "convert": {"runtime", "convert"},
        "coroutine": {"runtime", "coroutine"},
        "queue": {"runtime", "waking", "coroutine", "queue"},
        "link": {"runtime", "queue", "link"},
        "socket": {"runtime", "convert", "link", "socket"},
        "answer": {"runtime", "convert", "link", "socket", "answer"},
        "application": PYTHON,
        "gateway": PYTHON | {"coroutine", "gateway"},
        "server": PYTHON | {"gateway", "server"},
        ".": PYTHON | {"coroutine", "gateway", "server", "."},
    },
}
# The parts of HTTP/1 are given their session, so their sources include its header; no header does.
ONLY_HEADERS = {"server/http"}
# Third-party headers, and the folders that may name them.
THIRD_PARTY = {
    r"uv(/.*)?\.h": {"net", "server"},
    r"llhttp\.h": {"http"},
    r"zlib(-ng)?\.h|zconf.*\.h": {"coding", "websocket"},
    r"pybind11/.*|Python\.h": {"python"},
}


def includes(folder: str) -> list[tuple[str, str]]:
    """(file, what it includes: with quotes or angle brackets) for every include in the folder."""
    pattern = re.compile(r'^\s*#\s*include\s*(["<][^">]+[">])', re.MULTILINE)
    return [
        (path.relative_to(CPP).as_posix(), name)
        for path in sorted((CPP / folder).rglob("*.[ch]*"))
        for name in pattern.findall(path.read_text("utf-8"))
    ]


def test_every_folder_has_its_rule() -> None:
    assert {path.name for path in CPP.iterdir() if path.is_dir()} == set(MAY_INCLUDE)


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_own_includes_follow_the_arrows(folder: str) -> None:
    found = [(file, name[1:-1]) for file, name in includes(folder) if name[0] == '"']
    assert found, f"cpp/{folder} includes nothing: is the test looking at the right place?"
    unrooted = [(file, name) for file, name in found if "/" not in name]
    assert not unrooted, "includes are written from cpp/ on"
    wrong = [(file, name) for file, name in found if name.split("/")[0] not in MAY_INCLUDE[folder]]
    assert not wrong


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_third_party_headers_stay_in_their_folder(folder: str) -> None:
    wrong = [
        (file, name)
        for file, name in includes(folder)
        for pattern, folders in THIRD_PARTY.items()
        if re.fullmatch(pattern, name[1:-1]) and folder not in folders
    ]
    assert not wrong


def test_the_gil_is_given_up_in_one_way() -> None:
    """pybind11's way ends the process if the interpreter exits meanwhile (python/runtime/gil.h)."""
    files = [path for path in (CPP / "python").rglob("*.*") if path.name != "gil.h"]
    wrong = [path.name for path in files if "gil_scoped_release" in path.read_text("utf-8")]
    assert files and not wrong


def subfolder(name: str, folder: str) -> str:
    """The subfolder of `folder` that a header or source file is in; "." where it is in none."""
    parts = name.removeprefix(f"{folder}/").split("/")
    return parts[0] if len(parts) > 1 else "."


@pytest.mark.parametrize("folder", INSIDE)
def test_subfolders_follow_the_arrows(folder: str) -> None:
    rules = INSIDE[folder]
    assert {path.name if path.is_dir() else "." for path in (CPP / folder).iterdir()} == set(rules)
    wrong = [
        (file, name)
        for file, name in includes(folder)
        if name.startswith(f'"{folder}/')
        and not (folder in ONLY_HEADERS and file.endswith(".cpp"))
        and subfolder(name[1:-1], folder) not in rules[subfolder(file, folder)]
    ]
    assert not wrong
