"""A network namespace of the test's own with a cable that can be pulled."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator


class NotPermitted(Exception):
    """No namespace can be made here; the text says why."""


class Network:
    """Another network, which one address leads to.

    Attributes:
        address: Of what runs in it.
    """

    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self._link = f"{name}h"
        self.address = f"10.231.{number}.2"
        self._own = f"10.231.{number}.1"

    def make(self) -> None:
        """Make it.

        Raises:
            NotPermitted: It cannot be made.
        """
        if shutil.which("ip") is None:
            raise NotPermitted("needs ip(8) (Debian: apt-get install iproute2)")
        _ip("netns", "add", self._name)
        far = f"{self._name}n"
        _ip("link", "add", self._link, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "netns", self._name)
        _ip("addr", "add", f"{self._own}/30", "dev", self._link)
        _ip("-n", self._name, "addr", "add", f"{self.address}/30", "dev", far)
        _ip("-n", self._name, "link", "set", "lo", "up")
        _ip("-n", self._name, "link", "set", far, "up")
        self.mend()

    def inside(self, command: list[str]) -> list[str]:
        """The same command, run there."""
        return ["ip", "netns", "exec", self._name, *command]

    def cut(self) -> None:
        """Pull the cable: sent data is lost, and neither side notices."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        """Put it back."""
        _ip("link", "set", self._link, "up")

    def remove(self) -> None:
        """Remove it; the link goes with it."""
        for command in (["link", "del", self._link], ["netns", "del", self._name]):
            subprocess.run(["ip", *command], capture_output=True, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotPermitted(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """One for as long as the block lasts.

    Raises:
        NotPermitted: It needs the rights of root, or ip(8).
    """
    made = Network(f"huv{os.getpid() % 100_000}", os.getpid() % 250)
    try:
        made.make()
        yield made
    finally:
        if shutil.which("ip") is not None:
            made.remove()
