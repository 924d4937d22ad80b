"""The guard: a tiny process that outlives its stack just long enough to end what the stack could not.

Its standard input is a pipe that only the stack holds the other end of. When the stack dies, however it dies, the
kernel closes that end, the guard reads the end of the file and sweeps. A parent-death signal would do the same on
Linux alone, and not for the runtimes, which are nobody's children.

    python -m claw_dev.guard <the stack's directory>
"""

import os
import signal
import sys
from pathlib import Path

from claw_dev.notes import sweep


def main() -> None:
    """Wait for the stack's death, then clean up after it."""
    directory = Path(sys.argv[1])
    # Whoever signals the whole terminal or the whole stack must not end the one who cleans up afterwards.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 4096):
        pass
    sweep(directory)


if __name__ == "__main__":
    main()
