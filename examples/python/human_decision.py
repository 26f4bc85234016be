"""An AI needs the approval of a person, and waits for it.

The person is a second thread here. In life it is somebody at the hub's page, where the same question stands.
"""

from __future__ import annotations

from threading import Thread

import coordhub
from coordhub import EntityHandle, EventStream
from hub import opened


def person(maria: EntityHandle, news: EventStream) -> None:
    """Looks at what waits for her, and decides."""
    next(news)
    for task in maria.attention().questions:
        assert task.question is not None
        print(f"maria is asked: {task.title} {task.question.options}")
        maria.answer(task.task_id, task.question.options[0])


def main() -> None:
    """Runs it."""
    with opened() as hub:
        marketing = hub.entity("marketing-ai")
        maria = hub.entity("maria", type="human", name="Maria")
        human = Thread(
            target=person, args=[maria, maria.events(kinds=["task_created"])]
        )
        human.start()
        decision = marketing.ask(
            "Approve $10K marketing spend",
            options=["approved", "declined"],
            priority="high",
        )
        human.join()
        assert decision == "approved"
        print(f"marketing-ai reads: {decision}")

        # An AI cannot approve its own spending.
        question = marketing.ask_question(
            "And $20K more?", options=["approved", "declined"]
        )
        try:
            marketing.answer(question.task_id, "approved")
            raise AssertionError("an AI has answered for a human")
        except coordhub.Forbidden as why:
            assert why.code == "requires_human", why.facts
            print(f"marketing-ai may not: {why}")


if __name__ == "__main__":
    main()
