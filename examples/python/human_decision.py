"""An AI needs the approval of a person, and waits for it.

The person is a second thread here. In life it is somebody at the hub's page, where the same question stands.
"""

from __future__ import annotations

from threading import Thread

from hub import Refused, get, post


def person(since: int) -> None:
    """Looks at what waits for her, and decides."""
    get("/events", since=since, wait=30, kinds="task_created")
    for question in get("/entities/maria/attention")["questions"]:
        options = question["question"]["options"]
        print(f"maria is asked: {question['title']} {options}")
        post(f"/tasks/{question['task_id']}/answer", entity_id="maria", answer=options[0])


def main() -> None:
    """Runs it."""
    post("/entities/register", entity_id="marketing-ai", entity_type="ai_agent")
    since = post("/entities/register", entity_id="maria", entity_type="human", name="Maria")["seq"]
    human = Thread(target=person, args=[since])
    human.start()

    asked = post(
        "/questions/ask",
        asked_by="marketing-ai",
        question="Approve $10K marketing spend",
        options=["approved", "declined"],
        priority="high",
    )
    question = f"/tasks/{asked['task_id']}"

    # An AI cannot approve its own spending.
    try:
        post(f"{question}/answer", entity_id="marketing-ai", answer="approved")
        raise AssertionError("an AI has answered for a human")
    except Refused as why:
        assert why.code == "requires_human", why.problem

    decision = get(question, wait_seconds=30)
    human.join()
    assert (decision["status"], decision["claimed_by"]) == ("completed", "maria"), decision
    assert decision["result"] == "approved", decision
    print(f"marketing-ai reads: {decision['result']} by {decision['claimed_by']}")


if __name__ == "__main__":
    main()
