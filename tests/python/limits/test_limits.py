"""The Limits object by itself; test_limits_on_the_wire.py sees it at work."""

import dataclasses
import math

import httpuv
import pytest


def test_defaults() -> None:
    limits = httpuv.Limits()
    assert limits.max_head_bytes == 96 * 1024
    assert limits.max_header_count == 128
    assert limits.max_body_bytes == 1 << 30
    assert limits.body_memory_bytes == 64 * 1024
    assert limits.header_timeout == 20
    assert limits.body_timeout == 30
    assert limits.idle_timeout == 75
    assert limits.write_timeout == 60
    assert limits.max_connections == 10_000
    assert limits.queue_requests == 10_000
    assert limits.queue_bytes == 8 << 30
    assert limits.memory_bytes == 512 << 20
    assert limits.disk_bytes is None
    for name, value in limits.as_dict().items():
        assert name == "disk_bytes" or math.isfinite(value)  # that one hangs on the disk


def test_is_a_value() -> None:
    assert httpuv.Limits() == httpuv.Limits()
    assert hash(httpuv.Limits()) == hash(httpuv.Limits())
    assert dataclasses.replace(httpuv.Limits(), idle_timeout=5).idle_timeout == 5.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        httpuv.Limits().idle_timeout = 1


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(httpuv.Limits)])
def test_each_is_checked(name: str) -> None:
    for wrong in ("1", None, True, [1]):
        if name == "disk_bytes" and wrong is None:
            continue
        with pytest.raises(TypeError, match=name):
            httpuv.Limits(**{name: wrong})
    for wrong in (-1, 2.0**80):
        with pytest.raises(ValueError, match=name):
            httpuv.Limits(**{name: wrong})
    if name.endswith("timeout"):
        for wrong in (0, math.inf, math.nan):
            with pytest.raises(ValueError, match=name):
                httpuv.Limits(**{name: wrong})


def test_whole_floats_count() -> None:
    assert httpuv.Limits(max_body_bytes=1e6).max_body_bytes == 1_000_000
    assert isinstance(httpuv.Limits(max_body_bytes=1e6).max_body_bytes, int)
    assert httpuv.Limits(idle_timeout=5).idle_timeout == 5.0


def test_server_wants_limits() -> None:
    with pytest.raises(TypeError, match="limits must be Limits"):
        httpuv.startServer("127.0.0.1", 0, {}, limits={"max_head_bytes": 1})
