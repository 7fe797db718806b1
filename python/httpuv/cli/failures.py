"""Why a server could not be started, in the words of the command."""

from __future__ import annotations

import errno
import os
import re
import socket

from .console import Mistake
from .options.settings import Settings

#: Options of the command by the names that the package has for them.
_FLAGS = {
    "accessLog": "--log-format",
    "allowedHosts": "--allowed-host",
    "forwardedAllowIps": "--forwarded-allow-ips",
    "proxyProtocol": "--proxy-protocol",
    "staticPaths": "--static",
    "tls": "--tls-cert",
}

#: Bytes of the path of a Unix socket, without its end: sockaddr_un.sun_path.
_LONGEST_PATH = 107


def not_started(error: OSError | TypeError | ValueError, settings: Settings) -> Mistake:
    """The message for a server that could not be started."""
    if not isinstance(error, OSError):
        return Mistake(_in_flags(str(error)) or f"{settings.app}: {error}")
    file = settings.access_log_file
    if settings.access_log and file is not None and error.filename == os.path.abspath(file):
        return Mistake(f"--access-log-file: {file} cannot be written: {error.strerror}")
    return not_listening(error, settings.host, settings.port, settings.uds)


def _in_flags(text: str) -> str | None:
    """A message that begins with the name of an option; None: it begins otherwise."""
    name = re.match(r"\w*", text)
    flag = _FLAGS.get(name[0]) if name else None
    return None if flag is None or name is None else flag + text[name.end() :]


def not_listening(error: OSError, host: str, port: int | str, uds: str | None = None) -> Mistake:
    """The message for an address that cannot be listened on."""
    if uds is not None:
        return Mistake(_of_unix_socket(error, uds))
    where = f"{host} port {port}"
    if error.errno == errno.EADDRINUSE:
        return Mistake(
            f"{where} is taken by another program: choose another with --port, or --port 0 for a"
            " free one"
        )
    if error.errno == errno.EACCES:
        return Mistake(
            f"{where} may not be listened on (ports below 1024 are the system's): choose another"
        )
    # The core reports what getaddrinfo() says as a negative number.
    unknown = isinstance(error, socket.gaierror) or (error.errno or 0) < 0
    if error.errno == errno.EADDRNOTAVAIL or unknown:
        return Mistake(f"{where} is no address of this machine: choose another with --host")
    return Mistake(f"{where} cannot be listened on: {error.strerror or error}")


def _of_unix_socket(error: OSError, path: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{path} is taken by another program: choose another with --uds"
    if error.errno == errno.ENOTSOCK:
        return f"{path} exists and is no socket: remove it, or choose another with --uds"
    if error.errno == errno.EACCES:
        return f"{path} may not be listened on (its directory): choose another"
    long = len(os.fsencode(os.path.abspath(path)))
    if long > _LONGEST_PATH:
        return (
            f"{path} is too long for a Unix socket: {long} bytes with its directory, at most"
            f" {_LONGEST_PATH} are possible: choose another with --uds"
        )
    return f"{path} cannot be listened on: {error.strerror or error}"
