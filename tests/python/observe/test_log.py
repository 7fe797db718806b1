"""logLevel."""

import logging

import httpuv
import pytest

LOGGER = logging.getLogger("httpuv")


@pytest.fixture(autouse=True)
def _restore():
    level = LOGGER.level
    yield
    LOGGER.setLevel(level)


def test_levels() -> None:
    LOGGER.setLevel(logging.NOTSET)
    old = httpuv.logLevel()
    assert old == "WARN"  # the root logger's
    for name, level in [
        ("OFF", 60),
        ("ERROR", logging.ERROR),
        ("WARN", logging.WARNING),
        ("INFO", logging.INFO),
        ("DEBUG", logging.DEBUG),
    ]:
        assert httpuv.logLevel(name) == old
        assert LOGGER.level == level
        assert httpuv.logLevel() == name
        old = name


def test_levels_of_logging() -> None:
    for level, name in [(5, "DEBUG"), (25, "INFO"), (logging.CRITICAL, "ERROR"), (99, "OFF")]:
        LOGGER.setLevel(level)
        assert httpuv.logLevel() == name


@pytest.mark.parametrize("level", ["error", "LOUD", ""])
def test_no_level(level: str) -> None:
    with pytest.raises(ValueError, match="level must be one of OFF, ERROR"):
        httpuv.logLevel(level)


def test_no_string() -> None:
    with pytest.raises(TypeError, match="level must be str"):
        httpuv.logLevel(10)
