"""Certificates for tests, made with the openssl command, and clients that speak TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpuv
from support import PATIENCE, Wire, address, other_programs


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in files."""

    cert: Path
    key: Path

    def tls(self, **options: object) -> httpuv.TLS:
        return httpuv.TLS(self.cert, self.key, **options)


def openssl(*arguments: object, stdin: bytes = b"", check: bool = True) -> bytes:
    """Run the openssl command; its standard output and error."""
    command = [shutil.which("openssl") or "openssl", *map(str, arguments)]
    done = subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        env=other_programs(),
    )
    assert not check or done.returncode == 0, done.stdout.decode()
    return done.stdout


class Authority:
    """A certificate authority of the tests."""

    def __init__(self, folder: Path, name: str = "tests") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.pair = Pair(folder / f"ca-{name}.pem", folder / f"ca-{name}.key")
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", 2, "-subj", f"/CN=authority {name}"),
            *("-addext", "basicConstraints=critical,CA:TRUE"),
            *("-keyout", self.pair.key, "-out", self.pair.cert),
        )

    def issue(self, name: str, *hosts: str, subject: str | None = None, days: int = 1) -> Pair:
        """A certificate for hosts (or a client), as files of that name."""
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-subj", subject or f"/CN={name}", "-keyout", pair.key, "-out", request),
        )
        extensions = self.folder / f"{name}.ext"
        names = ",".join(
            f"IP:{each}" if each.replace(".", "").isdigit() else f"DNS:{each}" for each in hosts
        )
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE")
        openssl(
            *("x509", "-req", "-in", request, "-days", days, "-extfile", extensions),
            *("-CA", self.pair.cert, "-CAkey", self.pair.key, "-CAcreateserial"),
            *("-out", pair.cert),
        )
        return pair


class TlsWire(Wire):
    """A Wire with TLS on it. A server that ends without close_notify is an SSLError."""

    def __init__(
        self,
        where: tuple[str, int] | str,
        context: ssl.SSLContext,
        host: str | None = "localhost",
        session: ssl.SSLSession | None = None,
        timeout: float = PATIENCE,
    ) -> None:
        super().__init__(where, timeout)
        self.raw = self.socket
        # Some builds of Python take any end for a clean one by default.
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        try:
            self.socket = context.wrap_socket(
                self.raw, server_hostname=host, session=session, suppress_ragged_eofs=False
            )
        except BaseException:
            self.raw.close()
            raise

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket


def subject_of(server: httpuv.WebServer, context: ssl.SSLContext, host: str | None) -> str:
    """The common name of the certificate that the server presents to a client of that host."""
    with TlsWire(address(server), context, host) as wire:
        found = wire.tls.getpeercert()
    assert found
    return dict(each[0] for each in found["subject"])["commonName"]


def plain(server: httpuv.WebServer) -> socket.socket:
    """A connection without TLS."""
    return socket.create_connection(address(server), PATIENCE)
