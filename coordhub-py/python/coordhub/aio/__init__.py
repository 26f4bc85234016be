"""The hub for asyncio: the same names as in ``coordhub``, with coroutines for methods."""

from ._entity import EntityHandle
from ._events import EventStream
from ._hub import Hub, RemoteHub, connect
from ._protocol import HubProtocol
from ._work import Job, Worker

__all__ = [
    "EntityHandle",
    "EventStream",
    "Hub",
    "HubProtocol",
    "Job",
    "RemoteHub",
    "Worker",
    "connect",
]
