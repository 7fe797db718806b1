"""An application that serves a directory, with what the command line offers besides."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from ..options.static import StaticPath, excludeStaticPath
from ..options.static_options import StaticPathOptions
from . import archive, auth, receive, spa
from .paths import Environ, Response, refusal, resolve

#: Below this path there are no files: what is asked for there is made.
OWN = "/.httpuv"

_ZIP = f"{OWN}/zip"
_ZIP_TOOL = (
    f'<a class=zip href="{_ZIP}{{path}}">Download as ZIP</a><style>.zip{{display:inline-block;'
    "padding:.4rem .9rem;margin:0 .5rem .5rem 0;border:1px solid var(--line);border-radius:8px;"
    "background:var(--soft)}.zip:hover{border-color:var(--accent)}</style>"
)


@dataclass(frozen=True)
class Features:
    """The features of a site.

    Args:
        spa: Whether page navigations without a file get the index page.
        auth: ``user:password`` that clients must give; None: no login.
        upload: Whether clients may store files in the directory.
        overwrite: Whether uploads may replace files.
        archive: Whether clients can download folders as ZIP archives.
    """

    spa: bool = False
    auth: str | None = None
    upload: bool = False
    overwrite: bool = False
    archive: bool = False

    def __post_init__(self) -> None:
        for name in ("spa", "upload", "overwrite", "archive"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be bool, not {getattr(self, name)!r}")
        if self.auth is not None:
            if not isinstance(self.auth, str):
                raise TypeError(f"auth must be str or None, not {self.auth!r}")
            auth.credentials(self.auth)
        if self.overwrite and not self.upload:
            raise ValueError("overwrite makes no sense without upload")


class Site:
    """The application: static files, and ``call`` for other requests."""

    def __init__(self, root: StaticPath, features: Features) -> None:
        self._features = features
        self._root = os.path.realpath(root.path)
        self._options = root.options
        given: dict[str, Any] = {}
        if features.auth is not None:
            given.update(auth.static_options(features.auth))
        tools = (_ZIP_TOOL if features.archive else "") + (receive.TOOL if features.upload else "")
        if tools:
            given["listing_tools"] = tools
        if features.spa or features.upload:
            given["fallthrough"] = True
        options: StaticPathOptions = dataclasses.replace(root.options, **given)
        self.streamBody = features.upload
        self.staticPaths = {"/": dataclasses.replace(root, options=options)}
        if features.archive:
            self.staticPaths[OWN] = excludeStaticPath()

    async def call(self, req: Environ) -> Response:
        """Answer a request that is not for a file."""
        features = self._features
        if features.auth is not None and not auth.allowed(req, features.auth):
            response = refusal(req, 401, "Unauthorized")
            response["headers"]["WWW-Authenticate"] = auth.CHALLENGE
            return response
        path, method = req["PATH_INFO"], req["REQUEST_METHOD"]
        if features.archive and (path == _ZIP or path.startswith(_ZIP + "/")):
            return self._archive(req, path[len(_ZIP) :])
        if method == "PUT" and features.upload:
            local = self._local(path)
            if local is None:
                return refusal(req, 403, "Forbidden", "this name cannot be uploaded")
            return await receive.receive(req, local, overwrite=features.overwrite)
        if method not in ("GET", "HEAD"):
            response = refusal(req, 405, "Method Not Allowed")
            response["headers"]["Allow"] = "GET, HEAD" + (", PUT" if features.upload else "")
            return response
        if features.spa and spa.is_navigation(req):
            index = os.path.join(self._root, (self._options.index_names or ("index.html",))[0])
            if os.path.isfile(index):
                return {"status": 200, "body": {"file": index}}
        return self._not_found(req)

    def _local(self, path: str) -> str | None:
        return resolve(
            self._root,
            path,
            dotfiles=bool(self._options.dotfiles),
            symlinks=bool(self._options.symlinks),
        )

    def _archive(self, req: Environ, path: str) -> Response:
        if req["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return refusal(req, 405, "Method Not Allowed")
        folder = self._local(path)
        if folder is None or not os.path.isdir(folder):
            return refusal(req, 404, "Not Found")
        return archive.answer(folder, dotfiles=bool(self._options.dotfiles))

    def _not_found(self, req: Environ) -> Response:
        page = self._options.not_found
        local = self._local(page) if page else None
        if local is not None and os.path.isfile(local):
            return {"status": 404, "body": {"file": local}}
        return refusal(req, 404, "Not Found")
