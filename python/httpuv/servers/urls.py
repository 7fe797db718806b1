"""Where a browser finds a server: here, or by way of the proxy that a hosted notebook is behind."""

from __future__ import annotations

import os
import sys
from typing import Any

#: Hosts that stand for every address of this machine.
EVERY_ADDRESS = ("0.0.0.0", "::", "::/0")


def local_url(host: str, port: int, scheme: str = "http") -> str:
    """The URL of a server's root for a browser on this machine."""
    if host == "0.0.0.0":
        host = "127.0.0.1"
    elif host in EVERY_ADDRESS:
        host = "::1"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def url(host: str, port: int, scheme: str = "http") -> str:
    """The URL for a browser of the user of this program, as far as the environment tells.

    Known are GitHub Codespaces, what sets ``VSCODE_PROXY_URI`` (VS Code's and code-server's
    proxies), Google Colab, and JupyterHub, where it is a path on the hub's host and needs
    jupyter-server-proxy. Elsewhere it is that of this machine.
    """
    environment = os.environ
    codespace = environment.get("CODESPACE_NAME")
    domain = environment.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN")
    if codespace and domain:
        return f"https://{codespace}-{port}.{domain}/"
    if proxy := environment.get("VSCODE_PROXY_URI"):
        return proxy.replace("{{port}}", str(port))
    if colab := sys.modules.get("google.colab"):
        return _of_colab(colab, port) or local_url(host, port, scheme)
    if prefix := environment.get("JUPYTERHUB_SERVICE_PREFIX"):
        hub = environment.get("JUPYTERHUB_PUBLIC_URL", "").rstrip("/")
        return f"{hub or prefix.rstrip('/')}/proxy/{port}/"
    return local_url(host, port, scheme)


def _of_colab(colab: Any, port: int) -> str | None:
    try:
        answer = colab.output.eval_js(f"google.colab.kernel.proxyPort({port})", timeout_sec=5)
    except Exception:  # there is no page that would answer
        return None
    return answer if isinstance(answer, str) else None
