"""Options: one description; the command line before the environment before the file."""

import dataclasses
import json
from pathlib import Path

import pytest
from httpuv import Limits
from httpuv.cli.console import Mistake
from httpuv.cli.options import envfile
from httpuv.cli.options.settings import GROUPS, OPTIONS, Settings
from httpuv.cli.options.sources import gather


def test_order_of_sources(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.httpuv]\napp = "a:b"\nport = 1\nhost = "::1"\nroot_path = "/x"\n'
    )
    settings = gather({"port": "3"}, {"HTTPUV_PORT": "2", "HTTPUV_HOST": "::"}, tmp_path)
    assert (settings.app, settings.port, settings.host) == ("a:b", 3, "::")
    assert settings.root_path == "/x"
    (tmp_path / "httpuv.toml").write_text('port = 9\napp = "c:d"\n')  # and the other no more
    settings = gather({}, {"HTTPUV_HOST": ""}, tmp_path)
    assert (settings.app, settings.port, settings.host) == ("c:d", 9, "127.0.0.1")
    assert settings.root_path == ""


def test_others_projects_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["httpuv"]\n')
    assert gather({"app": "a:b"}, {}, tmp_path) == Settings("a:b")


def test_several_values(tmp_path: Path) -> None:
    two = ("/a=b", "/c=d")
    assert gather({"app": "a:b", "static": two}, {}, tmp_path).static == two
    assert gather({"app": "a:b"}, {"HTTPUV_STATIC": "/a=b, /c=d"}, tmp_path).static == two
    (tmp_path / "httpuv.toml").write_text('static = {"/a" = "b", "/c" = "d"}\n')
    assert gather({"app": "a:b"}, {}, tmp_path).static == two


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("Yes", True), ("off", False), ("false", False)]
)
def test_yes_and_no(tmp_path: Path, word: str, value: bool) -> None:
    environ = {"HTTPUV_ACCESS_LOG": word}
    assert gather({"app": "a:b"}, environ, tmp_path).access_log is value


def test_every_limit_is_an_option(tmp_path: Path) -> None:
    names = {each.name for each in dataclasses.fields(Limits)}
    assert names <= {each.name for each in OPTIONS}
    environ = {f"HTTPUV_{name.upper()}": "7" for name in names}
    assert Limits(**gather({"app": "a:b"}, environ, tmp_path).limits) == Limits(
        **dict.fromkeys(names, 7)
    )


def test_every_option_is_described() -> None:
    names = [each.name for each in OPTIONS]
    assert len(set(names)) == len(names)
    for each in OPTIONS:
        assert each.help and each.group in GROUPS, each.name
        assert each.variable == "HTTPUV_" + each.name.upper()


def test_settings_travel_as_json() -> None:
    settings = Settings("a:b", static=["/a=b"], limits={"idle_timeout": 1.5})
    assert Settings(**json.loads(json.dumps(settings.as_dict()))) == settings


def test_env_file() -> None:
    text = "\n# c\nA=1\nexport B = 'x # y' \nC=\"\"\nD=a=b\n"
    assert envfile.parse(text, "f") == {"A": "1", "B": "x # y", "C": "", "D": "a=b"}
    for wrong in ("A", "1A=2", "A='x", "=1"):
        with pytest.raises(Mistake, match="f, line 2"):
            envfile.parse("# c\n" + wrong, "f")
