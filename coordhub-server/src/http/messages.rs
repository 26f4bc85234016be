//! Calls about messages.

use super::call::{Call, Change, ENTITY_ID, LIMIT, METADATA, Read, optional, required};
use crate::{
    access::caller,
    wire::{Field, Kind, Problem, reply, reply::Form, request},
};
use coordhub_core::{
    command::{Caller, Command},
    engine::{InboxQuery, NoticesAmong, OnlyDirect, RecentQuery, SearchQuery, SearchWords, Unread},
    ids::{ChannelName, EntityId, MessageId},
};

/// Fields of `POST /messages/send`.
pub const SEND: &[Field] = &[
    required("from_entity", Kind::Text, "Who sends it."),
    required("content", Kind::Text, "What it says."),
    optional(
        "channel",
        Kind::Text,
        "Where; `general` where neither this nor `to_entity` is given.",
    ),
    optional("to_entity", Kind::Text, "To whom alone; the message is then on no channel."),
    optional("message_type", Kind::Text, "`text` (the default), `alert`, or a word of your own."),
    METADATA,
    optional("reply_to", Kind::Text, "The message it answers; it then stays where that one is."),
    optional("ack_required", Kind::Flag, "Whether its recipients are asked to acknowledge it."),
    optional("ack_deadline", Kind::Time, "Until when; the sender is told who has not."),
    optional(
        "task",
        Kind::Object,
        "A task that is created in the same commit, as in `tasks/create`.",
    ),
];

/// `POST /messages/send`
pub fn send(call: &Call<'_>) -> Result<Change, Problem> {
    let caller = call.caller()?;
    // What is wrong in the fields is said before that nobody is named.
    let send = request::send(&call.fields, &caller)?;
    call.change(Command::Send(send(caller::needed(caller)?)), "sent")
}

/// Fields of `POST /messages/send-batch`.
pub const SEND_BATCH: &[Field] = &[required(
    "messages",
    Kind::Objects,
    "Up to 1,000 messages, each as in `messages/send`; the body may be this list itself.",
)];

/// `POST /messages/send-batch`
pub fn send_batch(call: &Call<'_>) -> Result<Change, Problem> {
    let caller = call.caller()?;
    let (from, sends) = request::send_batch(&call.fields, &caller)?;
    let change = call.change(Command::SendBatch(sends), "sent")?;
    Ok(Change { caller: Caller { id: Some(from), ..caller }, form: Form::Batch("sent"), ..change })
}

/// Fields of `GET /messages/recent`.
pub const RECENT: &[Field] = &[
    optional("channel", Kind::Text, "Only this channel."),
    LIMIT,
    optional("before", Kind::Integer, "The newest before this `seq`."),
    optional("after", Kind::Integer, "The first that follow this `seq`."),
    optional("thread_id", Kind::Text, "Only this thread."),
    optional("with", Kind::Text, "Direct messages between you and this entity."),
    optional("notices", Kind::Flag, "The hub's notices, too."),
    ENTITY_ID,
];

/// `GET /messages/recent`
pub fn recent(call: &Call<'_>) -> Result<Read, Problem> {
    let notices = call.fields.flag("notices")?.unwrap_or(false);
    let query = RecentQuery {
        channel: call.fields.parsed("channel", ChannelName::parse)?,
        with: call.fields.parsed("with", EntityId::parse)?,
        thread: call.fields.parsed("thread_id", MessageId::parse)?,
        before: call.seq("before")?,
        after: call.seq("after")?,
        limit: call.message_limit()?,
        notices: if notices { NoticesAmong::Yes } else { NoticesAmong::No },
    };
    let reader = call.reader()?;
    if let Some(list) = call.app.hub().recent_hot(&reader, &query) {
        return Ok(Read::Ready(reply::list("messages", &list.items, list.next)));
    }
    Read::later(move |app| {
        let list = app.hub().recent(&reader, &query)?;
        Ok(reply::list("messages", &list.items, list.next))
    })
}

/// Fields of `GET /messages/search`.
pub const SEARCH: &[Field] = &[
    required("q", Kind::Text, "Words and \"phrases\", all of which a message must have."),
    optional("channel", Kind::Text, "Only this channel."),
    LIMIT,
    optional("before", Kind::Integer, "The newest before this `seq`."),
    ENTITY_ID,
];

/// `GET /messages/search`
pub fn search(call: &Call<'_>) -> Result<Read, Problem> {
    let query = SearchQuery {
        words: SearchWords::parse(&call.fields.needed_text("q")?)?,
        channel: call.fields.parsed("channel", ChannelName::parse)?,
        before: call.seq("before")?,
        limit: call.message_limit()?,
    };
    let reader = call.reader()?;
    Read::later(move |app| Ok(reply::search(&app.hub().search(&reader, &query)?)))
}

/// Fields of `GET /messages/for/{entity_id}`.
pub const INBOX: &[Field] = &[
    optional("after", Kind::Integer, "The first that follow this `seq`."),
    LIMIT,
    optional("unread", Kind::Flag, "Only what is not marked read, oldest first."),
    optional("direct", Kind::Flag, "Only direct messages."),
];

/// `GET /messages/for/{entity_id}`
pub fn inbox(call: &Call<'_>) -> Result<Read, Problem> {
    call.needed_caller()?;
    let unread = call.fields.flag("unread")?.unwrap_or(false);
    let direct = call.fields.flag("direct")?.unwrap_or(false);
    let query = InboxQuery {
        after: call.seq("after")?,
        limit: call.message_limit()?,
        unread: if unread { Unread::Only } else { Unread::AndRead },
        only_direct: if direct { OnlyDirect::Yes } else { OnlyDirect::No },
    };
    let reader = call.reader()?;
    Read::later(move |app| {
        let list = app.hub().inbox(&reader, &query)?;
        Ok(reply::list("messages", &list.items, list.next))
    })
}

/// Fields of `POST /messages/for/{entity_id}/ack`.
pub const ACK: &[Field] = &[
    required("up_to", Kind::Integer, "Everything up to and with this `seq` is read."),
    optional("channel", Kind::Text, "Only on this channel."),
    optional("direct", Kind::Flag, "Only direct messages."),
];

/// `POST /messages/for/{entity_id}/ack`
pub fn ack(call: &Call<'_>) -> Result<Change, Problem> {
    let id = call.needed_caller()?;
    call.change(request::move_cursor(&call.fields, id)?, "acked")
}

/// Fields of `POST /messages/{message_id}/ack`.
pub const ACK_ONE: &[Field] = &[required("entity_id", Kind::Text, "Who has seen it.")];

/// `POST /messages/{message_id}/ack`
pub fn ack_one(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(Command::AckMessage(request::message_id(&call.fields)?), "acked")
}

/// `POST /messages/{message_id}/resolve`
pub fn resolve(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(Command::ResolveRollCall(request::message_id(&call.fields)?), "resolved")
}

/// `POST /messages/{message_id}/redact`
pub fn redact(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(Command::RedactMessage(request::message_id(&call.fields)?), "redacted")
}

/// `GET /messages/{message_id}/receipts`
pub fn receipts(call: &Call<'_>) -> Result<Read, Problem> {
    let id = request::message_id(&call.fields)?;
    let reader = call.reader()?;
    Read::later(move |app| Ok(reply::to_bytes(&app.hub().receipts(&reader, &id)?)))
}

/// Fields of `GET /messages/{message_id}`.
pub const GET: &[Field] = &[ENTITY_ID];

/// `GET /messages/{message_id}`
pub fn get(call: &Call<'_>) -> Result<Read, Problem> {
    let id = request::message_id(&call.fields)?;
    let reader = call.reader()?;
    Read::later(move |app| Ok(app.hub().message(&reader, &id)?.to_vec()))
}
