//! Looks up what a command can touch and memory does not hold.

use crate::{
    command::{Command, CreateTask, Envelope, Key, Send},
    hub::{KeyId, Prefetched, SoftFacts, State},
    ids::{EntityId, ProposalId, TaskId},
    store::{Store, StoreError},
};

/// Everything that deciding a command may ask for, beyond the state.
///
/// Messages always come from the store: their ids are made by the hub and told after the commit, so
/// nobody can name one of the batch that is being decided.
pub(super) fn prefetch<'a>(
    state: &State,
    store: &mut dyn Store,
    soft: &'a dyn SoftFacts,
    envelope: &Envelope,
) -> Result<Prefetched<'a>, StoreError> {
    let mut known = Prefetched::new(soft);
    if let (Some(key), Some(caller)) = (&envelope.key, &envelope.caller.id) {
        fetch_key(state, store, &mut known, key, caller)?;
    }
    match &envelope.command {
        Command::Send(send) => fetch_for_send(state, store, &mut known, send)?,
        Command::SendBatch(sends) => {
            for send in sends {
                fetch_for_send(state, store, &mut known, send)?;
            }
        }
        Command::AckMessage(id) => {
            known.messages.insert(id.clone(), store.message(id)?);
            if let Some(caller) = &envelope.caller.id {
                let receipt = store.receipt(id, caller)?;
                known.receipts.insert((id.clone(), caller.clone()), receipt);
            }
        }
        Command::ResolveRollCall(id) => {
            known.messages.insert(id.clone(), store.message(id)?);
        }
        Command::RedactMessage(id) => {
            known.messages.insert(id.clone(), store.message(id)?);
            if store.is_redacted(id)? {
                known.redacted.insert(id.clone());
            }
        }
        Command::CreateTask(create) => fetch_for_create(state, store, &mut known, create)?,
        Command::CreateTasks(creates) => {
            for create in creates {
                fetch_for_create(state, store, &mut known, create)?;
            }
        }
        Command::UpdateTask(update) => fetch_task(state, store, &mut known, &update.task_id)?,
        Command::ClaimTask(claim) => fetch_task(state, store, &mut known, &claim.task_id)?,
        Command::CompleteTask(complete) => {
            fetch_with_blockers(state, store, &mut known, &complete.task_id)?;
            if let Some(token) = complete.claim_token
                && store.has_late_result(&complete.task_id, token)?
            {
                known.late_results.insert((complete.task_id.clone(), token));
            }
        }
        Command::RenewLease(renew) => fetch_task(state, store, &mut known, &renew.task_id)?,
        Command::ReassignTask(id) => fetch_task(state, store, &mut known, id)?,
        Command::AnswerTask(answer) => fetch_task(state, store, &mut known, &answer.task_id)?,
        Command::FailTask(fail) => fetch_task(state, store, &mut known, &fail.task_id)?,
        Command::ReleaseTask(release) => fetch_task(state, store, &mut known, &release.task_id)?,
        Command::CancelTask(id) => fetch_task(state, store, &mut known, id)?,
        Command::ReopenTask(id) => fetch_with_blockers(state, store, &mut known, id)?,
        Command::CreateProposal(create) => {
            if let Some(id) = &create.proposal_id {
                fetch_proposal(state, store, &mut known, id)?;
            }
        }
        Command::CastVote(vote) => fetch_proposal(state, store, &mut known, &vote.proposal_id)?,
        Command::CloseProposal(id) | Command::WithdrawProposal(id) => {
            fetch_proposal(state, store, &mut known, id)?;
        }
        // What stands in the tail is no older than a moment.
        Command::GiveUp(old) => {
            known.newest_old = store.history().newest_before(old.what, old.before)?;
        }
        Command::Register(_)
        | Command::Join(_)
        | Command::Remove(_)
        | Command::MoveCursor(_)
        | Command::CreateChannel(_)
        | Command::JoinChannel(_)
        | Command::LeaveChannel(_)
        | Command::InviteToChannel(_)
        | Command::ClaimNext(_)
        | Command::RenewLeases
        | Command::ReturnClaim(_)
        | Command::MoveLeases(_)
        // Claims and reservations that hold are all in memory.
        | Command::AcquireReservation(_)
        | Command::RenewReservation(_)
        | Command::ReleaseReservation(_)
        | Command::HandOff(_)
        | Command::FreeReservations(_)
        | Command::Prune(_)
        // So is everything about tokens and invites.
        | Command::MakeInvite(_)
        | Command::RevokeInvite(_)
        | Command::IssueToken(_)
        | Command::RotateToken(_)
        | Command::RevokeToken(_)
        | Command::UseToken(_)
        | Command::Tick => {}
    }
    Ok(known)
}

fn fetch_key(
    state: &State,
    store: &mut dyn Store,
    known: &mut Prefetched<'_>,
    key: &Key,
    caller: &EntityId,
) -> Result<(), StoreError> {
    let id = KeyId { caller: caller.clone(), route: key.route.clone(), key: key.key.clone() };
    if !state.has_key(&id) {
        let kept = store.key(&id)?.map(Into::into);
        known.keys.insert(id, kept);
    }
    Ok(())
}

fn fetch_for_send(
    state: &State,
    store: &mut dyn Store,
    known: &mut Prefetched<'_>,
    send: &Send,
) -> Result<(), StoreError> {
    if let Some(id) = &send.reply_to {
        known.messages.insert(id.clone(), store.message(id)?);
    }
    match &send.task {
        Some(create) => fetch_for_create(state, store, known, create),
        None => Ok(()),
    }
}

fn fetch_for_create(
    state: &State,
    store: &mut dyn Store,
    known: &mut Prefetched<'_>,
    create: &CreateTask,
) -> Result<(), StoreError> {
    // Too many are refused before any is looked at.
    if create.depends_on.len() > state.limits().depends_on_max {
        return Ok(());
    }
    let ids = create.task_id.iter().chain(&create.depends_on);
    ids.into_iter().try_for_each(|id| fetch_task(state, store, known, id))
}

/// A task, and those it depends on where it may be opened again: whether it is open or blocked then
/// hangs on tasks that may have been finished long ago.
fn fetch_with_blockers(
    state: &State,
    store: &mut dyn Store,
    known: &mut Prefetched<'_>,
    id: &TaskId,
) -> Result<(), StoreError> {
    fetch_task(state, store, known, id)?;
    let cold = known.tasks.get(id).and_then(Option::as_ref);
    let task = state.task(id).or(cold).filter(|task| task.status.is_finished()).cloned();
    let blockers = task.iter().flat_map(|task| &task.depends_on);
    blockers.into_iter().try_for_each(|blocker| fetch_task(state, store, known, blocker))
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
