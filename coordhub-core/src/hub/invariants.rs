//! What is true of every state, whatever happened. Tests call this after every step.

use super::{Comparisons, Seeker, State};
use crate::model::{ProposalStatus, TaskStatus};

/// Names the first invariant that does not hold.
pub fn check(state: &State) -> Result<(), String> {
    for task in state.tasks() {
        let id = &task.task_id;
        let held = task.status == TaskStatus::InProgress;
        ensure(!task.status.is_finished(), || format!("{id} is finished and in the order"))?;
        ensure(held == task.claimed_by.is_some(), || format!("{id}: holder and status disagree"))?;
        ensure(!held || task.claim_token > 0, || format!("{id} is held without a token"))?;
        let blocked = task.status == TaskStatus::Blocked;
        ensure(blocked != task.blocked_by.is_empty(), || {
            format!("{id}: blockers and status disagree")
        })?;
        for blocker in &task.blocked_by {
            let known = state.dependents(blocker).any(|t| t.task_id == *id);
            ensure(known, || format!("{id} is not among the dependents of {blocker}"))?;
        }
        let leased = task.lease_expires_at.is_some();
        ensure(leased == task.lease_seconds.is_some(), || format!("{id}: half a lease"))?;
        ensure(!leased || held, || format!("{id} has a lease and no holder"))?;
        ensure(!held || task.lapsed_holder.is_none(), || format!("{id} is held and has lapsed"))?;
        if let Some(holder) = &task.claimed_by {
            let known = state.claims(holder).any(|t| t.task_id == *id);
            ensure(known, || format!("{id} is not among the claims of {holder}"))?;
        }
    }
    check_reservations(state)?;
    let open = state.tasks().filter(|task| task.status == TaskStatus::Open).count();
    ensure(open == state.open_tasks(), || "the open tasks and those that wait differ".to_owned())?;
    ensure(state.deadlines_agree(), || "what is due and the deadlines differ".to_owned())?;
    for call in state.roll_calls().filter(|call| call.is_open()) {
        for id in call.missing() {
            let owes = state.acks_owed(id).any(|owed| owed.message_id == call.message_id);
            ensure(owes, || format!("{id} does not owe what {} asks", call.message_id))?;
        }
    }
    for proposal in state.proposals() {
        let (id, tally) = (&proposal.proposal_id, proposal.tally);
        let cast = tally.r#for + tally.against + tally.abstain;
        ensure(cast == proposal.votes.len() as u64, || format!("{id}: tally and votes disagree"))?;
        ensure(cast <= tally.eligible, || format!("{id}: more votes than electors"))?;
        let electors = proposal.electorate.len() as u64;
        ensure(tally.eligible == electors, || format!("{id}: tally and electorate disagree"))?;
        let open = proposal.status == ProposalStatus::Open;
        ensure(open == proposal.decided_at.is_none(), || {
            format!("{id}: status and time disagree")
        })?;
    }
    for (name, channel) in state.channels() {
        ensure(channel.head <= state.head(), || format!("channel {name} is ahead of the log"))?;
    }
    check_private_channels(state)?;
    for (_, entity) in state.entities() {
        let id = &entity.entity_id;
        let cursors = state.cursors(id);
        let behind = cursors.is_some_and(|c| c.all <= state.head() && c.direct <= state.head());
        ensure(behind, || format!("the cursors of {id} are missing or ahead of the log"))?;
    }
    Ok(())
}

/// Nobody is in anybody's way, and everything that holds is found from everywhere.
fn check_reservations(state: &State) -> Result<(), String> {
    let reserved = state.reservations();
    let mut resources = 0;
    for one in reserved.in_order(..) {
        let id = &one.reservation_id;
        resources += one.resources.len();
        ensure(reserved.of(&one.entity_id).any(|own| own == one), || {
            format!("{id} is not among those of its holder")
        })?;
        let (seeker, stranger) = (
            Seeker { entity_id: Some(&one.entity_id), exclusive: one.exclusive },
            Seeker { entity_id: None, exclusive: true },
        );
        for resource in &one.resources {
            let conflicts = |seeker, most| {
                reserved
                    .conflicts(resource, seeker, most, &mut Comparisons::default())
                    .map_err(|why| format!("{id}: {why}"))
            };
            ensure(conflicts(seeker, 1)?.is_empty(), || format!("{id} is in somebody's way"))?;
            let found = conflicts(stranger, usize::MAX)?;
            ensure(found.iter().any(|conflict| conflict.reservation_id == *id), || {
                format!("{id} is not found by {resource}")
            })?;
        }
    }
    let counted = reserved.in_order(..).count() == reserved.len();
    ensure(counted && resources == reserved.resources(), || "reservations are miscounted".into())
}

/// Only who is registered belongs to a private channel, and each finds its own.
fn check_private_channels(state: &State) -> Result<(), String> {
    for (name, membership) in state.private_channels().iter() {
        ensure(state.channel(name).is_some(), || format!("private channel {name} is no channel"))?;
        for id in membership.members.keys() {
            let kind = state.entity(id).map(|entity| entity.entity_type);
            let kind = kind.ok_or_else(|| format!("{id} is a member of {name} and gone"))?;
            let finds = state.private_channels().readable(id, kind).any(|own| own == name);
            ensure(finds, || format!("{id} does not find {name}"))?;
        }
    }
    Ok(())
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
