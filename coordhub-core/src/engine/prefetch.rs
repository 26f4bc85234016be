//! Looks up what a command can touch and memory does not hold.

use crate::{
    command::Command,
    hub::{Prefetched, SoftFacts, State},
    ids::{ProposalId, TaskId},
    store::{Store, StoreError},
};

/// Everything that deciding `command` may ask for, beyond the state.
///
/// Messages always come from the store: their ids are made by the hub and told after the commit, so
/// nobody can name one of the batch that is being decided.
pub(super) fn prefetch<'a>(
    state: &State,
    store: &mut dyn Store,
    soft: &'a dyn SoftFacts,
    command: &Command,
) -> Result<Prefetched<'a>, StoreError> {
    let mut known = Prefetched::new(soft);
    match command {
        Command::Send(send) => {
            if let Some(id) = &send.reply_to {
                known.messages.insert(id.clone(), store.message(id)?);
            }
        }
        // Too many are refused before any is looked at.
        Command::CreateTask(create) if create.depends_on.len() > state.limits().depends_on_max => {}
        Command::CreateTask(create) => {
            for id in create.task_id.iter().chain(&create.depends_on) {
                fetch_task(state, store, &mut known, id)?;
            }
        }
        Command::UpdateTask(update) => fetch_task(state, store, &mut known, &update.task_id)?,
        Command::ClaimTask(claim) => fetch_task(state, store, &mut known, &claim.task_id)?,
        Command::CompleteTask(complete) => {
            fetch_task(state, store, &mut known, &complete.task_id)?;
        }
        Command::FailTask(fail) => fetch_task(state, store, &mut known, &fail.task_id)?,
        Command::ReleaseTask(release) => fetch_task(state, store, &mut known, &release.task_id)?,
        Command::CancelTask(id) => fetch_task(state, store, &mut known, id)?,
        Command::ReopenTask(id) => {
            fetch_task(state, store, &mut known, id)?;
            // Whether it is open or blocked then hangs on tasks that may have been finished long ago.
            let cold = || known.tasks.get(id).and_then(Option::as_ref);
            let task = state.task(id).or_else(cold).cloned();
            for blocker in task.iter().flat_map(|task| &task.depends_on) {
                fetch_task(state, store, &mut known, blocker)?;
            }
        }
        Command::CreateProposal(create) => {
            if let Some(id) = &create.proposal_id {
                fetch_proposal(state, store, &mut known, id)?;
            }
        }
        Command::CastVote(vote) => fetch_proposal(state, store, &mut known, &vote.proposal_id)?,
        Command::CloseProposal(id) | Command::WithdrawProposal(id) => {
            fetch_proposal(state, store, &mut known, id)?;
        }
        Command::Register(_) | Command::Remove(_) | Command::MoveCursor(_) | Command::Tick => {}
    }
    Ok(known)
}

fn fetch_task(
    state: &State,
    store: &mut dyn Store,
    known: &mut Prefetched<'_>,
    id: &TaskId,
) -> Result<(), StoreError> {
    if state.task(id).is_none() && !known.tasks.contains_key(id) {
        known.tasks.insert(id.clone(), store.task(id)?.map(Into::into));
    }
    Ok(())
}

fn fetch_proposal(
    state: &State,
    store: &mut dyn Store,
    known: &mut Prefetched<'_>,
    id: &ProposalId,
) -> Result<(), StoreError> {
    if state.proposal(id).is_none() {
        known.proposals.insert(id.clone(), store.proposal(id)?.map(Into::into));
    }
    Ok(())
}
