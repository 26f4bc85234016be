"""Two agents and a human on one hub, in one process.

The agents are workers that go for the same tasks; each task is done exactly once. The human approves what they found.
"""

from __future__ import annotations

from collections import Counter
from threading import Thread

import coordhub
from hub import opened

CHUNKS = 10


def count(job: coordhub.Job) -> dict[str, int]:
    """What an agent does with a task: whatever it returns is the task's result."""
    return {"words": len(job.description.split())}


def approves(maria: coordhub.EntityHandle) -> None:
    """The human reads what is for her alone, and answers what is asked."""
    for message in maria.inbox(direct=True):
        print(f"maria reads from {message.from_entity}: {message.content}")
        for question in maria.attention().questions:
            maria.answer(question.task_id, "yes")
        return


def main() -> None:
    """Runs it."""
    with opened() as hub:
        claude = hub.entity("claude", type="claude_session")
        gpt = hub.entity("gpt", type="ai_agent")
        maria = hub.entity("maria", type="human", name="Maria")
        chunks = claude.create_tasks(
            [
                {
                    "title": f"Chunk {n}",
                    "description": " ".join(["word"] * n),
                    "tags": ["chunk"],
                }
                for n in range(CHUNKS)
            ]
        )
        for agent in (claude, gpt):
            agent.worker(tags=["chunk"])(count).start()
        done = [claude.wait_for_task(chunk.task_id) for chunk in chunks]
        won = Counter(task.claimed_by for task in done)
        assert sum(won.values()) == CHUNKS, won

        total = sum(task.result["words"] for task in done)
        question = gpt.ask_question(f"Publish: {total} words?", options=["yes", "no"])
        reader = Thread(target=approves, args=[maria])
        reader.start()
        gpt.send("Please look", to_entity="maria")
        answer = gpt.wait_for_task(question.task_id).result
        reader.join()
        assert answer == "yes"
        print(
            f"{total} words in {CHUNKS} chunks, each counted once; maria says {answer}"
        )


if __name__ == "__main__":
    main()
