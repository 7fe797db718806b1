"""The listening socket of the command: opened here, or inherited.

Workers inherit it, so that connections wait in the kernel while workers are replaced.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import socket
import stat
from collections.abc import MutableMapping

from ..options.observe import host_and_port
from ..servers.urls import local_url
from .console import MISUSED, Mistake
from .failures import not_listening
from .options.settings import Settings

#: The first descriptor that systemd passes (sd_listen_fds(3)).
_FIRST = 3
#: How many connections wait in the kernel.


def given_fd(settings: Settings, environ: MutableMapping[str, str]) -> int | None:
    """The descriptor of ``--fd`` or of systemd; None: there is none.

    systemd's variables are removed from the environment, because they are not for child processes.

    Raises:
        Mistake: It is no listening socket, or there are several.
    """
    fd, name = settings.fd, f"--fd {settings.fd}"
    if environ.get("LISTEN_PID") == str(os.getpid()) and fd is None:
        count = environ.get("LISTEN_FDS", "")
        if count != "1":
            raise Mistake(f"LISTEN_FDS={count}: one socket is served; choose it with --fd", MISUSED)
        fd, name = _FIRST, f"LISTEN_FDS: descriptor {_FIRST}"
    for each in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(each, None)
    if fd is None:
        return None
    try:
        with contextlib.closing(socket.socket(fileno=os.dup(fd))) as given:
            if given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return fd
    except OSError as error:
        raise Mistake(f"{name} is no socket: {error.strerror}", MISUSED) from None
    raise Mistake(f"{name} is no socket that listens", MISUSED)


def listen_for_admin(settings: Settings) -> Listening | None:
    """The listener of ``--admin``.

    Raises:
        Mistake: The address cannot be listened on.
    """
    if settings.admin is None:
        return None
    where = str(settings.admin)
    if "/" in where:
        return _listen_at("--admin", dataclasses.replace(settings, uds=where, uds_mode=None))
    host, port = host_and_port("--admin", where)
    return _listen_at("--admin", dataclasses.replace(settings, uds=None, host=host, port=port))


def listen_for_redirects(settings: Settings) -> Listening:
    """What ``--redirect-http`` asks for, without a host where ``--host`` is.

    Raises:
        Mistake: The address cannot be listened on.
    """
    where = settings.redirect_http or ""
    host, port = host_and_port("--redirect-http", where if ":" in where else f":{where}")
    if where.rpartition(":")[0] == "":
        host = settings.host
    return _listen_at(
        "--redirect-http", dataclasses.replace(settings, uds=None, host=host, port=port)
    )


def _listen_at(option: str, settings: Settings) -> Listening:
    try:
        return Listening(dataclasses.replace(settings, tls_cert=None), None)
    except Mistake as mistake:
        raise Mistake(f"{option}: {mistake}") from None


class Listening:
    """A listening socket that workers inherit.

    Args:
        settings: The settings with the address.
        fd: An open descriptor to use instead; it is not closed.

    Raises:
        Mistake: The address cannot be listened on.
    """

    def __init__(self, settings: Settings, fd: int | None) -> None:
        self._path: str | None = None
        self._identity: tuple[int, int] | None = None
        self._scheme = "http" if settings.tls_cert is None else "https"
        if fd is not None:
            self.socket = socket.socket(fileno=os.dup(fd))
        else:
            try:
                self.socket = self._open(settings)
            except OSError as error:
                raise not_listening(error, settings.host, settings.port, settings.uds) from None
        self.socket.setblocking(False)

    def _open(self, settings: Settings) -> socket.socket:
        if settings.uds is not None:
            return self._open_path(settings)
        host = "::" if settings.host == "::/0" else settings.host
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            opened.bind(address)
            opened.listen(settings.backlog)
        except BaseException:
            opened.close()
            raise
        return opened

    def _open_path(self, settings: Settings) -> socket.socket:
        path = os.path.abspath(settings.uds or "")
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            try:
                opened.bind(path)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK)) from None
                if not _abandoned(path):
                    raise
                os.unlink(path)
                opened.bind(path)
            status = os.stat(path)
            self._path, self._identity = path, (status.st_dev, status.st_ino)
            if settings.uds_mode is not None:
                os.chmod(path, settings.uds_mode)  # before listen(), no client can connect
            opened.listen(settings.backlog)
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def address(self) -> str:
        """Its address, for messages."""
        name = self.socket.getsockname()
        if self.socket.family == socket.AF_UNIX:
            return f"unix:{os.fsdecode(name)}"
        return local_url(name[0], name[1], self._scheme)

    @property
    def port(self) -> int | None:
        """Its port; None: it is a Unix socket."""
        name = self.socket.getsockname()
        return None if self.socket.family == socket.AF_UNIX else int(name[1])

    def close(self) -> None:
        """Close it, and remove its socket file unless that was replaced."""
        self.socket.close()
        if self._path is None:
            return
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self._path)
            if (status.st_dev, status.st_ino) == self._identity:
                os.unlink(self._path)


def _abandoned(path: str) -> bool:
    """Whether the socket file has no listening process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False
