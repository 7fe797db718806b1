"""TLS: the certificates of a server, and the verification of clients.

The core uses the OpenSSL that Python's :mod:`ssl` has loaded, and calls its public functions on the
I/O thread. Importing this module does not import ssl; the first :class:`TLS` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from .. import _core
from ..base.checks import check_utf8, described, strings_of
from ..base.names import checked_class

_VERIFY = ("none", "optional", "required")
_VERSIONS = ("TLSv1.2", "TLSv1.3")
#: A name as clients send it (RFC 6066 section 3), without a dot at its end.
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@checked_class
class TLS:
    """A certificate with its key and settings, for ``startServer(..., tls=TLS(...))``.

    The files are read now, and again when they have changed. While connections come, a server
    checks every two seconds, and new connections get the renewed certificate. A new file that
    cannot be used is logged as an error, and the old certificate stays in use. Open connections do
    not change.

    Sessions are resumed by tickets; the server replaces the ticket keys every hour. There are no
    tickets if one address has several certificates and one of them verifies clients. Renegotiation
    and compression are off.

    Args:
        certfile: The path of the certificate in PEM form, followed by the issuers' certificates.
        keyfile: The path of the private key in PEM form; None: the key is in ``certfile``.
        password: The password of the key, if it is encrypted.
        ca_certs: The path of a PEM file with the certificates of the issuers of client
            certificates.
        verify: Whether a client must show a certificate of ``ca_certs``: ``"none"`` (no request for
            one), ``"optional"`` or ``"required"``. An invalid certificate ends the handshake. The
            client's certificate is in the environment (``SSL_CLIENT_VERIFY``, ``SSL_CLIENT_S_DN``,
            ...) and in the ``tls`` extension of ASGI.
        minimum_version: ``"TLSv1.2"`` or ``"TLSv1.3"``.
        ciphers: Names of ciphers as in OpenSSL's ciphers(1), also for TLS 1.3
            (``TLS_AES_128_GCM_SHA256``). None: for TLS 1.2 the ciphers with forward secrecy and
            authenticated encryption, for TLS 1.3 OpenSSL's default.
        alpn: The protocols to negotiate (RFC 7301). Empty: no negotiation.

    Raises:
        OSError: A file cannot be read; ``filename`` names it.
        ValueError: A file is no certificate or key, key and certificate do not match, or the
            password or another argument is wrong; the message says which.
        TypeError: An argument has a wrong type.
        RuntimeError: This Python has no OpenSSL that the server could use.
    """

    def __init__(
        self,
        certfile: str | os.PathLike[str],
        keyfile: str | os.PathLike[str] | None = None,
        password: str | bytes | None = None,
        ca_certs: str | os.PathLike[str] | None = None,
        verify: str = "none",
        minimum_version: str = "TLSv1.2",
        ciphers: str | None = None,
        alpn: Sequence[str] = ("http/1.1",),
    ) -> None:
        certificate = _path("certfile", certfile)
        key = certificate if keyfile is None else _path("keyfile", keyfile)
        if not isinstance(password, (str, bytes, type(None))):
            raise TypeError(f"password must be str, bytes or None, not {type(password).__name__}")
        if verify not in _VERIFY:
            raise ValueError(f"verify must be one of {', '.join(_VERIFY)}, not {verify!r}")
        if (verify != "none") != (ca_certs is not None):
            raise ValueError(
                f"verify={verify!r} needs ca_certs, the issuers of clients' certificates"
                if ca_certs is None
                else "ca_certs is of no use without verify='optional' or verify='required'"
            )
        if minimum_version not in _VERSIONS:
            raise ValueError(
                f"minimum_version must be one of {', '.join(_VERSIONS)}, not {minimum_version!r}"
            )
        if not isinstance(ciphers, (str, type(None))):
            raise TypeError(f"ciphers must be str or None, not {type(ciphers).__name__}")
        check_utf8("ciphers", ciphers or "")
        if isinstance(password, str):
            check_utf8("password", password)
        names = [each for each in (ciphers or "").split(":") if each]
        protocols = strings_of(alpn)
        if protocols is None:
            raise TypeError(f"alpn must be a list of str, not {described(alpn)}")
        for each in protocols:
            if not each.isascii() or not 0 < len(each) < 256:
                raise ValueError(f"alpn: {each!r} is no name of a protocol")
        self._certfile = certificate
        self._minimum_version = minimum_version
        _find_openssl()
        self._core = _core.Certificate(
            {
                "certfile": certificate,
                "keyfile": key,
                "password": password,
                "ca_certs": "" if ca_certs is None else _path("ca_certs", ca_certs),
                "verify": verify,
                "only_tls13": minimum_version == "TLSv1.3",
                "ciphers": ":".join(each for each in names if not each.startswith("TLS_")),
                "ciphersuites": ":".join(each for each in names if each.startswith("TLS_")),
                "alpn": protocols,
            }
        )

    def reload(self) -> None:
        """Read the files again now; new connections get the new certificate.

        Raises:
            OSError, ValueError: As for :class:`TLS`. The old certificate stays in use.
        """
        self._core.reload()

    def __repr__(self) -> str:
        return f"TLS({self._certfile!r})"


def check_tls(name: str, value: object) -> None:
    """Raise TypeError or ValueError for a wrong ``tls``."""
    _entries(name, value)


def certificates(value: TLS | Mapping[str, TLS] | None) -> list[tuple[str, _core.Certificate]]:
    """``tls`` in the core's types: host and certificate, ``"*"`` for all other hosts."""
    return [(host, each._core) for host, each in _entries("tls", value)]


def _entries(name: str, value: object) -> list[tuple[str, TLS]]:
    if value is None:
        return []
    if isinstance(value, TLS):
        return [("*", value)]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be TLS, a dict from hosts to TLS, or None, not {value!r}")
    entries = []
    for host, each in value.items():
        if not isinstance(host, str) or not isinstance(each, TLS):
            raise TypeError(f"{name} must map hosts to TLS, not {host!r} to {described(each)}")
        lower = host.lower().removesuffix(".")
        if lower != "*" and not _HOST.fullmatch(lower):
            raise ValueError(f"{name}: {host!r} is no name of a host, nor like '*.example.com'")
        entries.append((lower, each))
    if not entries:
        raise ValueError(f"{name} must not be empty: None is plain HTTP")
    if len({each._minimum_version for _, each in entries}) > 1:
        # OpenSSL negotiates the version before it looks at the client's host.
        raise ValueError(f"{name}: minimum_version must be the same for all hosts")
    return entries


def _path(name: str, value: object) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, not {described(value)}")
    path = os.fspath(value)
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a path in str, not {path!r}")
    if not path or "\0" in path:
        raise ValueError(f"{name} must be the path of a file, not {path!r}")
    return check_utf8(name, os.path.abspath(path))  # the program may change its working directory


def _find_openssl() -> None:
    """Load ssl, and let the core find the OpenSSL that ssl has loaded."""
    try:
        import _ssl
        import ssl
    except ImportError as error:
        raise RuntimeError(
            f"TLS needs Python's ssl module, which this Python lacks ({error})"
        ) from None
    why = _core.find_openssl(getattr(_ssl, "__file__", "") or "", ssl.OPENSSL_VERSION_NUMBER)
    if why:
        raise RuntimeError(
            f"TLS cannot use the OpenSSL of this Python's ssl module: {why};"
            " use a Python that is linked with OpenSSL's shared library, or a proxy in front"
        )
