"""``--upload``: files that clients put into the served directory.

``PUT /folder/name`` with the bytes as its body. They are written to a file beside it as they come,
which takes the name when it is complete: a client that goes away leaves nothing behind. A name that
is taken gets 409, unless overwriting is allowed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from typing import Any

from .paths import Environ, Response, refusal

#: What the listing shows: works on each file that is chosen or dropped, with its progress.
TOOL = """<label class=drop><input type=file multiple hidden>
<span>Upload files</span></label><ul id=ups></ul>
<style>.drop span{display:inline-block;padding:.4rem .9rem;border:1px solid var(--line);
border-radius:8px;cursor:pointer;background:var(--soft)}.drop:hover span{border-color:var(--accent)}
#ups{list-style:none;margin:.5rem 0 0;padding:0;font-size:.875rem}#ups li{padding:.2rem 0}
#ups progress{width:10rem;margin-right:.6rem;accent-color:var(--accent)}</style>
<script>(() => {
  const list = document.getElementById("ups");
  const send = (file) => new Promise((done) => {
    const row = list.appendChild(document.createElement("li"));
    const bar = row.appendChild(document.createElement("progress"));
    const text = row.appendChild(document.createElement("span"));
    text.textContent = file.name;
    const request = new XMLHttpRequest();
    request.open("PUT", location.pathname + encodeURIComponent(file.name));
    request.upload.onprogress = (event) => { bar.max = event.total; bar.value = event.loaded; };
    const end = (ok, what) => {
      bar.remove();
      text.textContent = `${ok ? "\\u2713" : "\\u2717"} ${file.name}${what ? ": " + what : ""}`;
      done(ok);
    };
    request.onload = () => {
      const ok = request.status < 300;
      end(ok, ok ? "" : request.responseText);
    };
    request.onerror = () => end(false, "the connection broke");
    request.send(file);
  });
  const all = async (files) => {
    let good = true;
    for (const file of files) good = (await send(file)) && good;
    if (good && files.length) location.reload();
  };
  const input = document.querySelector(".drop input");
  input.onchange = () => all([...input.files]);
  document.ondragover = (event) => event.preventDefault();
  document.ondrop = (event) => { event.preventDefault(); all([...event.dataTransfer.files]); };
})();</script>"""


async def receive(req: Environ, path: str, *, overwrite: bool) -> Response:
    """Write the body of a request to a file.

    Args:
        req: A PUT whose body has not been read (``streamBody``).
        path: Where to; its folder must exist.
        overwrite: Whether a file that is there may be replaced.
    """
    folder, name = os.path.split(path)
    if not name or not os.path.isdir(folder):
        return refusal(req, 404, "Not Found", "there is no such folder")
    if os.path.isdir(path):
        return refusal(req, 409, "Conflict", "a folder has this name")
    existed = os.path.lexists(path)
    if existed and not overwrite:
        return refusal(req, 409, "Conflict", "this name is taken")
    try:
        descriptor, partial = tempfile.mkstemp(prefix=".httpuv-upload-", dir=folder)
    except OSError as error:
        return refusal(req, 403, "Forbidden", f"the folder cannot be written to: {error.strerror}")
    try:
        with open(descriptor, "wb") as file:
            async for piece in req["rook.input"]:
                file.write(piece)
        os.chmod(partial, 0o644)
        _take_name(partial, path, overwrite=overwrite)
    except FileExistsError:
        return refusal(req, 409, "Conflict", "this name is taken")
    except OSError as error:
        status = 507 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 500
        return refusal(req, status, "Upload Failed", error.strerror)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
    headers: dict[str, Any] = {"Content-Type": "text/plain; charset=utf-8"}
    return {"status": 200 if existed else 201, "headers": headers, "body": "stored"}


def _take_name(partial: str, path: str, *, overwrite: bool) -> None:
    """Give a complete file its name; FileExistsError where it is taken meanwhile."""
    if overwrite:
        os.replace(partial, path)
    else:
        os.link(partial, path)  # fails where rename would replace
