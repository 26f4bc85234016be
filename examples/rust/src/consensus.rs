//! An important decision needs more than three quarters of the votes. The one who proposes waits for it.

use std::thread;

use coordhub_core::{
    Hub, Outcome,
    command::{CastVote, Closing, Command, CreateProposal, Deadline, Elector},
    event::Event,
    ids::ProposalId,
    model::{Choice, EntityType, ProposalStatus, Threshold},
    subscribe::Subscription,
};
use coordhub_examples::{Actor, Failure, joined, wait_for};

const VOTERS: [(&str, EntityType, Choice); 5] = [
    ("gemini", EntityType::AiAgent, Choice::Against),
    ("claude", EntityType::ClaudeSession, Choice::For),
    ("gpt", EntityType::AiAgent, Choice::For),
    ("ada", EntityType::Human, Choice::For),
    ("maria", EntityType::Human, Choice::For),
];

fn main() -> Result<(), Failure> {
    let hub = Hub::in_memory()?;
    let voters = VOTERS
        .iter()
        .map(|(id, kind, choice)| Ok((Actor::register(&hub, id, *kind)?, *choice)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let proposer = Actor::register(&hub, "deployer", EntityType::Service)?;
    let hears = proposer.follow(&["proposal_decided"]);

    let reply = proposer.call(Command::CreateProposal(CreateProposal {
        proposal_id: None,
        title: "Deploy to production".to_owned(),
        description: String::new(),
        threshold: Threshold::DEFAULT, // More than 0.75.
        quorum: None,
        deadline: Deadline::DEFAULT,
        electorate: Some(voters.iter().map(|(v, _)| Elector::Entity(v.id.clone())).collect()),
        requires_human: true,
        closing: Closing::Early,
    }))?;
    let Outcome::Proposal { proposal, .. } = reply.outcome else { return Err("none".into()) };

    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for_decision(&proposal.proposal_id, hears));
        for (voter, vote) in &voters {
            let (proposal_id, vote) = (proposal.proposal_id.clone(), *vote);
            voter.call(Command::CastVote(CastVote { proposal_id, vote, comment: None }))?;
            println!("{} votes {vote}", voter.id);
        }
        assert_eq!(joined(waiting)?, ProposalStatus::Approved);
        Ok::<_, Failure>(())
    })?;
    let tally = hub.proposal(&proposal.proposal_id)?.tally;
    println!("approved by {} of {}: {} deploys", tally.r#for, tally.eligible, proposer.id);
    Ok(())
}

fn wait_for_decision(
    proposal: &ProposalId,
    mut heard: Subscription,
) -> Result<ProposalStatus, Failure> {
    wait_for(&mut heard, |entry| match entry.event() {
        Some(Event::ProposalDecided(decided)) if decided.proposal_id == *proposal => {
            Some(decided.status)
        }
        _ => None,
    })
}
