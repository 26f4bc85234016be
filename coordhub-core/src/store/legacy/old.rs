//! The old hub's rows, read leniently.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rusqlite::Connection;
use ulid::Ulid;

use super::Report;
use crate::{
    JsonText,
    event::{
        EntityRegistered, Event, FailCause, TaskCancelled, TaskClaimed, TaskCompleted, TaskCreated,
        TaskFailed,
    },
    ids::{ChannelName, EntityId, MessageId, Seq, TaskId},
    json::{Scanned, decode_string, scan},
    model::{Entity, EntityType, Message, OnBlockerFailed, Priority, Task, TaskStatus},
    time::Timestamp,
};

/// Something that happened in the old hub.
pub(super) struct Happening {
    pub(super) at: Timestamp,
    pub(super) actor: Option<EntityId>,
    pub(super) event: Event,
}

/// All that fits of an old file.
#[derive(Default)]
pub(super) struct Old {
    /// In the order of their times.
    pub(super) happenings: Vec<Happening>,
    /// When entities were last seen.
    pub(super) seen: Vec<(EntityId, Timestamp)>,
    /// Keys and the ids in the texts can differ, and so two rows can have one id: the first has it.
    entities: BTreeSet<EntityId>,
    tasks: BTreeSet<TaskId>,
}

impl Old {
    /// Reads the tables that were set aside. A row without a time takes that of the row before it, and
    /// so does one whose time lies beyond `latest`: hub time never runs back, and one such row would
    /// send it there for ever.
    pub(super) fn read(
        conn: &Connection,
        latest: Timestamp,
        report: &mut Report,
    ) -> rusqlite::Result<Self> {
        let mut old = Self::default();
        each(conn, &ENTITIES, latest, report, |row, report| {
            old.entity(row)?;
            report.entities += 1;
            Ok(())
        })?;
        each(conn, &TASKS, latest, report, |row, report| {
            old.task(row)?;
            report.tasks += 1;
            Ok(())
        })?;
        each(conn, &MESSAGES, latest, report, |row, report| {
            old.message(row)?;
            report.messages += 1;
            Ok(())
        })?;
        // Stable: what happened at the same time stays in the order it was pushed in.
        old.happenings.sort_by_key(|happening| happening.at);
        Ok(old)
    }

    fn push(&mut self, at: Timestamp, actor: Option<&EntityId>, event: Event) {
        self.happenings.push(Happening { at, actor: actor.cloned(), event });
    }

    fn entity(&mut self, row: &OldRow<'_>) -> Result<(), String> {
        let id = EntityId::parse(&row.id()).map_err(|error| error.to_string())?;
        let word = row.text("entity_type").unwrap_or_default();
        let entity_type =
            EntityType::parse(&word).ok_or_else(|| format!("{word:?} is no entity type"))?;
        if !self.entities.insert(id.clone()) {
            return Err(format!("an earlier row has the id {id:?}"));
        }
        let registered_at = row.time("registered_at").unwrap_or(row.about);
        let entity = Entity {
            entity_id: id.clone(),
            entity_type,
            name: row.text("name").unwrap_or_else(|| id.to_string()),
            capabilities: row.texts("capabilities"),
            metadata: row.object("metadata"),
            registered_at,
            registered_seq: 0,
        };
        self.seen.push((id.clone(), row.time("last_seen").unwrap_or(registered_at)));
        let event = EntityRegistered { entity, joins: Vec::new() };
        self.push(registered_at, Some(&id), Event::EntityRegistered(event));
        Ok(())
    }

    fn message(&mut self, row: &OldRow<'_>) -> Result<(), String> {
        let from = row.text("from_entity").unwrap_or_default();
        let from_entity = EntityId::parse(&from).map_err(|error| error.to_string())?;
        let to_entity = match row.text("to_entity") {
            Some(id) => Some(EntityId::parse(&id).map_err(|error| error.to_string())?),
            None => None,
        };
        let channel = match &to_entity {
            Some(_) => None,
            None => {
                let name = row.text("channel").unwrap_or_else(|| "general".to_owned());
                Some(ChannelName::parse(&name).map_err(|error| error.to_string())?)
            }
        };
        let mut metadata = row.object("metadata");
        let said = metadata.field("timestamp").and_then(|raw| row.read_time(raw));
        let timestamp = said.or_else(|| row.time("timestamp")).unwrap_or(row.about);
        if metadata.field("timestamp").is_none() {
            metadata = metadata.with_field("timestamp", &format!("\"{timestamp}\""));
        }
        let unnamed = MessageId::trusted("-");
        let message = Message {
            message_id: unnamed.clone(),
            seq: 0,
            from_entity: from_entity.clone(),
            to_entity,
            channel,
            content: row.text("content").ok_or("it has no content")?,
            message_type: row.text("message_type").unwrap_or_else(|| "text".to_owned()),
            metadata,
            reply_to: None,
            thread_id: unnamed,
            ack_required: false,
            timestamp,
        };
        self.push(timestamp, Some(&from_entity), Event::MessageSent(Arc::new(message)));
        Ok(())
    }

    /// A task, and how it came to stand where it stands.
    fn task(&mut self, row: &OldRow<'_>) -> Result<(), String> {
        let task = created(row)?;
        if !self.tasks.insert(task.task_id.clone()) {
            return Err(format!("an earlier row has the id {:?}", task.task_id));
        }
        let (created_at, created_by) = (task.created_at, task.created_by.clone());
        let event = TaskCreated { task: task.clone() };
        self.push(created_at, created_by.as_ref(), Event::TaskCreated(event));
        let status = row.text("status").unwrap_or_default();
        let holder = row.entity("claimed_by").filter(|_| status != "open");
        let claimed_at = row.time("claimed_at").unwrap_or(created_at).max(created_at);
        if let Some(holder) = &holder {
            let event = TaskClaimed {
                task_id: task.task_id.clone(),
                title: task.title.clone(),
                created_by,
                claimed_by: holder.clone(),
                claim_token: 1,
                lease_seconds: None,
                lease_expires_at: None,
            };
            self.push(claimed_at, Some(holder), Event::TaskClaimed(event));
        }
        if let Some(event) = finished(row, &status, task, holder.clone()) {
            let finished_at = row.time("completed_at").unwrap_or(claimed_at).max(claimed_at);
            self.push(finished_at, holder.as_ref(), event);
        }
        Ok(())
    }
}

/// A task as it began.
fn created(row: &OldRow<'_>) -> Result<Task, String> {
    let task_id = TaskId::parse(&row.id()).map_err(|error| error.to_string())?;
    let created_at = row.time("created_at").unwrap_or(row.about);
    let priority = row.text("priority").and_then(|word| Priority::parse(&word));
    Ok(Task {
        title: row.text("title").unwrap_or_else(|| task_id.to_string()),
        task_id,
        description: row.text("description").unwrap_or_default(),
        status: TaskStatus::Open,
        priority: priority.unwrap_or(Priority::Normal),
        created_by: row.entity("created_by"),
        claimed_by: None,
        requires_human: row.is_true("requires_human"),
        requires_ai: row.is_true("requires_ai"),
        tags: row.texts("tags"),
        capabilities: Vec::new(),
        depends_on: Vec::new(),
        blocked_by: Vec::new(),
        metadata: row.object("metadata"),
        result: None,
        attempts: 0,
        max_attempts: None,
        retry_delay_seconds: None,
        not_before: None,
        lease_expires_at: None,
        on_blocker_failed: OnBlockerFailed::Hold,
        question: None,
        stale: false,
        created_at,
        claimed_at: None,
        completed_at: None,
        updated_at: created_at,
        created_seq: 0,
        claim_token: 0,
        lease_seconds: None,
        lapsed_holder: None,
    })
}

/// How a task ended, where it has. Who ended it may be unknown; the event needs a name.
fn finished(row: &OldRow<'_>, status: &str, task: Task, holder: Option<EntityId>) -> Option<Event> {
    let Task { task_id, title, created_by, .. } = task;
    let by = || holder.clone().unwrap_or_else(EntityId::system);
    Some(match status {
        "completed" | "done" => Event::TaskCompleted(TaskCompleted {
            claimed_by: by(),
            result: row.json("result"),
            task_id,
            title,
            created_by,
        }),
        "failed" => Event::TaskFailed(TaskFailed {
            claimed_by: Some(by()),
            reason: None,
            attempts: 1,
            cause: FailCause::Reported,
            status: TaskStatus::Failed,
            not_before: None,
            task_id,
            title,
            created_by,
        }),
        "cancelled" | "canceled" => {
            let (claimed_by, blocker) = (holder, None);
            Event::TaskCancelled(TaskCancelled { task_id, title, created_by, claimed_by, blocker })
        }
        _ => return None,
    })
}

/// Gives a message its place and, made from time and place, its id: the old hub had none.
pub(super) fn place(event: Event, seq: Seq) -> Event {
    let Event::MessageSent(message) = event else { return event };
    let mut message = Arc::unwrap_or_clone(message);
    let ulid = Ulid::from_parts(message.timestamp.millis().unsigned_abs(), u128::from(seq));
    message.message_id =
        MessageId::trusted(&format!("msg-{}", ulid.to_string().to_ascii_lowercase()));
    message.thread_id = message.message_id.clone();
    message.seq = seq;
    Event::MessageSent(Arc::new(message))
}

/// An old table.
struct Table {
    name: &'static str,
    key: &'static str,
}

const ENTITIES: Table = Table { name: "entities", key: "entity_id" };
const TASKS: Table = Table { name: "tasks", key: "task_id" };
const MESSAGES: Table = Table { name: "messages", key: "id" };

/// One old row: its key, and the fields of its JSON text.
struct OldRow<'a> {
    key: String,
    key_column: &'static str,
    fields: BTreeMap<String, &'a str>,
    /// A time near this row's, for one that has none.
    about: Timestamp,
    /// No time of this row can be later.
    latest: Timestamp,
}

/// Reads every row of an old table; those that do not fit are counted.
fn each(
    conn: &Connection,
    table: &Table,
    latest: Timestamp,
    report: &mut Report,
    mut take: impl FnMut(&OldRow<'_>, &mut Report) -> Result<(), String>,
) -> rusqlite::Result<()> {
    let Table { name, key: key_column } = table;
    let mut select = conn.prepare(&format!(
        "SELECT CAST({key_column} AS TEXT), CAST(data AS TEXT) FROM old_hub_{name} ORDER BY rowid"
    ))?;
    let mut rows = select.query([])?;
    let mut about = Timestamp::default();
    while let Some(row) = rows.next()? {
        // Text that is not UTF-8, or no text at all, fits as little as text that is not JSON.
        let key: String = row.get(0).unwrap_or_default();
        let data: String = row.get(1).unwrap_or_default();
        let taken = match scan(&data) {
            Ok(Scanned::Object(fields)) => {
                let fields = fields.into_iter().map(|(key, raw)| (key.into_owned(), raw)).collect();
                let old = OldRow { key: key.clone(), key_column, fields, about, latest };
                about = old.some_time().unwrap_or(about);
                take(&old, report)
            }
            Ok(_) => Err("its data is no JSON object".to_owned()),
            Err((_, error)) => Err(error.to_string()),
        };
        if let Err(why) = taken {
            report.leave_out(format!("{name} {key:?}: {why}"));
        }
    }
    Ok(())
}

impl OldRow<'_> {
    /// The id in the text, or else the key.
    fn id(&self) -> String {
        self.text(self.key_column).unwrap_or_else(|| self.key.clone())
    }

    /// A field that is there and not `null`.
    fn raw(&self, key: &str) -> Option<&str> {
        self.fields.get(key).copied().filter(|raw| *raw != "null")
    }

    fn text(&self, key: &str) -> Option<String> {
        let text = decode_string(self.raw(key)?)?.into_owned();
        if text.is_empty() && key != "content" { None } else { Some(text) }
    }

    fn entity(&self, key: &str) -> Option<EntityId> {
        self.text(key).and_then(|id| EntityId::parse(&id).ok())
    }

    fn texts(&self, key: &str) -> Vec<String> {
        let Some(Ok(Scanned::Array(elements))) = self.raw(key).map(scan) else { return Vec::new() };
        elements.into_iter().filter_map(decode_string).map(|text| text.into_owned()).collect()
    }

    fn json(&self, key: &str) -> Option<JsonText> {
        self.raw(key).and_then(|raw| JsonText::parse(raw).ok())
    }

    fn object(&self, key: &str) -> JsonText {
        self.json(key).filter(JsonText::is_object).unwrap_or_else(JsonText::empty_object)
    }

    /// Python and SQLite write truth in more than one way.
    fn is_true(&self, key: &str) -> bool {
        matches!(self.raw(key), Some("true" | "1"))
    }

    fn time(&self, key: &str) -> Option<Timestamp> {
        self.raw(key).and_then(|raw| self.read_time(raw))
    }

    /// A time that can be true. Times without a zone, taken as UTC, lie ahead where the old hub's clock
    /// was east of it.
    fn read_time(&self, raw: &str) -> Option<Timestamp> {
        read_time(raw).filter(|at| *at <= self.latest)
    }

    fn some_time(&self) -> Option<Timestamp> {
        let own =
            ["registered_at", "created_at", "timestamp"].iter().find_map(|key| self.time(key));
        own.or_else(|| {
            self.object("metadata").field("timestamp").and_then(|raw| self.read_time(raw))
        })
    }
}

/// Numbers above this are milliseconds, as JavaScript counts: as seconds they lie in the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// A time as the old hub wrote it: ISO 8601, mostly without a zone, which is taken as UTC; or a
/// number of seconds or milliseconds.
fn read_time(raw: &str) -> Option<Timestamp> {
    let Some(text) = decode_string(raw) else {
        let number: f64 = raw.parse().ok()?;
        let millis = if number > SECONDS_MAX { number } else { number * 1e3 };
        return Some(Timestamp::from_millis(millis as i64));
    };
    Timestamp::parse(&text).or_else(|_| Timestamp::parse(&format!("{text}Z"))).ok()
}
