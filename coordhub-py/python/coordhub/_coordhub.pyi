"""The native half of the package: hubs as plain calls of their routes. Use coordhub.Hub and coordhub.connect instead."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, final

from typing_extensions import disjoint_base

__all__ = [
    "Completions",
    "Events",
    "Face",
    "Local",
    "Refused",
    "Remote",
    "Served",
    "Ticket",
    "__version__",
    "run_cli",
]

__version__: str
"""The version of the package, and of the hub inside it."""

class Refused(Exception):
    """A call has no answer.

    Its one argument is the problem: a dict with status, code, detail, and facts for programs; the package turns it into
    the coordhub.HubError that it stands for.
    """

@disjoint_base
class Face:
    """A hub that can be asked anything of the table of routes. The two kinds are Local and Remote."""

    def call(
        self,
        method: str,
        path: str,
        args: Mapping[str, Any] | None = None,
        caller: str | None = None,
        key: str | None = None,
        timeout: float | None = None,
        role: str | None = None,
    ) -> Any:
        """Calls a route, and waits for the answer.

        Path is the route's as in the table of routes, with {name} where an id stands; args, a dict, are all its fields,
        ids of the path among them. Raises Refused, and TimeoutError where timeout seconds went by. Any signal handler
        of Python's may run meanwhile, and end it by raising.
        """

    def submit(
        self,
        method: str,
        path: str,
        args: Mapping[str, Any] | None = None,
        caller: str | None = None,
        key: str | None = None,
        role: str | None = None,
    ) -> Ticket:
        """Begins the same call, and gives the ticket for its answer.

        In this process they are done in the order of these calls.
        """

    def events(self, args: Mapping[str, Any] | None = None, caller: str | None = None) -> Events:
        """Follows the log: args are the fields of GET /events/stream.

        Begins with what comes next where since is not given.
        """

    @property
    def closed(self) -> bool:
        """Whether close() was called."""

    def close(self) -> None:
        """Finishes what was begun, and lets go of everything. Whoever waits is told. A second call does nothing."""

@final
class Local(Face):
    """A hub in this process. Use coordhub.Hub, which has names and types for what it can do."""

    def __new__(cls, path: str | os.PathLike[str]) -> Local:
        """Opens the hub kept in the file at path, which is made where there is none.

        ":memory:" keeps it in memory alone. Raises Refused.
        """

    def serve(
        self, bind: str = "127.0.0.1:8550", options: Mapping[str, Any] | None = None
    ) -> Served:
        """Puts the hub on the network, page and all, in the background.

        Bind names addresses, parted by commas; options, a dict, are those of `coordhub serve`, by name, a list
        where one may be given several times. Ends with stop(), or when the hub is closed.
        """

    @property
    def epoch(self) -> str:
        """Names this history of the hub."""

    @property
    def head_seq(self) -> int:
        """The seq of the newest event; 0 before the first. Raises Refused where the hub was closed."""

@final
class Remote(Face):
    """A hub over the network. Use coordhub.connect, which has names and types for what it can do."""

    def __new__(cls, url: str, options: Mapping[str, Any] | None = None) -> Remote:
        """A hub at an address such as http://localhost:8550.

        Options, a dict: token, token_file, ca_file, timeout in seconds, entity. Connects when there is something to ask.
        """

    @property
    def url(self) -> str:
        """Where it is."""

@final
class Served:
    """A hub of this process as it is on the network."""

    @property
    def addresses(self) -> list[str]:
        """Where it listens, each as address:port."""

    @property
    def admin_token(self) -> str | None:
        """The file with the admin's token, where this start made one."""

    def stop(self) -> None:
        """Takes the hub off the network: what runs may finish, sockets are closed. The hub itself stays open."""

@final
class Ticket:
    """A call that is under way.

    Dropped before its answer was taken, nobody waits for it any more; what it changes may be changed all the same.
    """

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the answer, and gives it: the same however often it is asked for.

        Raises Refused where it is a refusal, and TimeoutError where timeout seconds went by; the call is under way all
        the same then.
        """

    def is_refused(self, timeout: float | None = None) -> bool:
        """Waits for the answer like result(), and says only whether it is a refusal: it is not made an object."""

    def keep(self) -> None:
        """Says that the answer which completions handed out has arrived.

        Else a claim that it tells of is given back when the ticket is dropped.
        """

    def done(self) -> bool:
        """Whether the answer is there."""

    def add_to(self, completions: Completions, token: int) -> None:
        """Has the answer handed out by completions, under token."""

@final
class Events:
    """Follows the log of a hub: every event once, in order."""

    def next(self, timeout: float | None = None) -> list[Any]:
        """The events that come next, one or more; none where timeout seconds went by.

        A dict whose type is gap stands before what follows a gap in the log. Raises Refused.
        """

    def add_to(self, completions: Completions, token: int) -> None:
        """Has what next() would give handed out by completions, under token; it may be no event."""

    @property
    def position(self) -> str:
        """Where to go on: every event up to here was given. Empty before a remote hub has said it."""

    def close(self) -> None:
        """Follows no more."""

@final
class Completions:
    """Hands out answers to one event loop."""

    def __new__(cls) -> Completions:
        """With nothing to hand out."""

    def fileno(self) -> int:
        """A file descriptor that can be read when drain() has something to give."""

    def drain(self) -> list[tuple[int, bool, Any]]:
        """All that is there: token, whether it is what was asked for, and that or the problem. Never blocks."""

    def forget(self, token: int) -> None:
        """Waits no more for what was added under token."""

def run_cli(argv: Sequence[str]) -> int:
    """Does what a command line says, whose first word is the program's name, and gives the exit status.

    It is the same program as the Rust binary. It handles signals itself, so that it is for the main thread, and for a
    process that does nothing else.
    """
