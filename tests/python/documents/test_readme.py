"""The programs in README.md and in the documentation run; the documentation is complete."""

import ast
import concurrent.futures
import importlib
import inspect
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import blocks
import httpuv
import pytest
from httpuv.dispatch import queue as dispatch

ROOT = Path(__file__).parents[3]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()
]
BLOCKS = {page: blocks.blocks_of(page) for page in PAGES}
PYTHON = [each for page in PAGES for each in BLOCKS[page] if each.language == "python"]

pytestmark = pytest.mark.skipif(not PAGES, reason="the documentation is not here")


def name_of(block: blocks.Block) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


@pytest.mark.parametrize("block", PYTHON, ids=name_of)
def test_program(
    block: blocks.Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for each in BLOCKS[block.page]:
        if "file" in each.marks:
            path = tmp_path / each.marks["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(each.code)
    monkeypatch.syspath_prepend(tmp_path)
    blocks.run(block, tmp_path, monkeypatch)
    failures = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert failures == []
    assert dispatch.default()._timers == []  # nothing of it runs in the tests that follow


def test_there_are_programs() -> None:
    ran = [each for each in PYTHON if "not run" not in each.marks]
    assert len(ran) > 5
    assert len(ran) > 5 * (len(PYTHON) - len(ran))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(
    "module", ["httpuv", "httpuv.asgi", "httpuv.brokers", "httpuv.testing", "httpuv.wsgi"]
)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    pages = [page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md")]
    described = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)", "\n".join(pages), re.MULTILINE))
    names = set(importlib.import_module(module).__all__) - {"__version__"}
    if module == "httpuv.brokers":
        names -= set(httpuv.__all__)  # described as httpuv.Broker
    assert {f"{module}.{name}" for name in names} - described == set()


@pytest.mark.parametrize(
    "function", [httpuv.startServer, httpuv.staticPath, httpuv.runStaticServer, httpuv.TLS]
)
def test_every_argument_is_described(function: Callable[..., object]) -> None:
    text = inspect.getdoc(function) or ""
    names = inspect.signature(function).parameters
    assert [name for name in names if not re.search(rf"\b{name}\b[^\n]*:", text)] == []


def test_every_log_message_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "log-messages.md").read_text()
    messages = [*python_messages(), *core_messages()]
    assert len(messages) > 20
    assert [each for each in messages if each not in page] == []


def python_messages() -> list[str]:
    """The longest fixed part of each message that the package logs."""
    found = []
    for path in (ROOT / "python" / "httpuv").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func)
            if name in ("write", "log.write"):
                message = call.args[1] if ast.unparse(call.args[0]).startswith("logging.") else None
            elif re.fullmatch(r".*log(ger)?\.(debug|info|warning|error|exception)", name):
                message = call.args[0]
            else:
                continue
            if isinstance(message, ast.Constant) and isinstance(message.value, str):
                found.append(longest(re.split("%[a-z]", message.value)))
    return [each for each in found if len(each) > 3]


def core_messages() -> list[str]:
    """The same of the notices of the core."""
    found = []
    for path in (ROOT / "cpp").rglob("*.cpp"):
        for notice in re.finditer(r"NoticeEvent\{(.*?)\}", path.read_text(), re.DOTALL):
            literals = re.findall(r'"((?:[^"\\]|\\.)*)"', notice[1])
            if "std::move(text)" in notice[1]:  # it was built before, from this beginning
                before = path.read_text()[: notice.start()]
                literals = [re.findall(r'std::string text = "(.*?)"', before)[-1]]
            assert literals, (path, notice[0])
            found += [each.strip() for each in literals]
    return found


def longest(parts: list[str]) -> str:
    return max(parts, key=len).strip()


def test_every_close_code_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "close-codes.md").read_text()
    header = (ROOT / "cpp" / "websocket" / "frame" / "close_frame.h").read_text()
    codes = re.findall(r"kClose\w+ =\s*(\d{4});", header)
    assert len(codes) >= 9
    described = re.findall(r"^\| (\d{4}) \|", page, re.MULTILINE)
    assert sorted(codes) == described


def test_every_status_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "statuses.md").read_text()
    first_column = re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
    described = set(re.findall(r"\d{3}", "".join(first_column)))
    sent = set()
    for folder in ("http", "server", "files"):
        for path in (ROOT / "cpp" / folder).rglob("*.cpp"):
            # A number that is returned, assigned to a status, or the argument of a function.
            use = r"(?:return |status = |\w\((?:\*?\w+, )?)([1345]\d\d)[,;)]"
            sent |= set(re.findall(use, path.read_text()))
    assert len(sent) > 12
    assert sent - described == set()


def test_every_page_can_be_reached() -> None:
    docs = ROOT / "docs"
    listed = set()
    for page in docs.rglob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            names = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / f"{name}.md").resolve() for name in names}
    missing = {page.resolve() for page in docs.rglob("*.md")} - listed - {docs / "index.md"}
    assert missing == set()


def test_the_tutorial(tmp_path: Path) -> None:
    client = pytest.importorskip("websockets.sync.client", reason="needs websockets")
    for block in BLOCKS[ROOT / "docs" / "tutorial.md"]:
        if "file" in block.marks:
            path = tmp_path / block.marks["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.code.replace("HOST, 8080", "HOST, 0"))
    program = subprocess.Popen(
        [sys.executable, "dashboard.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    with program:
        try:
            assert program.stdout is not None
            found = re.match(r"(http://[\d.]+:\d+)/", program.stdout.readline())
            assert found is not None
            url = found[1]
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{url}/") as page:
                assert b"Load of this machine" in page.read()
            with client.connect(f"ws{url[4:]}/", origin=url, proxy=None) as socket:
                assert json.loads(socket.recv(timeout=60))["load"] >= 0
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    blocked = pool.submit(opener.open, f"{url}/api/block", data=b"")
                    with opener.open(f"{url}/ping.txt") as ping:
                        assert ping.read() == b"pong\n"
                    with blocked.result() as answer:
                        assert answer.read() == b"Python is back."
                assert json.loads(socket.recv(timeout=60))["load"] >= 0
        finally:
            program.send_signal(signal.SIGINT)
    assert program.returncode == 0


def test_blocks_say_why_they_do_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- not run -->\n```python\nx\n```\n")
    with pytest.raises(ValueError, match="not run"):
        blocks.blocks_of(page)
    page.write_text("<!-- not run: because -->\n```python\nawait x\n```\n")
    (block,) = blocks.blocks_of(page)
    assert block.marks == {"not run": "because"}
    blocks.compiled(block, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_a_program_that_fails_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nimport httpuv\nhttpuv.runServer('127.0.0.1', 8080, lambda req: 1 / 0)\n```\n"
    )
    (block,) = blocks.blocks_of(page)
    with pytest.raises(AssertionError, match="500"):
        blocks.run(block, tmp_path, monkeypatch)
    assert httpuv.listServers() == []
