"""``python -m coordhub`` is the command ``coordhub``."""

from ._cli import main

main()
