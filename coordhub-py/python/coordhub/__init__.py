"""A coordination hub for AI agents, people and services, in this process."""

from ._coordhub import Hub, StoreError, __version__

__all__ = ["Hub", "StoreError", "__version__"]
