"""What can be said of a connection, and of serving."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    """How to serve: the options of ``coordhub serve``, by name. What may be said several times takes a list."""

    auth: Literal["open", "token"]
    allow_host: str | Sequence[str]
    allow_origin: str | Sequence[str]
    public_url: str
    trusted_network: str | Sequence[str]
    behind_proxy: str | Sequence[str]
    tls_cert: str | os.PathLike[str]
    tls_key: str | os.PathLike[str]
    changes_per_second: int
    reads_per_second: int
    address_changes_per_second: int
    address_reads_per_second: int
    failed_logins_per_minute: int
    registrations_per_minute: int
    sockets_per_entity: int
    sockets_per_address: int
    waits_per_entity: int
    waits_per_address: int
    connections_per_address: int
    max_connections: int
    max_body_bytes: int
    monitor: str


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
