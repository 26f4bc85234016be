"""What schemathesis is told about the hub: calls that wait are not waited for."""

from __future__ import annotations

from typing import Any

import schemathesis

WAITS = ("wait", "wait_seconds")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """A wait that is good is cut to none at all; one that is wrong stays wrong."""
    for part in (case.query, case.body):
        if isinstance(part, dict):
            for name in WAITS:
                value = part.get(name)
                if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 60:
                    part[name] = 0
                elif isinstance(value, str) and value.isascii() and value.isdigit() and int(value) <= 60:
                    part[name] = "0"
