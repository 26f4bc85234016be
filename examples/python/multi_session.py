"""Two sessions build one product: session #2 the API, session #5 the UI that needs it.

They talk on the channel `technical`, and a dependency between two tasks says who waits for whom. Each session is a
coroutine here; in life each is a program of its own, and connects to the hub.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from coordhub import aio


def opened() -> aio.HubProtocol:
    """The hub that COORDHUB_URL names, or one in the process."""
    url = os.environ.get("COORDHUB_URL")
    return aio.connect(url) if url else aio.Hub(":memory:")


async def hear(me: aio.EntityHandle, events: aio.EventStream) -> dict[str, Any]:
    """The next message of somebody else on `technical`."""
    async for event in events:
        message = event.data
        if message["from_entity"] != me.entity_id:
            print(
                f"{me.entity_id} hears {message['from_entity']}: {message['content']}"
            )
            return message
    raise AssertionError("the hub has gone")


async def session_2(me: aio.EntityHandle, heard: aio.EventStream) -> None:
    """Builds the API, and finds somebody for the UI."""
    api = await me.create_task("Build the API")
    await me.claim(api.task_id)
    # The message and the task come into being together; the task is blocked until the API is there.
    question = await me.send(
        "I build the API. Who builds the UI?",
        channel="technical",
        task={"title": "Build the UI", "depends_on": [api.task_id]},
    )
    offer = await hear(me, heard)
    assert offer["reply_to"] == question.message_id and question.task_id is not None

    url = "localhost:8401"
    await me.complete(api.task_id, result={"url": url})
    await me.send(f"API endpoints ready at {url}", channel="technical")

    built = await me.wait_for_task(question.task_id)
    assert built.status == "completed", built
    print(f"session-2 sees what {built.claimed_by} built: {built.result}")


async def session_5(me: aio.EntityHandle, heard: aio.EventStream) -> None:
    """Builds the UI as soon as the API is there."""
    question = await hear(me, heard)
    ui = question["metadata"]["hub"]["task_id"]
    await me.send("I do", channel="technical", reply_to=question["message_id"])

    # Answered when the API is completed: only then can the UI be claimed.
    task = await me.get_task(ui, until="open", wait_seconds=30)
    await me.claim(ui)
    ready = await hear(me, heard)
    await me.send(
        "Thanks! Integrating UI now", channel="technical", reply_to=ready["message_id"]
    )
    api = await me.get_task(task.depends_on[0])
    await me.complete(ui, result=f"a UI on {api.result['url']}")


async def main() -> None:
    """Runs it."""
    async with opened() as hub:
        two = await hub.entity("session-2", type="claude_session")
        five = await hub.entity("session-5", type="claude_session")
        # Both listen from here on, so that nothing is missed, whoever is quicker.
        heard = [
            me.events(kinds=["message_sent"], channels=["technical"])
            for me in (two, five)
        ]
        await asyncio.gather(session_2(two, heard[0]), session_5(five, heard[1]))


if __name__ == "__main__":
    asyncio.run(main())
