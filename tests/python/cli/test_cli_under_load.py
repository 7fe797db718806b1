"""What an operator does to `httpuv run` while clients ask: nothing is lost.

``make test-load`` runs these in full: 100,000 requests, and what is measured.
"""

import os
import shutil
import signal
import ssl
from pathlib import Path

import pytest
from cli_load import LONG, Load, address_of, percentile, requests, until
from cli_support import apps, children, command, started
from support import Script
from tls_support import Authority, Pair, TlsWire

assert apps  # a fixture


@pytest.mark.parametrize("name", ["asgi", "wsgi", "rook"])
def test_reload(apps: Path, name: str) -> None:
    """SIGHUP again and again: every request is answered, on kept connections and on new ones."""
    total = requests(100_000)
    with command(apps, f"apps:{name}", "--port=0", "--workers=2", "--graceful-timeout=60") as child:
        load = Load(address_of(started(child)))
        with load.running():
            while load.answered < total and not load.failures:
                old = children(child)
                os.kill(child.pid, signal.SIGHUP)
                load.more(total // 10)
                until(lambda old=old: len(children(child)) == 2 and not children(child) & old)
        assert load.failures == []
        child.process.terminate()
        assert child.finish()[0] == 0


def test_stop_under_load(apps: Path) -> None:
    """SIGTERM: what was accepted is answered; then nothing listens."""
    with command(apps, "apps:asgi", "--port=0", "--workers=2", "--graceful-timeout=60") as child:
        load = Load(address_of(started(child)))
        with load.running():
            load.more(requests(10_000))
            assert load.failures == []
            child.process.terminate()
            assert child.finish()[0] == 0
        # Only what came too late: the kernel's queue ends with the socket.
        late = ("new connection: ConnectionRefused", "new connection: ConnectionReset")
        assert [what for _, what in load.failures if not what.startswith(late)] == []


def test_killed_workers(apps: Path) -> None:
    """SIGKILL: nothing is lost but what that worker had."""
    kills = 4 if LONG else 2  # each is followed by a longer pause until the worker is started again
    with command(apps, "apps:asgi", "--port=0", "--workers=2") as child:
        load = Load(address_of(started(child)))
        with load.running() as clients:
            for _ in range(kills):
                load.more(requests(100_000) // kills, but_for=len(load.failures))
                before = len(load.failures)
                workers = {number: int(body.split()[1]) for number, body in load.bodies.items()}
                victim = min(children(child))
                os.kill(victim, signal.SIGKILL)
                until(
                    lambda victim=victim: (
                        victim not in children(child) and len(children(child)) == 2
                    )
                )
                load.more(200, but_for=before + 8)
                lost = load.failures[before:]
                # Each client had one connection, and those that keep it know to which worker.
                assert len({number for number, _ in lost}) == len(lost), lost
                assert all(
                    workers[number] == victim for number, what in lost if what.startswith("used")
                ), (victim, workers, lost)
            assert clients.answered > 0
        child.process.terminate()
        assert child.finish()[0] == 0


def test_certificates_renewed(
    apps: Path, authority: Authority, pair: Pair, client: ssl.SSLContext, tmp_path: Path
) -> None:
    """The files are replaced, and read when a worker sees it or at SIGHUP: nothing is lost."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def install(renewed: Pair) -> None:
        for source, target in ((renewed.key, key), (renewed.cert, cert)):
            shutil.copyfile(source, f"{target}.new")
            os.replace(f"{target}.new", target)

    def presented() -> str:
        with TlsWire(where, client) as wire:
            found = wire.tls.getpeercert()
        assert found
        return dict(each[0] for each in found["subject"])["commonName"]

    install(authority.issue("first", "localhost"))
    files = ("--tls-cert", str(cert), "--tls-key", str(key), "--graceful-timeout=60")
    with command(apps, "apps:wsgi", "--port=0", "--workers=2", *files) as child:
        where = address_of(started(child))
        load = Load(where, client)
        with load.running():
            for number in range(10 if LONG else 2):
                load.more(requests(50_000) // 10)
                install(authority.issue(f"renewed {number}", "localhost"))
                if number % 2:
                    old = children(child)
                    os.kill(child.pid, signal.SIGHUP)
                    until(lambda old=old: not children(child) & old)
                until(lambda n=number: {presented() for _ in range(8)} == {f"renewed {n}"})
        assert load.failures == []
        child.process.terminate()
        assert child.finish()[0] == 0


#: 200 clients that send their handshake byte by byte, and begin again when they are closed.
SLOW = """
import selectors, socket, sys, time

host, port, first = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
clients = {}
while True:
    while len(clients) < 200:
        opened = socket.create_connection((host, port))
        opened.setblocking(False)
        clients[opened] = 0
    for each, sent in list(clients.items()):
        try:
            if sent < len(first):
                clients[each] += each.send(first[sent:sent + 1])
            if each.recv(65536) == b"":
                raise OSError
        except BlockingIOError:
            pass
        except OSError:
            each.close()
            del clients[each]
    if "told" not in globals():
        told = True
        print("begun", flush=True)
    time.sleep(0.02)
"""


def client_hello(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    engine = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        engine.do_handshake()
    return outgoing.read()


@pytest.mark.skipif(not LONG, reason="measures times: make test-load")
def test_slow_handshakes_beside_a_fast_client(
    apps: Path, pair: Pair, client: ssl.SSLContext
) -> None:
    """Its p99 is at most 1.5 times what it is alone."""
    files = ("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with command(apps, "apps:rook", "--port=0", *files) as child:
        where = address_of(started(child))

        def p99() -> float:
            load = Load(where, client)
            with load.running(clients=1):
                load.more(10_000)
            assert load.failures == []
            return percentile(load.took, 0.99)

        p99()  # warms up
        alone = p99()
        arguments = (where[0], str(where[1]), client_hello(client).hex())
        with Script(SLOW, *arguments) as slow:
            assert slow.line() == "begun"
            beside = p99()
        print(f"p99 alone {alone * 1e6:.0f} us, beside 200 slow handshakes {beside * 1e6:.0f} us")
        assert beside <= 1.5 * alone
