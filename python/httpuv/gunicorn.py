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
from .cli.life import Life, leave
from .cli.load import Application
from .cli.options.settings import Settings
from .cli.serving import serving
from .cli.shared.board import Board
from .gateways.interfaces import Mount, resolve
from .options import observe
from .options.limits import Limits
from .servers.server import Server

#: ssl.VerifyMode, which gunicorn's cert_reqs is, by the names of --tls-verify.
_VERIFY = ("none", "optional", "required")
#: The names of gunicorn for options in messages of this package.
_NAMES = {
    "; see --tls-key-password": "",  # gunicorn has no such option
    "--tls-cert": "--certfile",
    "--tls-key": "--keyfile",
    "--tls-ca": "--ca-certs",
    "--tls-verify": "--cert-reqs",
}

#: What gunicorn takes 0 for.
_MOST_FIELDS = 32768

_HEAD = f"request line and fields may have {Limits().max_head_bytes} bytes together"
_STRICT = "requests are parsed as RFC 9110 and RFC 9112 say"
_HOOK = "this hook is not called"
_HTTP_1 = "the worker speaks HTTP/1.1"
#: Settings of gunicorn without effect here, and why. They are reported if they were changed.
_UNUSED = {
    "limit_request_line": _HEAD,
    "limit_request_field_size": _HEAD,
    "secure_scheme_headers": "X-Forwarded-Proto and Forwarded give the scheme",
    "forwarder_headers": "X-Forwarded-*, Forwarded and root_path are used",
    "header_map": "fields with an underscore in their name are dropped",
    "permit_obsolete_folding": _STRICT,
    "strip_header_spaces": _STRICT,
    "permit_unconventional_http_method": _STRICT,
    "permit_unconventional_http_version": _STRICT,
    "casefold_http_method": _STRICT,
    "access_log_format": "the lines have the combined format",
    "pre_request": _HOOK,
    "post_request": _HOOK,
    "ssl_context": "certfile, keyfile, ca_certs, cert_reqs and ciphers make the context",
    "protocol": _HTTP_1,
    "http_protocols": _HTTP_1,
    "http2_cleartext": _HTTP_1,
    "statsd_host": "requests are not counted there",
    "tmp_upload_dir": "bodies are in TMPDIR",
}


class Worker(_Base):  # type: ignore[misc]  # gunicorn has no types
    """Serves gunicorn's socket until gunicorn stops the worker.

    These settings of gunicorn are used:

    * ``timeout``: gunicorn replaces a worker that runs one callback, or begins none of those that
      wait, for longer than this; ``graceful_timeout``, ``max_requests`` and its jitter, ``reload``;
    * ``threads`` for WSGI and Rook, ``root_path`` and ``asgi_lifespan``;
    * ``keepalive`` (0 is taken as 1 s), ``limit_request_fields``, ``worker_connections`` if it is
      given, ``websocket_max_message_size``;
    * ``forwarded_allow_ips``, for the client's address as well as for the scheme; Unix sockets are
      trusted, as by gunicorn; ``proxy_protocol`` (both versions) with ``proxy_allow_ips``, which
      then takes the place of ``forwarded_allow_ips``;
    * ``certfile``, ``keyfile``, ``ca_certs``, ``cert_reqs`` and ``ciphers``;
    * ``accesslog``, in the combined format; ``-`` is standard error.

    Other settings about requests have no effect. If they were changed, a warning names them.
    """

    def init_signals(self) -> None:
        """Handle gunicorn's signals: SIGTERM ends gracefully, SIGQUIT and SIGINT at once."""
        self._server: Server | None = None
        self._board = Board(1)
        self._life = Life(float(self.cfg.graceful_timeout))
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self._life.take_signals([signal.SIGTERM], second_exits=False)
        signal.signal(signal.SIGINT, self._quit)
        signal.signal(signal.SIGQUIT, self._quit)
        signal.signal(signal.SIGUSR1, lambda number, frame: self.log.reopen_files())
        signal.signal(signal.SIGABRT, self.handle_abort)

    # These end the process here: an exception would end only the callback that was interrupted.

    def _quit(self, number: int, frame: FrameType | None) -> None:
        self.cfg.worker_int(self)
        leave(0)

    def handle_abort(self, number: int, frame: FrameType | None) -> None:
        """SIGABRT: gunicorn has had no sign of life for ``timeout`` seconds."""
        self.cfg.worker_abort(self)
        leave(1)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            self._serve()
        except Mistake as error:
            from gunicorn.arbiter import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
                Arbiter,
            )

            text = str(error)
            for ours, gunicorns in _NAMES.items():
                text = text.replace(ours, gunicorns)
            self.log.error("%s", text)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)  # gunicorn ends; a new worker would fail as well

    def _serve(self) -> None:
        if len(self.sockets) != 1:
            raise Mistake(f"--bind: this worker serves one address, not {len(self.sockets)}")
        # Once for each generation of workers.
        if self.age % self.cfg.workers == 1 % self.cfg.workers:
            self._report_unused()
        mount = resolve(Mount(self.wsgi))
        assert mount.interface is not None
        observe.set_board(self._board.fd, self._board.take())
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

    def _changed(self, name: str) -> bool:
        """Whether gunicorn has this setting, and its value is not the default."""
        setting = self.cfg.settings.get(name)
        return setting is not None and setting.get() != type(setting)().get()

    def _report_unused(self) -> None:
        for name, why in _UNUSED.items():
            if self._changed(name):
                self.log.warning("%s has no effect in httpuv.gunicorn.Worker: %s", name, why)
        if not self.cfg.keepalive:
            self.log.warning("keepalive 0 is taken as 1 s")

    def _settings(self) -> Settings:
        cfg = self.cfg
        proxy_protocol = cfg.proxy_protocol not in (False, "off")
        proxies = cfg.proxy_allow_ips if proxy_protocol else cfg.forwarded_allow_ips
        others = {name: setting.get() for name, setting in cfg.settings.items()}
        limits: dict[str, float] = {
            "idle_timeout": float(cfg.keepalive or 1),
            "max_header_count": cfg.limit_request_fields or _MOST_FIELDS,
        }
        if self._changed("worker_connections"):
            limits["max_connections"] = cfg.worker_connections
        if self._changed("websocket_max_message_size"):
            limits["ws_max_message_bytes"] = cfg.websocket_max_message_size
        return Settings(
            "gunicorn's application",
            threads=cfg.threads,
            root_path=others.get("root_path", ""),
            lifespan=others.get("asgi_lifespan", "auto"),
            graceful_timeout=float(cfg.graceful_timeout),
            forwarded_allow_ips=[*proxies, "unix"],
            proxy_protocol=proxy_protocol,
            tls_cert=(cfg.certfile or cfg.keyfile) if cfg.is_ssl else None,
            tls_key=cfg.keyfile if cfg.is_ssl else None,
            tls_ca=cfg.ca_certs if cfg.cert_reqs else None,
            tls_verify=_VERIFY[int(cfg.cert_reqs)],
            tls_ciphers=cfg.ciphers,
            access_log=bool(cfg.accesslog),
            access_log_file=None if cfg.accesslog == "-" else cfg.accesslog,
            log_format="combined",
            limits=limits,
        )

    def _started(self, server: Server) -> None:
        self._server = server
        self.log.info("httpuv serves: %r", server)

    def _had_its_requests(self) -> bool:
        server = self._server
        return server is not None and bool(server.stats()["requests"] >= self.max_requests)

    def _beat(self) -> None:
        """Tell gunicorn that Python goes on; end after max_requests, or if gunicorn ended."""
        pause = threading.Event()
        seconds = max(0.1, min(1.0, self.timeout / 2 or 1.0))
        while not pause.wait(seconds):
            if self._board.stuck(0) < seconds or self._life.ending:
                self.notify()
            if not self._life.ending and self._had_its_requests():
                self.log.info("%d requests (max_requests): the worker ends", self.max_requests)
                self._life.end()
            if not self.alive:  # the reloader has seen a change
                self._life.end()
            if os.getppid() != self.ppid:
                self._life.end()
                return
