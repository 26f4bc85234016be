"""What the package can do, beside what the hub can do without Python, and other clients with it.

    python coordhub-py/bench --core target/release/coordhub-bench

prints figures and ratios, and judges none of them. The package must be installed as it ships, built for release; httpx
and websockets are what it is compared with. ``--short`` does a little of everything, to see that it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import local
import memory
import remote
from figures import Sizes, table


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(prog="coordhub-py/bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a little of everything")
    parser.add_argument("--core", type=Path, help="the program coordhub-bench, built for release")
    parser.add_argument("--only", choices=["local", "remote", "memory"], help="only this part")
    given = parser.parse_args()
    sizes = Sizes.short() if given.short else Sizes()
    rows = []
    if given.only in (None, "local"):
        rows += local.rows(sizes, given.core)
    if given.only in (None, "remote"):
        rows += remote.rows(sizes)
    if given.only in (None, "memory"):
        rows += memory.rows(sizes)
    print(table(rows))


if __name__ == "__main__":
    main()
