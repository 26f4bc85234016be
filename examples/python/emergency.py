"""A server is in trouble: everybody is told, one takes it on, and the monitor sees who knows.

The message and its task come into being together. `ack_required` asks everybody to say that they have seen it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hub import Refused, get, post

RESPONDERS = {
    "claude": "claude_session",
    "gpt": "ai_agent",
    "deployer": "service",
    "maria": "human",
}


def respond(me: str, since: int) -> bool:
    """Waits for an emergency, confirms that it was seen, and goes for its task; whether it was won."""
    urgent = {"kinds": "message_sent", "channels": "urgent", "entity_id": me}
    alarm = get("/events", since=since, wait=30, **urgent)
    message = alarm["events"][0]["data"]
    post(f"/messages/{message['message_id']}/ack", entity_id=me)
    try:
        post(f"/tasks/{message['metadata']['hub']['task_id']}/claim", entity_id=me)
        print(f"{me} takes it: {message['content']}")
        return True
    except Refused as why:
        assert why.code == "task_already_claimed", why.problem
        print(f"{me} stands by: {why.problem['claimed_by']} has it")
        return False


def main() -> None:
    """Runs it."""
    for responder, kind in RESPONDERS.items():
        post("/entities/register", entity_id=responder, entity_type=kind)
    since = post("/entities/register", entity_id="monitor", entity_type="service")["seq"]

    with ThreadPoolExecutor() as pool:
        answers = {me: pool.submit(respond, me, since) for me in RESPONDERS}
        alarm = post(
            "/messages/send",
            from_entity="monitor",
            channel="urgent",
            message_type="alert",
            content="🚨 Server CPU critical - need immediate action",
            ack_required=True,
            task={"title": "Bring the CPU load down", "priority": "urgent"},
        )
        winners = [me for me, answer in answers.items() if answer.result()]
    [winner] = winners
    post(f"/tasks/{alarm['task_id']}/complete", entity_id=winner, result="restarted the indexer")
    message = f"/messages/{alarm['message_id']}"
    receipts = get(f"{message}/receipts", entity_id="monitor")
    acked = {receipt["entity_id"] for receipt in receipts["recipients"] if receipt["acked_at"]}
    assert acked == set(RESPONDERS), receipts
    # Until now it was shown to everybody who came.
    post(f"{message}/resolve", entity_id="monitor")
    assert get(f"{message}/receipts", entity_id="monitor")["resolved_at"]
    print(f"{winner} has done it; all {len(acked)} had seen it; the alarm is over")


if __name__ == "__main__":
    main()
