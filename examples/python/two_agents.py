"""Two agents and a human on one hub, in one process.

The agents are threads that go for the same tasks; each task is won exactly once. The human approves what they found.
"""

from __future__ import annotations

import threading

import coordhub

CHUNKS = 10


def work(hub: coordhub.Hub, me: str) -> int:
    """Claims and completes every task that is left; how many it won."""
    won = 0
    while ready := hub.tasks(ready_for=me, tag="chunk"):
        for task in ready:
            try:
                claim = hub.claim(task.task_id, entity_id=me)
            except (coordhub.AlreadyClaimed, coordhub.Conflict):
                continue  # Another was first.
            result = {"words": len(claim.description.split())}
            hub.complete(claim.task_id, result=result, entity_id=me, claim_token=claim.claim_token)
            won += 1
    return won


def main() -> None:
    """Runs it."""
    # A file name instead of ":memory:" keeps everything, and nothing else would change.
    with coordhub.Hub(":memory:") as hub:
        hub.register("claude", "claude_session")
        hub.register("gpt", "ai_agent")
        hub.register("maria", "human", name="Maria")
        for number in range(CHUNKS):
            text = " ".join(["word"] * number)
            hub.create_task(f"Count chunk {number}", description=text, tags=["chunk"])

        won: dict[str, int] = {}
        agents = [
            threading.Thread(target=lambda me=me: won.update({me: work(hub, me)}))
            for me in ("claude", "gpt")
        ]
        for agent in agents:
            agent.start()
        for agent in agents:
            agent.join()
        assert sum(won.values()) == CHUNKS, won

        total = sum(task.result["words"] for task in hub.tasks(status="completed"))
        approval = hub.create_task(f"Publish: {total} words?", requires_human=True)
        hub.send("Please look", from_entity="claude", to_entity="maria")
        for message in hub.inbox("maria", unread=True):
            print(f"maria reads from {message.from_entity}: {message.content}")
        hub.claim(approval.task_id, entity_id="maria")
        hub.complete(approval.task_id, result="yes", entity_id="maria")
        print(f"{total} words in {CHUNKS} chunks, each counted once; approved by maria")


if __name__ == "__main__":
    main()
