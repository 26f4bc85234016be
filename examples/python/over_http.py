"""Without the package: a hub over HTTP, with nothing but the standard library.

The hub is the one that COORDHUB_URL names, or the one on this machine.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

URL = os.environ.get("COORDHUB_URL", "http://localhost:8550").rstrip("/")

# A proxy for the outside world must not catch calls to this machine.
_opener = build_opener(ProxyHandler({}))


class Refused(Exception):
    """The hub said no: `code` is for programs, the text for people."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.code: str = problem["code"]
        self.problem = problem


def post(path: str, **fields: Any) -> dict[str, Any]:
    """Changes something. It is on disk when this returns."""
    return _call(Request(URL + path, data=json.dumps(fields).encode()))


def get(path: str, **query: Any) -> dict[str, Any]:
    """Reads something."""
    return _call(Request(f"{URL}{path}?{urlencode(query)}"))


def _call(request: Request) -> dict[str, Any]:
    try:
        # Longer than the 60 seconds that a call may be asked to wait.
        with _opener.open(request, timeout=90) as answer:
            reply: dict[str, Any] = json.load(answer)
            return reply
    except HTTPError as refusal:
        raise Refused(json.load(refusal)) from None


def main() -> None:
    """Runs it."""
    for me in ("claude", "gpt"):
        post("/entities/register", entity_id=me, entity_type="ai_agent")
    task = post("/tasks/create", title="Write the report", created_by="claude")[
        "task_id"
    ]
    claim = post(f"/tasks/{task}/claim", entity_id="gpt")
    try:
        post(f"/tasks/{task}/claim", entity_id="claude")
        raise AssertionError("two have claimed one task")
    except Refused as why:
        assert why.code == "task_already_claimed", why.problem
        print(f"claude: {why}")
    post(
        f"/tasks/{task}/complete",
        claim_token=claim["claim_token"],
        result={"pages": 12},
    )
    post(
        "/messages/send", from_entity="gpt", to_entity="claude", content="It is written"
    )
    for message in get("/messages/for/claude", unread="true")["messages"]:
        print(f"claude reads from {message['from_entity']}: {message['content']}")
    done = get(f"/tasks/{task}", wait_seconds=30)
    assert (done["status"], done["result"]) == ("completed", {"pages": 12}), done
    print(f"{done['claimed_by']} did it: {done['result']}")


if __name__ == "__main__":
    main()
