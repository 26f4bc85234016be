//! Deciding what becomes of all that an entity holds when it hands its work over.

use std::{fmt::Write, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, Decision, Desk, Rejection, claims, leases::end, reservations::released};
use crate::{
    command::HandOff,
    event::{Event, ReleaseReason, ReservationAcquired, ReservationEnd},
    ids::{ChannelName, EntityId, MessageId, ReservationId, TaskId},
    json::JsonText,
    limits::HANDOFF_NAMED_MAX,
    model::{Message, Reservation},
};

/// How many ids the line names that says what was handed over.
const LINE_IDS_MAX: usize = 10;

/// What was handed over, by ids.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HandedOver {
    /// The message that says so.
    pub message_id: MessageId,
    /// The tasks that another holds now.
    pub tasks: Vec<HandedTask>,
    /// The tasks that went back to the pool.
    pub returned: Vec<TaskId>,
    /// The reservations that another holds now; where nobody was named, those that were freed.
    pub reservations: Vec<ReservationId>,
}

/// A task that another holds now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HandedTask {
    /// Which.
    pub task_id: TaskId,
    /// The token of its claim.
    pub claim_token: u64,
    /// Who holds it.
    pub claimed_by: EntityId,
}

impl Desk<'_> {
    /// All or nothing, and with it one message that says so.
    pub(super) fn hand_off(&self, command: &HandOff) -> Result<Decision, Rejection> {
        let giver = &command.entity_id;
        self.check_parties(giver, command.to.as_ref())?;
        self.check_note(&command.note)?;
        self.caller()?;
        if !self.may_act_for(Some(giver)) {
            let detail = format!("{giver:?} hands over its own work; a human may do it for it");
            return Err(Rejection::NotAllowed(detail));
        }
        let (mut events, mut tasks, mut returned) = (Vec::new(), Vec::new(), Vec::new());
        for task in self.state.claims(giver) {
            events.push(claims::released(task, giver, ReleaseReason::HandedOver));
            // Whoever cannot do a task does not get it: it is there for all others.
            let able = |to: &&EntityId| claims::check_able(self.state, task, to).is_ok();
            let Some(to) = command.to.as_ref().filter(able) else {
                returned.push(task.task_id.clone());
                continue;
            };
            let claimed = self.claimed(task, to, task.lease_seconds);
            tasks.push(HandedTask {
                task_id: claimed.task_id.clone(),
                claim_token: claimed.claim_token,
                claimed_by: claimed.claimed_by.clone(),
            });
            events.push(Event::TaskClaimed(claimed));
        }
        let mut reservations = Vec::new();
        for reservation in self.state.reservations().of(giver) {
            reservations.push(reservation.reservation_id.clone());
            events.push(released(reservation, ReservationEnd::HandedOver));
            events.extend(command.to.as_ref().map(|to| self.passed_on(reservation, to)));
        }
        let message_id = MessageId::trusted(&self.fresh_id("msg", 0));
        let handed = HandedOver { message_id, tasks, returned, reservations };
        let seq = self.state.head() + 1 + events.len() as u64;
        events.push(Event::MessageSent(Arc::new(self.message_of(command, &handed, seq))));
        Ok(Decision::of(events, Answer::HandedOver(handed)))
    }

    fn check_parties(&self, giver: &EntityId, to: Option<&EntityId>) -> Result<(), Rejection> {
        // Whoever never registered may hold something all the same.
        let is_known = self.state.entity(giver).is_some()
            || self.state.claims(giver).next().is_some()
            || self.state.reservations().count_of(giver) > 0;
        if !is_known {
            return Err(Rejection::UnknownEntity(giver.clone()));
        }
        let Some(to) = to else { return Ok(()) };
        if self.state.entity(to).is_none() {
            return Err(Rejection::UnknownEntity(to.clone()));
        }
        if to == giver {
            let detail = "work is handed over to another; leave `to` out to give it back to all";
            return Err(Rejection::invalid("to", detail));
        }
        Ok(())
    }

    fn check_note(&self, note: &str) -> Result<(), Rejection> {
        if note.trim().is_empty() {
            let detail = "note must not be empty: say what whoever goes on with it must know";
            return Err(Rejection::invalid("note", detail));
        }
        self.check_text("note", note)
    }

    /// The same reservation in another hand, with all of its time before it.
    fn passed_on(&self, reservation: &Reservation, to: &EntityId) -> Event {
        Event::ReservationAcquired(ReservationAcquired {
            reservation_id: reservation.reservation_id.clone(),
            entity_id: to.clone(),
            resources: reservation.resources.clone(),
            exclusive: reservation.exclusive,
            reason: reservation.reason.clone(),
            ttl_seconds: reservation.ttl_seconds,
            expires_at: end(self.now, reservation.ttl_seconds),
        })
    }

    fn message_of(&self, command: &HandOff, handed: &HandedOver, seq: u64) -> Message {
        let message_id = handed.message_id.clone();
        let channel = command.to.is_none().then(|| ChannelName::trusted("general"));
        let line = self.line(command, handed);
        let metadata = self.with_timestamp(&JsonText::empty_object());
        Message {
            thread_id: message_id.clone(),
            message_id,
            seq,
            from_entity: command.entity_id.clone(),
            to_entity: command.to.clone(),
            channel,
            content: format!("{}\n\n{line}", command.note),
            message_type: "text".to_owned(),
            metadata: metadata.with_field("hub", &facts(handed)),
            reply_to: None,
            ack_required: false,
            timestamp: self.now,
        }
    }

    /// What was handed over, for people.
    fn line(&self, command: &HandOff, handed: &HandedOver) -> String {
        let HandedOver { tasks, returned, reservations, .. } = handed;
        let mut parts = Vec::new();
        if let Some(to) = &command.to {
            let ids = tasks.iter().map(|task| task.task_id.as_str());
            parts.extend(part(&format!("to {to}"), "task", ids));
            parts.extend(part(&format!("to {to}"), "reservation", ids_of(reservations)));
        } else {
            parts.extend(part("freed", "reservation", ids_of(reservations)));
        }
        let back = returned.iter().map(TaskId::as_str);
        parts.extend(part("back to the pool", "task", back));
        if parts.is_empty() {
            parts.push("nothing was held".to_owned());
        }
        let mut line = format!("Handed over: {}.", parts.join("; "));
        if let Some(by) = self.envelope.caller.id.as_ref().filter(|by| **by != command.entity_id) {
            // Writing to a text cannot fail.
            let _written = write!(line, " Done by {by}.");
        }
        line
    }
}

fn ids_of(reservations: &[ReservationId]) -> impl ExactSizeIterator<Item = &str> {
    reservations.iter().map(ReservationId::as_str)
}

/// Such as `2 tasks to bo (t1, t2)`; none where there are none.
fn part<'a>(
    whither: &str,
    noun: &str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Option<String> {
    let count = ids.len();
    if count == 0 {
        return None;
    }
    let named: Vec<&str> = ids.take(LINE_IDS_MAX).collect();
    let more = if count > named.len() { ", …" } else { "" };
    let plural = if count == 1 { "" } else { "s" };
    Some(format!("{count} {noun}{plural} {whither} ({}{more})", named.join(", ")))
}

/// What was handed over, for programs. Who holds very much may have some of it left out.
fn facts(handed: &HandedOver) -> String {
    let tasks = handed.tasks.iter().take(HANDOFF_NAMED_MAX);
    let tasks = tasks.map(|task| json!({"task_id": task.task_id, "claim_token": task.claim_token}));
    let returned = handed.returned.iter().take(HANDOFF_NAMED_MAX);
    let reservations = handed.reservations.iter().take(HANDOFF_NAMED_MAX);
    let facts = json!({"handoff": {
        "tasks": tasks.collect::<Vec<_>>(),
        "returned": returned.collect::<Vec<_>>(),
        "reservations": reservations.collect::<Vec<_>>(),
    }});
    facts.to_string()
}
