"""The programs in README.md run."""

import re
from pathlib import Path

import httpuv
import pytest

real_start = httpuv.startServer
real_service = httpuv.service

README = Path(__file__).parents[2] / "README.md"
PROGRAMS = (
    re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if README.exists() else []
)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_program(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # On free ports, and not for ever.
    monkeypatch.setattr(
        httpuv, "startServer", lambda host, port, app, **more: real_start(host, 0, app, **more)
    )
    monkeypatch.setattr(httpuv, "service", lambda timeoutMs=None: real_service(None))
    monkeypatch.setattr(
        httpuv, "runServer", lambda host, port, app: real_start(host, 0, app).stop()
    )
    monkeypatch.chdir(tmp_path)
    for name in ("site", "files"):
        (tmp_path / name).mkdir()
    program = program.replace("/tmp/my-socket", str(tmp_path / "socket"))
    scope: dict = {"__name__": "readme"}
    exec(compile(program, "README.md", "exec"), scope)
    if "app" in scope:
        httpuv.startServer("127.0.0.1", 0, scope["app"]).stop()


def test_there_are_programs() -> None:
    if README.exists():
        assert len(PROGRAMS) > 5
