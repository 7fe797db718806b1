"""HTTPS in the command: its options, and SIGHUP, which reads the files again."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from types import FrameType

from ..options.tls import TLS
from .console import Mistake, complain, say
from .options.settings import Settings
from .shared import tickets

#: The names of the versions in the options.
_VERSIONS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


def tls_of(
    cert: str | None,
    key: str | None = None,
    password: str | None = None,
    ca: str | None = None,
    verify: str | None = None,
    minimum: str = "1.2",
    ciphers: str | None = None,
) -> TLS | None:
    """The TLS of the ``--tls-...`` options; None: plain HTTP.

    Raises:
        Mistake: A file or an option is wrong.
    """
    if cert is None:
        for name, value in (("key", key), ("key-password", password), ("ca", ca)):
            if value is not None:
                raise Mistake(f"--tls-{name} needs --tls-cert, the certificate")
        return None
    if verify is None:
        verify = "none" if ca is None else "required"
    if verify != "none" and ca is None:
        raise Mistake(f"--tls-verify {verify} needs --tls-ca, the issuers of clients' certificates")
    try:
        return TLS(cert, key, password, ca, verify, _VERSIONS[minimum], ciphers)
    except OSError as error:
        options = {"--tls-cert": cert, "--tls-key": key, "--tls-ca": ca}
        which = [each for each, path in options.items() if path is not None]
        named = [each for each in which if os.path.abspath(options[each] or "") == error.filename]
        option = (named or which)[0]
        raise Mistake(f"{option}: {error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, RuntimeError) as error:
        hint = "; see --tls-key-password" if "encrypted" in str(error) else ""
        raise Mistake(f"TLS: {error}{hint}") from None


def of_settings(settings: Settings) -> TLS | None:
    """The same for the options of ``httpuv run``."""
    tls = tls_of(
        settings.tls_cert,
        settings.tls_key,
        settings.tls_key_password,
        settings.tls_ca,
        settings.tls_verify,
        settings.tls_min_version,
        settings.tls_ciphers,
    )
    if tls is not None and settings.ticket_keys:
        take_ticket_keys(tls, settings.ticket_keys)
    return tls


def take_ticket_keys(tls: TLS, keys: str) -> None:
    """Seal session tickets with the keys that all workers share."""
    tls._core.take_ticket_keys(tickets.read(keys))


def reload_on_hangup(tls: TLS | Mapping[str, TLS]) -> None:
    """Let SIGHUP read the files again; an error is reported, and the old certificate stays."""

    def reload(number: int, frame: FrameType | None) -> None:
        try:
            for each in (tls,) if isinstance(tls, TLS) else tls.values():
                each.reload()
        except (OSError, ValueError) as error:
            complain(f"the certificate before stays in use: {error}")
        else:
            say("The certificate was read again.")

    signal.signal(signal.SIGHUP, reload)
