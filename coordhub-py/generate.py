"""Writes the calls for asyncio and for pipelines, which are those that wait but for how their answer is had.

``python coordhub-py/generate.py`` after a change of ``python/coordhub/_calls``; with ``--check`` it only looks whether
that was done.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "python/coordhub"
NOTICE = "# Written by generate.py from _calls: change those.\n"


def asynchronous(source: str) -> str:
    """The same calls, to be awaited."""
    source = re.sub(r"^from \.\.", "from ...", source, flags=re.MULTILINE)
    source = re.sub(r"^    def (?!_self)", "    async def ", source, flags=re.MULTILINE)
    return NOTICE + source.replace("return self._call(", "return await self._call(")


def pipelined(source: str) -> str:
    """The same calls, whose answer is asked for later."""
    head = r"^(    def (?!_self)(?:[^\n]*|\w+\(\n(?:        [^\n]*\n)*?    \)) -> )([^\n]+):$"
    source, methods = re.subn(head, r"\1Pending[\2]:", source, flags=re.MULTILINE)
    if methods:
        # Among the other imports, where it belongs by its name.
        after = r"(?=^from \.\._[prsw]|^from \._base|\n^T = )"
        source = re.sub(
            after, "from .._pending import Pending\n", source, count=1, flags=re.MULTILINE
        )
    return NOTICE + source


VARIANTS = {"aio/_calls": asynchronous, "_pipelined": pipelined}


def main(arguments: list[str]) -> int:
    """Writes them, or finds those that are not as they should be."""
    stale: list[Path] = []
    for folder, variant in VARIANTS.items():
        for source in sorted((PACKAGE / "_calls").glob("*.py")):
            written = PACKAGE / folder / source.name
            wanted = variant(source.read_text())
            if not written.exists() or written.read_text() != wanted:
                stale.append(written)
                if "--check" not in arguments:
                    written.parent.mkdir(exist_ok=True)
                    written.write_text(wanted)
    if stale and "--check" in arguments:
        print("run coordhub-py/generate.py:", *stale, sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
