"""The native half of the package: the hub, spoken to in JSON. Use coordhub.Hub instead."""

import os
from typing import final

__all__ = ["Hub", "Refused", "__version__"]

__version__: str
"""The version of the package, and of the hub inside it."""

class Refused(Exception):
    """A call has no answer.

    Its one argument is a JSON object with code, detail, and facts for programs; coordhub.Hub turns it into the
    coordhub.HubError that it stands for.
    """

@final
class Hub:
    """A hub in this process, spoken to in JSON. Use coordhub.Hub, which has names and types for what it can do."""

    def __new__(cls, path: str | os.PathLike[str]) -> Hub:
        """Opens the hub kept in the file at path, which is made where there is none.

        ":memory:" keeps it in memory alone. Raises Refused.
        """

    def call(self, op: str, args: str) -> str:
        """Does what op says with the arguments in a JSON object, and answers with a JSON object.

        An operation is a route of the wire contract with dots between its words and without its ids, such as
        "tasks.claim". Blocks until what was changed is on disk; the GIL is released meanwhile. Raises Refused.
        """

    @property
    def epoch(self) -> str:
        """Names this history of the hub."""

    @property
    def head_seq(self) -> int:
        """The seq of the newest event; 0 before the first. Raises Refused where the hub was closed."""

    @property
    def closed(self) -> bool:
        """Whether close() was called."""

    def close(self) -> None:
        """Finishes what was begun, saves presence, and lets go of the file. A second call does nothing."""
