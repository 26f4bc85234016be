"""Two sessions build one product: session #2 the API, session #5 the UI that needs it.

They talk on the channel `technical`, and a dependency between two tasks says who waits for whom. Each session
is a thread here; in life each is a program of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hub import get, post


def say(me: str, content: str, **more: Any) -> dict[str, Any]:
    """Says something on `technical`."""
    return post("/messages/send", from_entity=me, channel="technical", content=content, **more)


def hear(me: str, since: int) -> tuple[dict[str, Any], int]:
    """The next message of somebody else on `technical`, and the position after it."""
    wanted = {"kinds": "message_sent", "channels": "technical", "entity_id": me, "limit": 1}
    while True:
        news = get("/events", since=since, wait=30, **wanted)
        since = news["next"]
        for event in news["events"]:
            message: dict[str, Any] = event["data"]
            if message["from_entity"] != me:
                print(f"{me} hears {message['from_entity']}: {message['content']}")
                return message, since


def session_2(since: int) -> None:
    """Builds the API, and finds somebody for the UI."""
    api = post("/tasks/create", title="Build the API", created_by="session-2")["task_id"]
    post(f"/tasks/{api}/claim", entity_id="session-2")
    # The message and the task come into being together; the task is blocked until the API is there.
    ui = {"title": "Build the UI", "depends_on": [api]}
    question = say("session-2", "I build the API. Who builds the UI?", task=ui)

    offer, since = hear("session-2", since)
    assert offer["reply_to"] == question["message_id"]

    url = "localhost:8401"
    post(f"/tasks/{api}/complete", entity_id="session-2", result={"url": url})
    say("session-2", f"API endpoints ready at {url}")

    built = get(f"/tasks/{question['task_id']}", wait_seconds=30)
    assert built["status"] == "completed", built
    print(f"session-2 sees what {built['claimed_by']} built: {built['result']}")


def session_5(since: int) -> None:
    """Builds the UI as soon as the API is there."""
    question, since = hear("session-5", since)
    ui = question["metadata"]["hub"]["task_id"]
    say("session-5", "I do", reply_to=question["message_id"])

    # Answered when the API is completed: only then can the UI be claimed.
    task = get(f"/tasks/{ui}", until="open", wait_seconds=30)
    post(f"/tasks/{ui}/claim", entity_id="session-5")
    ready, since = hear("session-5", since)
    say("session-5", "Thanks! Integrating UI now", reply_to=ready["message_id"])
    api = get(f"/tasks/{task['depends_on'][0]}")["result"]
    post(f"/tasks/{ui}/complete", entity_id="session-5", result=f"a UI on {api['url']}")


def main() -> None:
    """Runs it."""
    for me in ("session-2", "session-5"):
        # Both listen from here on, so that nothing is missed, whoever is quicker.
        since = post("/entities/register", entity_id=me, entity_type="claude_session")["seq"]
    with ThreadPoolExecutor() as pool:
        for session in [pool.submit(session_2, since), pool.submit(session_5, since)]:
            session.result()


if __name__ == "__main__":
    main()
