"""A server is in trouble: everybody is told, one takes it on, and the monitor sees who knows.

The message and its task come into being together. `ack_required` asks everybody to say that they have seen it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import coordhub
from coordhub import EntityHandle, EntityType, EventStream
from hub import opened

RESPONDERS: dict[str, EntityType] = {
    "claude": "claude_session",
    "gpt": "ai_agent",
    "deployer": "service",
    "maria": "human",
}


def respond(me: EntityHandle, alarms: EventStream) -> coordhub.Claim | None:
    """Waits for an emergency, confirms that it was seen, and goes for its task."""
    message = next(alarms).data
    me.ack(message["message_id"])
    try:
        claim = me.claim(message["metadata"]["hub"]["task_id"])
    except coordhub.AlreadyClaimed as lost:
        print(f"{me.entity_id} stands by: {lost.claimed_by} has it")
        return None
    print(f"{me.entity_id} takes it: {message['content']}")
    return claim


def main() -> None:
    """Runs it."""
    with opened() as hub, ThreadPoolExecutor() as pool:
        everybody = [hub.entity(name, type=kind) for name, kind in RESPONDERS.items()]
        monitor = hub.entity("monitor", type="service")
        # Everybody listens before anything happens.
        listening = [
            (me, me.events(kinds=["message_sent"], channels=["urgent"]))
            for me in everybody
        ]
        answers = [pool.submit(respond, me, alarms) for me, alarms in listening]
        alarm = monitor.send(
            "🚨 Server CPU critical - need immediate action",
            channel="urgent",
            message_type="alert",
            ack_required=True,
            task={"title": "Bring the CPU load down", "priority": "urgent"},
        )
        [claim] = [claim for answer in answers if (claim := answer.result())]
        hub.complete(
            claim.task_id, result="restarted the indexer", claim_token=claim.claim_token
        )
        receipts = monitor.receipts(alarm.message_id).recipients
        acked = {receipt.entity_id for receipt in receipts if receipt.acked_at}
        assert acked == set(RESPONDERS), receipts
        # Until now it was shown to everybody who came.
        monitor.resolve(alarm.message_id)
        assert monitor.receipts(alarm.message_id).resolved_at
        print(
            f"{claim.claimed_by} has done it; all {len(acked)} had seen it; the alarm is over"
        )


if __name__ == "__main__":
    main()
