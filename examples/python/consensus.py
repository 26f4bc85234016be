"""An important decision needs more than three quarters of the votes.

The one who proposes waits for the decision while the others vote.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hub import get, post

VOTERS = {
    "claude": "claude_session",
    "gpt": "ai_agent",
    "gemini": "ai_agent",
    "ada": "human",
    "maria": "human",
}


def main() -> None:
    """Runs it."""
    for voter, kind in VOTERS.items():
        post("/entities/register", entity_id=voter, entity_type=kind)

    # Without an electorate everybody who was seen within a day has a vote.
    proposal = post(
        "/proposals/create",
        title="Deploy to production",
        proposed_by="claude",
        electorate=list(VOTERS),
        threshold=0.75,
        requires_human=True,
    )["proposal_id"]

    with ThreadPoolExecutor() as pool:
        decision = pool.submit(get, f"/proposals/{proposal}", wait_seconds=30)
        vote = f"/proposals/{proposal}/vote"
        post(vote, entity_id="gemini", vote="against", comment="The tests are red on my machine")
        for voter in ("claude", "gpt", "ada", "maria"):
            state = post(vote, entity_id=voter, vote="for")
            print(f"{voter} is for it: {state['tally']}, {state['proposal_status']}")
        decided = decision.result()

    # Three of four is not more than 75 %; four of five is.
    assert decided["status"] == "approved", decided
    assert decided["tally"] == {"for": 4, "against": 1, "abstain": 0, "eligible": 5}, decided
    print("approved: claude deploys")


if __name__ == "__main__":
    main()
