"""What the examples share: the hub that COORDHUB_URL names, or one in the process that is gone in the end."""

from __future__ import annotations

import os

import coordhub


def opened() -> coordhub.HubProtocol:
    """The hub. What is written for one of them runs with the other."""
    url = os.environ.get("COORDHUB_URL")
    return coordhub.connect(url) if url else coordhub.Hub(":memory:")
