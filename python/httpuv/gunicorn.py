"""A worker class for gunicorn: ``gunicorn -k httpuv.gunicorn.Worker module:app``.

The application may be an ASGI, WSGI or Rook application; its signature decides. This module needs
gunicorn, which is not a dependency of this package.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from gunicorn.workers.base import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
    Worker as _Base,
)

from .cli.console import Mistake
from .cli.life import Life
from .cli.load import Application
from .cli.serving import serving
from .cli.settings import Settings
from .gateways.interfaces import Mount, resolve
from .servers.server import Server

#: ssl.VerifyMode, which gunicorn's cert_reqs is, by the names of --tls-verify.
_VERIFY = ("none", "optional", "required")


class Worker(_Base):  # type: ignore[misc]  # gunicorn has no types
    """Serves one of gunicorn's sockets until gunicorn stops it.

    These settings of gunicorn are used: ``graceful_timeout``, ``keepalive``, ``max_requests``,
    ``proxy_protocol``, ``certfile``, ``keyfile``, ``ca_certs``, ``cert_reqs`` and ``ciphers``, and
    ``threads`` for WSGI and Rook. gunicorn's access log and limits of requests are ignored; this
    package has its own.
    """

    def init_signals(self) -> None:
        """Handle gunicorn's signals: SIGTERM ends gracefully, SIGQUIT and SIGINT at once."""
        self._server: Server | None = None
        self._life = Life(float(self.cfg.graceful_timeout))
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda number, frame: self._life.end())
        signal.signal(signal.SIGINT, self._quit)
        signal.signal(signal.SIGQUIT, self._quit)
        signal.signal(signal.SIGUSR1, lambda number, frame: self.log.reopen_files())
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.siginterrupt(signal.SIGTERM, False)

    def _quit(self, number: int, frame: FrameType | None) -> None:
        os._exit(0)

    def run(self) -> None:
        """Serve until told to stop."""
        if len(self.sockets) != 1:
            raise ValueError(f"bind must be one address, not {len(self.sockets)}")
        mount = resolve(Mount(self.wsgi))
        assert mount.interface is not None
        try:
            served = serving(
                Application(mount.app, mount.interface),
                self._settings(),
                self._started,
                self.sockets[0].fileno(),
                self.cfg.workers > 1,
            )
            self._life.begins(served.stop)
            threading.Thread(target=self._beat, name="httpuv gunicorn", daemon=True).start()
            served.run()
        except Mistake as error:
            from gunicorn.arbiter import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
                Arbiter,
            )

            self.log.error("%s", error)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)  # gunicorn ends; a new worker would fail as well

    def _settings(self) -> Settings:
        cfg = self.cfg
        return Settings(
            "gunicorn's application",
            threads=cfg.threads,
            graceful_timeout=float(cfg.graceful_timeout),
            proxy_protocol=cfg.proxy_protocol not in (False, "off"),
            tls_cert=(cfg.certfile or cfg.keyfile) if cfg.is_ssl else None,
            tls_key=cfg.keyfile if cfg.is_ssl else None,
            tls_ca=cfg.ca_certs if cfg.cert_reqs else None,
            tls_verify=_VERIFY[int(cfg.cert_reqs)],
            tls_ciphers=cfg.ciphers,
            limits={"idle_timeout": float(cfg.keepalive)} if cfg.keepalive else {},
        )

    def _started(self, server: Server) -> None:
        self._server = server
        self.log.info("httpuv serves: %r", server)

    def _had_its_requests(self) -> bool:
        server = self._server
        return server is not None and bool(server.stats()["requests"] >= self.max_requests)

    def _beat(self) -> None:
        """Tell gunicorn that this process lives; end after max_requests, or if gunicorn ended."""
        pause = threading.Event()
        while not pause.wait(max(0.1, min(1.0, self.timeout / 2 or 1.0))):
            self.notify()
            if not self._life.ending and self._had_its_requests():
                self.log.info("%d requests (max_requests): the worker ends", self.max_requests)
                self._life.end()
            if os.getppid() != self.ppid:
                self._life.end()
                return
