"""What ``import httpuv`` shows and loads."""

import subprocess
import sys

import httpuv
import pytest


def fresh(program: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_completion_shows_public_names_only() -> None:
    names = sorted([*httpuv.__all__, "asgi", "brokers", "testing", "wsgi"])
    assert dir(httpuv) == names
    # However much of the package is imported by then.
    assert fresh("import httpuv.cli, httpuv.demo, httpuv.asgi; print(dir(httpuv))") == f"{names}\n"


@pytest.mark.parametrize("package", ["asgi", "wsgi"])
def test_packages_are_imported_at_their_first_use(package: str) -> None:
    program = f"""
import sys
import httpuv
print("httpuv.{package}" in sys.modules, httpuv.{package}.run.__name__)
"""
    assert fresh(program) == "False run\n"


def test_other_names_are_unknown() -> None:
    with pytest.raises(AttributeError, match="module 'httpuv' has no attribute 'startserver'"):
        httpuv.startserver  # noqa: B018
