"""`httpuv run`: what it serves, where, and with which options."""

import os
import socket
import stat
from pathlib import Path

import httpuv
import httpx
import pytest
from cli_load import address_of
from cli_support import apps, command, started
from support import Script, fetch, request

assert apps  # a fixture


def get(child: Script, path: str = "") -> httpx.Response:
    return httpx.get(started(child) + path, timeout=60)


@pytest.mark.parametrize(
    ("name", "options", "said", "body"),
    [
        ("asgi", [], "(ASGI)", "asgi"),
        ("factory", [], "(ASGI)", "asgi"),
        ("factory", ["--interface", "asgi-factory"], "(ASGI)", "asgi"),
        ("wsgi", [], "(WSGI)", "wsgi"),
        ("wsgi", ["--threads", "3"], "(WSGI)", "wsgi"),
        ("rook", [], "(Rook)", "rook"),
        ("rook", ["--interface", "rook"], "(Rook)", "rook"),
    ],
)
def test_interfaces(apps: Path, name: str, options: list[str], said: str, body: str) -> None:
    with command(apps, f"apps:{name}", "--port", "0", *options) as child:
        first = child.error_line()
        assert f"apps:{name}" in first and said in first
        assert httpuv.__version__ in first and "\x1b" not in first
        response = get(child)
        assert response.status_code == 200
        assert response.text.split() == [body, str(child.pid)]


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_root_path(apps: Path, name: str) -> None:
    with command(apps, f"apps:{name}", "--port", "0", "--root-path", "/api") as child:
        assert get(child).text == f"{name} {child.pid} /api"


def test_threads(apps: Path) -> None:
    with command(apps, "apps:two_at_once", "--port=0", "--threads=2") as child:
        url = started(child)
        with httpx.Client() as one, httpx.Client() as other:
            import concurrent.futures

            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(lambda each: each.get(url, timeout=60).text, [one, other]))
    assert answers == ["both", "both"]


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_unix_socket(apps: Path, name: str) -> None:
    path = str(apps / "socket")
    with command(apps, f"apps:{name}", "--uds", "socket") as child:
        assert started(child) == f"unix:{path}"
        assert fetch(path, request()).body.startswith(name.encode())
        child.process.terminate()
        assert child.finish()[0] == 0
    assert not Path(path).exists()


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_options_without_effect_are_named(apps: Path, workers: tuple[str, ...]) -> None:
    options = ("--threads", "4", "--lifespan", "on")
    with command(apps, "apps:asgi", "--port", "0", *options, *workers) as child:
        assert child.error_line().endswith("runs apps:asgi (ASGI)")
        assert child.error_line() == "httpuv: --threads has no effect: the application speaks ASGI"
        assert child.error_line().startswith("at ")
        child.process.terminate()
        assert child.finish()[0] == 0


def test_ipv6_address_as_in_a_url(apps: Path) -> None:
    with command(apps, "apps:asgi", "--host", "[::1]", "--port", "0") as child:
        assert httpx.get(started(child), timeout=60).text.startswith("asgi")


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
@pytest.mark.parametrize(("mode", "permissions"), [("0660", 0o660), ("606", 0o606), (None, 0o700)])
def test_permissions_of_the_unix_socket(
    apps: Path, workers: tuple[str, ...], mode: str | None, permissions: int
) -> None:
    given = () if mode is None else ("--uds-mode", mode)
    admin = ("--admin", str(apps / "admin"))
    before = os.umask(0o077)
    try:
        with command(apps, "apps:asgi", "--uds", "socket", *given, *admin, *workers) as child:
            path = started(child).removeprefix("unix:")
            assert stat.S_IMODE(os.stat(path).st_mode) == permissions
            assert stat.S_IMODE(os.stat(apps / "admin").st_mode) == 0o700
            child.process.terminate()
            assert child.finish()[0] == 0
    finally:
        os.umask(before)
    assert not Path(path).exists()


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_static(apps: Path, name: str) -> None:
    (apps / "site").mkdir()
    (apps / "site" / "page.txt").write_text("page")
    arguments = [f"apps:{name}", "--port", "0", "--static", "/files=site", "--static", "/f=site"]
    with command(apps, *arguments) as child:
        url = started(child)
        assert httpx.get(url + "files/page.txt").text == "page"
        assert httpx.get(url + "f/page.txt").text == "page"
        assert httpx.get(url).text.startswith(name)


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_limits_and_access_log(apps: Path, name: str) -> None:
    arguments = [f"apps:{name}", "--port", "0", "--access-log", "--max-body-bytes", "10"]
    with command(apps, *arguments) as child:
        url = started(child)
        assert httpx.post(url, content=b"x" * 10).status_code == 200
        assert httpx.post(url, content=b"x" * 11).status_code == 413
        assert '"POST / HTTP/1.1" 200' in child.error_line()


def test_app_dir_and_env_file(apps: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "my.env").write_text("# comment\nexport OF_FILE='a b'\nKEPT=no\n")
    arguments = ["apps:environment", "--port=0", "--app-dir", str(apps), "--env-file", "my.env"]
    with command(elsewhere, *arguments, KEPT="yes") as child:
        assert get(child).text == "a b"


def test_environment_and_file(apps: Path) -> None:
    (apps / "httpuv.toml").write_text('app = "apps:rook"\nport = 1\nroot-path = "/api"\n')
    with command(apps, HTTPUV_PORT="0", HTTPUV_APP="apps:wsgi") as child:
        assert get(child).text == f"wsgi {child.pid} /api"
    with command(apps, "apps:asgi", HTTPUV_PORT="0", HTTPUV_APP="apps:wsgi") as child:
        assert get(child).text == f"asgi {child.pid} /api"


def test_version_and_overview(apps: Path) -> None:
    code = "import sys, httpuv.cli; sys.exit(httpuv.cli.main())"
    for arguments in (["--version"], ["serve", "--version"]):
        with Script(code, *arguments) as child:
            assert child.finish() == (0, f"httpuv {httpuv.__version__}\n", "")
    with Script(code) as child:
        status, output, errors = child.finish()
        assert (status, errors) == (0, "") and "httpuv run" in output.replace("  ", " httpuv ")


def test_serve_is_a_command(apps: Path) -> None:
    with Script("", "serve", str(apps), "--port", "0", module="httpuv") as child:
        assert httpx.get(started(child) + "apps.py").status_code == 200


def test_import_needs_nothing_of_the_command() -> None:
    code = """
        import sys, httpuv
        assert not {"click", "watchfiles", "tomllib", "tomli", "httpuv.cli"} & set(sys.modules)
        sys.modules["click"] = None
        import httpuv.cli
        sys.exit(httpuv.cli.main(["run", "a:b"]))
    """
    with Script(code) as child:
        status, output, errors = child.finish()
    assert (status, output) == (2, "")
    assert errors == "httpuv: 'httpuv run' needs click: pip install 'httpuv[cli]'\n"


def test_serve_needs_no_click(apps: Path) -> None:
    code = """
        import sys
        sys.modules["click"] = None
        import httpuv.cli
        sys.exit(httpuv.cli.main(["serve", sys.argv[1], "--port", "0"]))
    """
    with Script(code, str(apps)) as child:
        assert httpx.get(started(child) + "apps.py").status_code == 200


def test_help_is_in_groups_that_fit_a_screen() -> None:
    with Script("", "run", "--help", module="httpuv", env={"COLUMNS": "80"}) as child:
        status, output, errors = child.finish()
    assert (status, errors) == (0, "")
    groups = output.split("\n\n")
    assert [each for each in groups if each.startswith("Limits of HTTP")]
    for option in ("--max-body-bytes BYTES", "--ws-ping-interval SECONDS", "--no-access-log"):
        assert option in output
    for each in groups:
        assert len(each.splitlines()) <= 24, each


def test_hosts(apps: Path) -> None:
    with command(apps, "apps:asgi", "--port=0", HTTPUV_ALLOWED_HOST="a.example, *.b.example") as it:
        where = address_of(started(it))
        for host, status in [("a.example", 200), ("c.b.example", 200), ("c.example", 403)]:
            assert fetch(where, request(host=host)).status == status


def test_ipv6(apps: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with command(apps, "apps:rook", "--host", "::1", "--port", "0") as child:
        url = started(child)
        assert url.startswith("http://[::1]:")
        assert httpx.get(url).status_code == 200
