"""The command ``coordhub``: the same program as the one that is built without Python."""

from __future__ import annotations

import sys

from . import _coordhub


def main() -> None:
    """Runs it with the arguments of this process."""
    sys.exit(_coordhub.run_cli(sys.argv))
