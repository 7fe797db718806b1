"""randomPort and ipFamily."""

import contextlib
import errno
import shutil
import socket
import subprocess

import httpuv
import pytest
from httpuv.servers.ports import UNSAFE_PORTS
from support import listening, other_programs


@pytest.mark.parametrize(
    ("ip", "family"),
    [
        ("127.0.0.1", 4),
        ("0.0.0.0", 4),
        ("255.255.255.255", 4),
        ("500.0.0.500", -1),
        ("1.2.3", -1),
        ("1.2.3.4.5", -1),
        ("01.2.3.4", -1),
        ("::", 6),
        ("::1", 6),
        ("fe80::1ff:fe23:4567:890a", 6),
        ("fe80::1%eth0", 6),
        ("::ffff:1.2.3.4", 6),
        ("2001:db8:::1", -1),
        ("[::1]", -1),
        ("::/0", -1),
        ("localhost", -1),
        ("", -1),
        (" 127.0.0.1", -1),
        ("127.0.0.1\n", -1),
    ],
)
def test_ip_family(ip: str, family: int) -> None:
    assert httpuv.ipFamily(ip) == family


@pytest.mark.parametrize("ip", [None, 4, b"127.0.0.1"])
def test_ip_family_of_no_string(ip: object) -> None:
    with pytest.raises(TypeError, match="ip must be str"):
        httpuv.ipFamily(ip)


def test_random_port_is_free() -> None:
    taken = 0
    for _ in range(10):
        port = httpuv.randomPort()
        assert 1024 <= port <= 49151
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken += 1  # in the meantime, by another program
    assert taken < 5


def test_random_port_range() -> None:
    for _ in range(50):
        assert 20000 <= httpuv.randomPort(20000, 20100.0, "127.0.0.1", n=100) <= 20100


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "::", "::/0", "localhost"])
def test_random_port_of_other_hosts(host: str) -> None:
    assert httpuv.randomPort(host=host) >= 1024


def test_never_an_unsafe_port() -> None:
    # Of 6665 to 6670 only the last one is safe.
    with contextlib.suppress(httpuv.NoFreePortError):  # another socket has it
        assert httpuv.randomPort(6665, 6670) == 6670


def test_unsafe_ports_are_the_browsers() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    script = """
      (async () => {
        const nowhere = {dispatch() { throw new Error("not blocked"); }};
        for (let port = 1; port < 12000; ++port) {
          try { await fetch(`http://127.0.0.1:${port}/`, {dispatcher: nowhere}); }
          catch (e) { if (e.cause?.message === "bad port") console.log(port); }
        }
      })();
    """
    output = subprocess.run(
        ["node", "-e", script],
        capture_output=True,
        text=True,
        check=True,
        env=other_programs(),
    ).stdout
    refused = {int(port) for port in output.split()}
    assert 6000 in refused
    assert refused <= UNSAFE_PORTS


def test_no_free_port() -> None:
    with listening() as port, pytest.raises(httpuv.NoFreePortError) as caught:
        httpuv.randomPort(port, port)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.EADDRINUSE
    assert str(port) in str(caught.value)


def test_only_unsafe_ports() -> None:
    with pytest.raises(httpuv.NoFreePortError):
        httpuv.randomPort(6665, 6669)


def test_foreign_host() -> None:
    with pytest.raises(OSError) as caught:
        httpuv.randomPort(host="192.0.2.1")
    assert caught.value.errno == errno.EADDRNOTAVAIL
    with pytest.raises(OSError):
        httpuv.randomPort(host="no such host.invalid")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"min": 0}, ValueError, "min must be from 1 to 65535, not 0"),
        ({"max": 65536}, ValueError, "max must be"),
        ({"min": 3000, "max": 2000}, ValueError, "3000 > 2000"),
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"min": "1"}, TypeError, "min must be a whole number, not '1'"),
        ({"min": 1.5}, TypeError, "min must be a whole number"),
        ({"min": True}, TypeError, "min must be a whole number"),
        ({"host": None}, TypeError, "host must be str"),
    ],
)
def test_wrong_arguments(arguments: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        httpuv.randomPort(**arguments)
