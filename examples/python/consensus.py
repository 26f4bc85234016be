"""An important decision needs more than three quarters of the votes.

The one who proposes waits for the decision while the others vote.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from coordhub import EntityType
from hub import opened

VOTERS: dict[str, EntityType] = {
    "claude": "claude_session",
    "gpt": "ai_agent",
    "gemini": "ai_agent",
    "ada": "human",
    "maria": "human",
}


def main() -> None:
    """Runs it."""
    with opened() as hub, ThreadPoolExecutor() as pool:
        voters = {name: hub.entity(name, type=kind) for name, kind in VOTERS.items()}
        with hub.events(kinds=["proposal_created"]) as news:
            # Without an electorate everybody who was seen within a day has a vote.
            decision = pool.submit(
                voters["claude"].propose,
                "Deploy to production",
                electorate=list(VOTERS),
                threshold=0.75,
                requires_human=True,
            )
            proposal = next(news).data["proposal"]["proposal_id"]

        voters["gemini"].vote(
            proposal, "against", comment="The tests are red on my machine"
        )
        for name in ("claude", "gpt", "ada", "maria"):
            state = voters[name].vote(proposal, "for")
            print(f"{name} is for it: {state.tally}, {state.status}")

        # Three of four is not more than 75 %; four of five is.
        decided = decision.result()
        assert decided.status == "approved", decided
        tally = decided.tally
        assert (tally.for_, tally.against, tally.eligible) == (4, 1, 5), decided
        print("approved: claude deploys")


if __name__ == "__main__":
    main()
