"""What can be said of a connection, and of serving."""

from __future__ import annotations

import os
from typing import Literal, TypedDict

from . import _coordhub
from ._face import failure


class ConnectOptions(TypedDict, total=False):
    """How to connect."""

    token: str | None
    token_file: str | None
    entity: str | None
    timeout: float | None
    ca_file: str | None


class ServeOptions(TypedDict, total=False):
    """How to serve: options of ``coordhub serve``, by name."""

    auth: Literal["open", "token"]


def options_of(
    token: str | None,
    token_file: str | os.PathLike[str] | None,
    entity: str | None,
    timeout: float | None,
    ca_file: str | os.PathLike[str] | None,
) -> ConnectOptions:
    """The arguments of ``connect``."""
    return {
        "token": token,
        "token_file": None if token_file is None else os.fspath(token_file),
        "entity": entity,
        "timeout": timeout,
        "ca_file": None if ca_file is None else os.fspath(ca_file),
    }


def remote(url: str, options: ConnectOptions) -> _coordhub.Remote:
    """A hub over the network. Nothing goes there yet."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return _coordhub.Remote(url, given)
    except _coordhub.Refused as refused:
        raise failure(refused) from None
