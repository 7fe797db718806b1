"""runStaticServer and python -m httpuv."""

import errno
import os
import signal
import socket
import threading
from pathlib import Path

import httpuv
import pytest
from httpuv.static_server import run as static_server
from support import PATIENCE, Script, address, fetch, listening, request


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text("<p>page</p>")
    (tmp_path / "sub").mkdir()
    return tmp_path


def default_port_is_free() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", static_server.DEFAULT_PORT))
            probe.listen()
        except OSError:
            return False
    return True


def background(*arguments: object, **options: object) -> httpuv.WebServer:
    server = httpuv.runStaticServer(*arguments, background=True, browse=False, **options)
    assert isinstance(server, httpuv.WebServer)
    return server


def test_background(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with background(site, port=0) as server:
        assert server.isRunning()
        assert server.getHost() == "127.0.0.1"
        assert httpuv.listServers() == [server]
        assert fetch(address(server), request("/page.html")).body == b"<p>page</p>"
        output, messages = capsys.readouterr()
        assert output == ""
        assert str(site) in messages
        assert f"http://127.0.0.1:{server.getPort()}/" in messages
        assert "stopServer()" in messages


def test_listing_is_on_by_default(site: Path) -> None:
    with background(site, port=0) as server:
        response = fetch(address(server), request("/"))
        assert response.status == 200
        assert b"page.html" in response.body
    with background(site, port=0, listing=False) as server:
        assert fetch(address(server), request("/")).status == 404


def test_current_directory(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    with background(port=0) as server:
        assert fetch(address(server), request("/page.html")).status == 200


def test_options_go_to_static_path(site: Path) -> None:
    with background(site, port=0, html_charset="", headers={"X-A": "b"}) as server:
        response = fetch(address(server), request("/page.html"))
        assert response.get("Content-Type") == "text/html"
        assert response.get("X-A") == "b"
        assert server.getStaticPaths()["/"].options.html_charset == ""


def test_only_names_of_this_machine(site: Path) -> None:
    """No web page can read the files by its own name that points here (DNS rebinding)."""
    name = socket.gethostname()

    def status(server: httpuv.WebServer, host: str) -> int:
        return fetch(address(server), request("/page.html", host=host)).status

    with background(site, port=0) as server:
        for host in ("localhost", "localhost:7446", "127.0.0.1", "[::1]", "192.0.2.1:80"):
            assert status(server, host) == 200, host
        for host in ("evil.example", "127.0.0.1.evil.example", ""):
            assert status(server, host) == 403, host
    with background(site, "0.0.0.0", 0) as server:
        for host in ("localhost", name, name.upper(), f"{name.partition('.')[0]}.local"):
            assert status(server, host) == 200, host
        assert status(server, "evil.example") == 403
    with background(site, port=0, allowedHosts=["files.example"]) as server:
        assert (status(server, "files.example"), status(server, "localhost")) == (200, 403)
    with background(site, port=0, allowedHosts=["*"]) as server:
        assert status(server, "evil.example") == 200


def test_default_port_or_another(site: Path) -> None:
    free = default_port_is_free()
    with background(site) as first, background(site) as second:
        if free:
            assert first.getPort() == 7446
        assert second.getPort() not in (7446, first.getPort())
        assert second.getPort() >= 1024


def test_given_port_is_not_replaced(site: Path) -> None:
    with listening() as port, pytest.raises(OSError) as caught:
        background(site, port=port)
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::/0", "[::1]")],
)
def test_browse(site: Path, monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    opened: list[str] = []
    monkeypatch.setattr(static_server.webbrowser, "open", opened.append)
    with httpuv.runStaticServer(site, host, 0, background=True, browse=True) as server:
        assert opened == [f"http://{url}:{server.getPort()}/"]
    with httpuv.runStaticServer(site, host, 0, background=True):
        assert len(opened) == 1  # not interactive
    monkeypatch.setattr(static_server, "interactive", lambda: True)
    with httpuv.runStaticServer(site, host, 0, background=True):
        assert len(opened) == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"dir": "/no/such/directory"}, FileNotFoundError, "/no/such/directory"),
        ({"dir": __file__}, NotADirectoryError, "test_static_server"),
        ({"dir": 5}, TypeError, "dir must be str"),
        ({"indexHtml": True}, TypeError, "argument 'indexHtml'; did you mean 'indexhtml'"),
        ({"indexhtml": 1}, TypeError, "indexhtml must be"),
        ({"port": "80"}, TypeError, "port must be"),
        ({"port": 70_000}, ValueError, "port must be"),
    ],
)
def test_wrong_arguments(arguments: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        background(**arguments)
    assert httpuv.listServers() == []


def test_foreground_until_interrupted(site: Path) -> None:
    thread = threading.Thread(target=lambda: httpuv.runStaticServer(site, port=0, browse=False))
    thread.start()
    while thread.is_alive():
        if servers := httpuv.listServers():
            assert fetch(address(servers[0]), request("/page.html")).status == 200
            httpuv.interrupt()
        thread.join(0.01)
    assert httpuv.listServers() == []


# --- the command line ---


def started(child: Script) -> tuple[str, int]:
    """Where the server that says so listens."""
    while "http://" not in (line := child.error_line()):
        pass
    host, _, port = line.rpartition("http://")[2].rstrip("/").rpartition(":")
    return host.strip("[]"), int(port)


def command(*arguments: str) -> Script:
    return Script("", *arguments, module="httpuv")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_command(site: Path, how: signal.Signals) -> None:
    with command(str(site), "--port", "0", "--no-access-log") as child:
        where = started(child)
        assert where[0] == "127.0.0.1"
        assert fetch(where, request("/page.html")).body == b"<p>page</p>"
        assert b"page.html" in fetch(where, request("/")).body
        assert fetch(where, request("/page.html")).get("Access-Control-Allow-Origin") is None
        while "Ctrl-C" not in child.error_line():
            pass
        os.kill(child.pid, how)
        status, output, errors = child.finish(PATIENCE)
        assert (status, output, errors.strip()) == (0, "", "")


def test_command_options(site: Path) -> None:
    (site / ".hidden").write_text("hidden")
    (site / "index.html").write_text("index")
    (site / "404.html").write_text("custom")
    with command(
        str(site),
        *("--host", "::1", "--port", "0", "--no-listing", "--no-index", "--dotfiles", "--cors"),
        *("--header", "X-A: b", "--header", "X-C:d", "--cache-control", "no-store"),
        *("--not-found", "404.html", "--no-browse", "--gzip", "--no-precompressed", "--symlinks"),
        *("--mime", ".html=text/x-mine", "--allowed-host", "files.example"),
    ) as child:
        where = started(child)
        assert where[0] == "::1"
        assert fetch(where, request("/", host="[::1]")).body == b"custom"
        assert fetch(where, request("/page.html", host="files.example")).status == 200
        assert fetch(where, request("/page.html")).status == 403
        response = fetch(where, request("/page.html", host="[::1]"))
        assert (response.get("Content-Type") or "").startswith("text/x-mine")
        response = fetch(where, request("/.hidden", host="[::1]"))
        assert response.body == b"hidden"
        assert response.get("Access-Control-Allow-Origin") == "*"
        assert "Content-Range" in (response.get("Access-Control-Expose-Headers") or "")
        assert (response.get("X-A"), response.get("X-C")) == ("b", "d")
        assert response.get("Cache-Control") == "no-store"


def test_command_help_and_version() -> None:
    with command("--help") as child:
        status, output, errors = child.finish()
        assert (status, errors) == (0, "")
        assert "--no-listing" in output and "--cors" in output
    with command("--version") as child:
        assert child.finish() == (0, f"httpuv {httpuv.__version__}\n", "")


def test_command_failures(site: Path) -> None:
    for arguments, status, message in [
        (["serve", "/no/such/directory"], 1, "/no/such/directory: there is no such directory\n"),
        (["frobnicate"], 1, "frobnicate: there is no such directory; the commands are run and"),
        (["serve", __file__], 1, "test_static_server.py is no directory"),
        (["8000"], 1, "the port is --port 8000"),
        ([str(site), "--port", "99999"], 1, "port must be from 0 to 65535"),
        ([str(site), "--host", "192.0.2.1", "--port", "0"], 1, "192.0.2.1 port 0 is no address"),
        ([str(site), "--host", "name.invalid"], 1, "name.invalid port 7446 is no address"),
        ([str(site), "--host", ""], 2, "must be a text that is not empty"),
        ([str(site), "--header", "nonsense"], 2, "NAME: VALUE"),
        ([str(site), "--header", "a b: c"], 1, "not a header name"),
        ([str(site), "--mime", "html"], 2, "EXTENSION=TYPE"),
        ([str(site), "--mime", "html=nonsense"], 1, "not a media type"),
        (["--nonsense"], 2, "usage:"),
    ]:
        with command(*arguments) as child:
            code, output, errors = child.finish()
            assert (code, output) == (status, ""), errors
            assert message in errors
            assert "Traceback" not in errors and "Errno" not in errors


def test_command_says_once_that_the_port_is_taken(site: Path) -> None:
    with listening() as port, command(str(site), "-b", "127.0.0.1", "-p", str(port)) as child:
        status, output, errors = child.finish()
    assert (status, output) == (1, "")
    assert errors.startswith(f"httpuv: 127.0.0.1 port {port} is taken by another program")
    assert len(errors.splitlines()) == 1


def test_command_without_standard_input(site: Path) -> None:
    """A service manager or ``<&-`` gives none; sys.stdin is None then."""
    code = """
    import os, sys
    os.close(0)
    os.execv(sys.executable, [sys.executable, "-m", "httpuv", *sys.argv[1:]])
    """
    with Script(code, str(site), "--port", "0") as child:
        assert child.error_line().startswith("Serving ")
