"""neighbour.py spin|hold COMMAND ...    becomes COMMAND, with a process beside it that is busy

For servers without an interpreter: whatever takes the processor from ours takes it from them.
A process that merely holds a GIL of its own takes nothing, so "hold" adds none.
"""

from __future__ import annotations

import os
import sys

import busy


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    how, *command = sys.argv[1:]
    server = os.getpid()
    if how == "spin":
        # A grandchild: its processor time is not to be counted as the server's. It stays in the
        # process group, and ends with it.
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                busy.spin_while(lambda: alive(server))
            os._exit(0)
        os.waitpid(child, 0)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
