"""Programs that the tests run beside themselves."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVE = """
import sys, coordhub
hub = coordhub.Hub(sys.argv[1])
print(hub.serve(sys.argv[2]).addresses[0], flush=True)
sys.stdin.read()
"""


class Server:
    """A hub in a process of its own, which can be killed and started again at its address."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._address = "127.0.0.1:0"
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self._address}"

    def start(self) -> None:
        """Starts it, and waits until it listens."""
        self._process = program(SERVE, str(self._path), self._address)
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()
        assert self._address, "the hub did not start"

    def kill(self) -> None:
        """It has no time to say goodbye."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None


@contextmanager
def server(path: Path) -> Iterator[Server]:
    """A hub in a process of its own."""
    one = Server(path)
    one.start()
    try:
        yield one
    finally:
        one.kill()


def program(source: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python program, with pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
