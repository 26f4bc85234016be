//! Tasks, proposals and entities, one by one and in lists.

use coordhub_core::{
    Hub, HubError, JsonText,
    engine::{EntityFilter, List, ListWindow, Order},
    hub::Rejection,
    ids::{ProposalId, Seq, TaskId},
    model::{ProposalStatus, TaskStatus},
    store::TaskFilter,
};

use super::{failed, same};
use crate::{
    driver::tasks::{proposal_differs, task_differs},
    model::{Mismatch, Model, Proposal, Task},
};

const ALL: ListWindow = ListWindow { after: None, order: Order::Ascending, limit: 1_000 };

pub(super) fn look(hub: &Hub, model: &Model) -> Result<(), Mismatch> {
    each_task(hub, model)?;
    lists(hub, model)?;
    proposals(hub, model)?;
    entities(hub, model)
}

fn each_task(hub: &Hub, model: &Model) -> Result<(), Mismatch> {
    for (id, due) in &model.tasks {
        let task = hub.task(id).map_err(|why| failed("a task", &why))?;
        differs(task_differs(model, due, &task))?;
        let notes = hub.task_notes(id, 1_000).map_err(|why| failed("notes", &why))?;
        let notes: Vec<_> =
            notes.into_iter().map(|note| (note.seq, note.entity_id, note.note)).collect();
        same("the notes", &notes, &due.notes)?;
        let late = hub.late_results(id).map_err(|why| failed("late results", &why))?;
        let late: Vec<(u64, Option<JsonText>)> =
            late.into_iter().map(|late| (late.claim_token, late.result)).collect();
        let mut due = due.late_results.clone();
        due.sort_by_key(|(token, _)| *token);
        same("the late results", &late, &due)?;
    }
    let none = hub.task(&TaskId::parse("no-such-task").expect("an id"));
    match none {
        Err(HubError::Rejected(Rejection::UnknownTask(_))) => Ok(()),
        other => Err(failed("a task that is none", &other)),
    }
}

/// Tasks in order of creation.
fn due(model: &Model, fits: impl Fn(&Task) -> bool) -> Vec<&Task> {
    let mut tasks: Vec<&Task> = model.tasks.values().filter(|task| fits(task)).collect();
    tasks.sort_by_key(|task| task.created_seq);
    tasks
}

fn check_list(
    hub: &Hub,
    model: &Model,
    filter: &TaskFilter,
    ready_for: Option<&coordhub_core::ids::EntityId>,
    due: &[&Task],
) -> Result<(), Mismatch> {
    let list = hub.tasks(filter, ready_for, ALL).map_err(|why| failed("a list", &why))?;
    let ids: Vec<&TaskId> = list.items.iter().map(|task| &task.task_id).collect();
    let due_ids: Vec<&TaskId> = due.iter().map(|task| &task.id).collect();
    same(&format!("the list {filter:?} ready for {ready_for:?}"), &ids, &due_ids)?;
    for (task, due) in list.items.iter().zip(due) {
        differs(task_differs(model, due, task))?;
    }
    Ok(())
}

fn lists(hub: &Hub, model: &Model) -> Result<(), Mismatch> {
    let all = TaskFilter::default();
    check_list(hub, model, &all, None, &due(model, |_| true))?;
    for status in TaskStatus::ALL.iter().copied() {
        let filter = TaskFilter { status: Some(status), ..TaskFilter::default() };
        check_list(hub, model, &filter, None, &due(model, |task| task.status == status))?;
    }
    for id in model.entities.keys() {
        let ready = due(model, |task| model.is_ready_for(task, id));
        check_list(hub, model, &all, Some(id), &ready)?;
        let filter = TaskFilter { created_by: Some(id.clone()), ..TaskFilter::default() };
        let created = due(model, |task| task.created_by.as_ref() == Some(id));
        check_list(hub, model, &filter, None, &created)?;
        let status = Some(TaskStatus::InProgress);
        let filter = TaskFilter { claimed_by: Some(id.clone()), status, ..TaskFilter::default() };
        check_list(hub, model, &filter, None, &due(model, |task| task.is_held_by(id)))?;
    }
    let filter = TaskFilter { tag: Some("web".to_owned()), ..TaskFilter::default() };
    check_list(hub, model, &filter, None, &due(model, |t| t.tags.iter().any(|tag| tag == "web")))?;
    pages(model, |window| {
        let list = hub.tasks(&all, None, window).map_err(|why| failed("a page", &why))?;
        Ok(List {
            items: list.items.into_iter().map(|task| task.task_id).collect(),
            next: list.next,
        })
    })
}

/// Small pages, one after the other and in both directions, come to the whole list.
fn pages(
    model: &Model,
    page: impl Fn(ListWindow) -> Result<List<TaskId>, Mismatch>,
) -> Result<(), Mismatch> {
    let mut whole: Vec<TaskId> = due(model, |_| true).iter().map(|t| t.id.clone()).collect();
    for order in [Order::Ascending, Order::Descending] {
        let mut found = Vec::new();
        let mut after: Option<Seq> = None;
        loop {
            let list = page(ListWindow { after, order, limit: 3 })?;
            let is_last = list.items.len() < 3;
            found.extend(list.items);
            after = Some(list.next);
            if is_last {
                break;
            }
        }
        same(&format!("all pages {order:?}"), &found, &whole)?;
        whole.reverse();
    }
    Ok(())
}

fn proposals(hub: &Hub, model: &Model) -> Result<(), Mismatch> {
    for (id, due) in &model.proposals {
        let proposal = hub.proposal(id).map_err(|why| failed("a proposal", &why))?;
        differs(proposal_differs(due, &proposal))?;
    }
    let mut statuses: Vec<Option<ProposalStatus>> =
        ProposalStatus::ALL.iter().copied().map(Some).collect();
    statuses.push(None);
    for status in statuses {
        let list = hub.proposals(status, ALL).map_err(|why| failed("a list", &why))?;
        let ids: Vec<&ProposalId> = list.items.iter().map(|p| &p.proposal_id).collect();
        let fits = |proposal: &&Proposal| status.is_none_or(|status| proposal.status == status);
        let mut due: Vec<&Proposal> = model.proposals.values().filter(fits).collect();
        due.sort_by_key(|proposal| proposal.created_seq);
        let due_ids: Vec<&ProposalId> = due.iter().map(|proposal| &proposal.id).collect();
        same(&format!("proposals {status:?}"), &ids, &due_ids)?;
        for (proposal, due) in list.items.iter().zip(due) {
            differs(proposal_differs(due, proposal))?;
        }
    }
    Ok(())
}

fn entities(hub: &Hub, model: &Model) -> Result<(), Mismatch> {
    let list = hub.entities(&EntityFilter::default(), ALL);
    let mut due: Vec<_> = model.entities.iter().collect();
    due.sort_by_key(|(_, entity)| entity.registered_seq);
    let is: Vec<_> = list
        .items
        .iter()
        .map(|view| (&view.entity_id, view.entity_type, &view.name, &view.capabilities))
        .collect();
    let due: Vec<_> =
        due.into_iter().map(|(id, e)| (id, e.entity_type, &e.name, &e.capabilities)).collect();
    same("the entities", &is, &due)
}

fn differs(what: Option<String>) -> Result<(), Mismatch> {
    what.map_or(Ok(()), |what| Err(Mismatch(what)))
}
