"""Threads of callbacks that begin while others want the interpreter lock."""

from __future__ import annotations

from support import run_script

SCRIPT = """
import sys
import httpuv

sys.setswitchinterval(1e-6)
for _ in range(30):
    server = httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200}, dispatch=8)
    server.stop()
print("all have begun and ended")
"""


def test_no_thread_waits_for_the_lock_with_a_mutex_of_ours() -> None:
    assert run_script(SCRIPT) == "all have begun and ended\n"
