//! What the routes answer with, for `/openapi.json`.

use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Schema, Type};

use super::{content, date_time, nullable, of_type};
use crate::http::router::ReplyKind;

/// What a route answers with where it is not refused.
pub(super) fn success(reply: ReplyKind) -> ResponseBuilder {
    let done = || {
        ObjectBuilder::new()
            .property("status", of_type(Type::String))
            .required("status")
            .property("seq", of_type(Type::Integer))
            .required("seq")
    };
    let with = |noun: &str, id: &str, schema: &str| {
        done()
            .property(id, of_type(Type::String))
            .required(id)
            .property(noun, Ref::from_schema_name(schema))
            .required(noun)
    };
    let object: RefOr<Schema> = match reply {
        // With an invite there is a token, too.
        ReplyKind::Entity => with("entity", "entity_id", "Entity")
            .property("token_id", of_type(Type::String))
            .property("token", of_type(Type::String))
            .property("token_info", Ref::from_schema_name("Token"))
            .into(),
        // An answer that is given again has no secret.
        ReplyKind::Issued => {
            with("token_info", "token_id", "Token").property("token", of_type(Type::String)).into()
        }
        ReplyKind::Invited => with("invite", "invite_id", "Invite")
            .property("secret", of_type(Type::String))
            .property("link", nullable(Type::String))
            .into(),
        ReplyKind::Task => {
            with("task", "task_id", "Task").property("already", of_type(Type::Boolean)).into()
        }
        // Where there was nothing to claim there is a status of `none` and nothing else.
        ReplyKind::Claimed => done()
            .property("task_id", of_type(Type::String))
            .property("task", Ref::from_schema_name("Task"))
            .property("claim_token", of_type(Type::Integer))
            .property("lease_expires_at", nullable(Type::String))
            .property("already", of_type(Type::Boolean))
            .into(),
        ReplyKind::Reservation => with("reservation", "reservation_id", "Reservation")
            .property("expires_at", of_type(Type::String))
            .required("expires_at")
            .property("already", of_type(Type::Boolean))
            .into(),
        ReplyKind::Checked => ObjectBuilder::new()
            .property(
                "resources",
                ArrayBuilder::new().items(Ref::from_schema_name("CheckedResource")),
            )
            .required("resources")
            .into(),
        ReplyKind::Lease => done()
            .property("task_id", of_type(Type::String))
            .required("task_id")
            .property("lease_expires_at", nullable(Type::String))
            .required("lease_expires_at")
            .into(),
        ReplyKind::Pruned => done()
            .property("kind", of_type(Type::String))
            .required("kind")
            .property("before", time())
            .required("before")
            .into(),
        ReplyKind::Message => done()
            .property("message_id", of_type(Type::String))
            .required("message_id")
            .property("already", of_type(Type::Boolean))
            .into(),
        ReplyKind::Channel => done()
            .property("channel", of_type(Type::String))
            .required("channel")
            .property("already", of_type(Type::Boolean))
            .into(),
        ReplyKind::Batch(plural, item) => done()
            .property("count", of_type(Type::Integer))
            .required("count")
            .property(plural, ArrayBuilder::new().items(batch_item(item)))
            .required(plural)
            .into(),
        ReplyKind::Proposal => with("proposal", "proposal_id", "Proposal")
            .property("tally", Ref::from_schema_name("Tally"))
            .required("tally")
            .property("proposal_status", Ref::from_schema_name("ProposalStatus"))
            .required("proposal_status")
            .into(),
        ReplyKind::Sent => with("message", "message_id", "Message")
            .property("timestamp", of_type(Type::String))
            .required("timestamp")
            .property("recipients", Ref::from_schema_name("Recipients"))
            .required("recipients")
            .property("task_id", of_type(Type::String))
            .into(),
        ReplyKind::Done => done().into(),
        ReplyKind::CursorAt => {
            done().property("up_to", of_type(Type::Integer)).required("up_to").into()
        }
        ReplyKind::Released => done()
            .property("reservation_id", of_type(Type::String))
            .required("reservation_id")
            .into(),
        ReplyKind::HandedOver => {
            let texts = || ArrayBuilder::new().items(of_type(Type::String));
            let task = ObjectBuilder::new()
                .property("task_id", of_type(Type::String))
                .required("task_id")
                .property("claim_token", of_type(Type::Integer))
                .required("claim_token");
            done()
                .property("message_id", of_type(Type::String))
                .required("message_id")
                .property("tasks", ArrayBuilder::new().items(task))
                .required("tasks")
                .property("returned", texts())
                .required("returned")
                .property("reservations", texts())
                .required("reservations")
                .into()
        }
        ReplyKind::Heartbeat => ObjectBuilder::new()
            .property("status", of_type(Type::String))
            .required("status")
            .property("last_seen", time())
            .required("last_seen")
            .property("entity_id", of_type(Type::String))
            .required("entity_id")
            .into(),
        ReplyKind::Found => list("messages", "Message")
            .property("indexed_up_to", of_type(Type::Integer))
            .required("indexed_up_to")
            .into(),
        ReplyKind::One(name) => Ref::from_schema_name(name).into(),
        ReplyKind::List(plural, name) => list(plural, name).into(),
        ReplyKind::Object => ObjectBuilder::new().into(),
        ReplyKind::Stream => {
            let events = content(of_type(Type::String));
            return ResponseBuilder::new()
                .description("Events, until the hub stops.")
                .content("text/event-stream", events);
        }
        ReplyKind::Page | ReplyKind::Socket => {
            let html = content(of_type(Type::String));
            return ResponseBuilder::new().description("The page.").content("text/html", html);
        }
    };
    ResponseBuilder::new().description("Done.").content("application/json", content(object))
}

/// A list, and where it goes on.
fn list(plural: &str, name: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .property(plural, ArrayBuilder::new().items(Ref::from_schema_name(name)))
        .required(plural)
        .property("count", of_type(Type::Integer))
        .required("count")
        .property("next", of_type(Type::Integer))
        .required("next")
}

fn time() -> ObjectBuilder {
    of_type(Type::String).format(Some(date_time()))
}

/// One entry of the reply to a batch: a task as it is, or the reply that a message alone would have.
fn batch_item(name: &str) -> RefOr<Schema> {
    match name {
        "Message" => ObjectBuilder::new()
            .property("message_id", of_type(Type::String))
            .required("message_id")
            .property("message", Ref::from_schema_name("Message"))
            .required("message")
            .into(),
        noun => Ref::from_schema_name(noun).into(),
    }
}
