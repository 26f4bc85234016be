//! `/openapi.json`, made from the route table and the model, so that it cannot say anything else.

use std::sync::LazyLock;

use coordhub_core::limits::{
    BATCH_ITEMS_MAX, CHANNEL_BYTES_MAX, ID_CHARS_MAX, KEY_CHARS_MAX, RESOURCES_MAX,
    WAIT_SECONDS_MAX,
};
use coordhub_core::model::{
    AuditEntry, ChannelView, CheckedResource, Conflict, EntityType, EntityView, Invite, LateResult,
    Message, Note, OnBlockerFailed, Priority, Proposal, ProposalStatus, Question, Receipt,
    Receipts, Recipients, Refusal, Refused, Reservation, Role, Status, Tally, Task, TaskStatus,
    Token, Vote,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        AllOfBuilder, ArrayBuilder, ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder,
        KnownFormat, ObjectBuilder, OpenApi, OpenApiBuilder, OpenApiVersion, PathItem,
        PathsBuilder, Ref, RefOr, Required, ResponseBuilder, ResponsesBuilder, Schema,
        SchemaFormat, Type,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{AnyOfBuilder, SchemaType},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

mod replies;

use super::router::{ROUTES, ReplyKind, Route, Verb};
use crate::{
    access::gate::OpenTo,
    wire::{Field, Kind, Need},
};

/// The document, as JSON.
pub fn document() -> &'static [u8] {
    static DOCUMENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| crate::wire::reply::to_bytes(&open_api()));
    &DOCUMENT
}

const ABOUT: &str = "A coordination hub for AI agents, people and services. \
    Every reply to a change leaves after the change is on disk. A body is read as JSON whatever its \
    Content-Type says. Every refusal is `application/problem+json` with a stable `code`.";

fn open_api() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in ROUTES {
        let method = match route.method {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
            Verb::Delete => HttpMethod::Delete,
        };
        paths = paths.path(route.path, PathItem::new(method, operation(route)));
    }
    let info = InfoBuilder::new()
        .title("Coordination Hub")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    let components = ComponentsBuilder::new()
        .schema("Channel", complete::<ChannelView>())
        .schema("ChannelDetails", channel_details())
        .schema("Entity", complete::<EntityView>())
        .schema("CheckedResource", complete::<CheckedResource>())
        .schema("Conflict", complete::<Conflict>())
        .schema("EntityType", EntityType::schema())
        .schema("Invite", complete::<Invite>())
        .schema("LateResult", complete::<LateResult>())
        .schema("Message", complete::<Message>())
        .schema("Note", complete::<Note>())
        .schema("OnBlockerFailed", OnBlockerFailed::schema())
        .schema("Priority", Priority::schema())
        .schema("Problem", problem())
        .schema("Proposal", complete::<Proposal>())
        .schema("ProposalStatus", ProposalStatus::schema())
        .schema("Question", complete::<Question>())
        .schema("Receipt", complete::<Receipt>())
        .schema("Receipts", complete::<Receipts>())
        .schema("Recipients", Recipients::schema())
        .schema("Reservation", complete::<Reservation>())
        .schema("Role", Role::schema())
        .schema("Status", Status::schema())
        .schema("Tally", Tally::schema())
        .schema("Task", complete::<Task>())
        .schema("TaskDetails", task_details())
        .schema("TaskStatus", TaskStatus::schema())
        .schema("AuditEntry", complete::<AuditEntry>())
        .schema("Refusal", complete::<Refusal>())
        .schema("Refused", complete::<Refused>())
        .schema("Token", complete::<Token>())
        .schema("Vote", complete::<Vote>());
    let choice = <coordhub_core::model::Choice as ToSchema>::name();
    let components = components.schema(choice, coordhub_core::model::Choice::schema());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = components.security_scheme(BEARER, SecurityScheme::Http(bearer));
    OpenApiBuilder::new()
        .openapi(OpenApiVersion::Version31)
        .info(info.build())
        .paths(paths.build())
        .components(Some(components.build()))
        // In open mode there are no tokens, so that none need be shown.
        .security(Some([SecurityRequirement::default(), by_token()]))
        .build()
}

/// What tokens are called in the document.
const BEARER: &str = "bearer";

fn by_token() -> SecurityRequirement {
    SecurityRequirement::new(BEARER, [""; 0])
}

fn operation(route: &Route) -> Operation {
    let first = route.path.split('/').nth(1).unwrap_or_default();
    let tag = match first {
        "entities" | "messages" | "tasks" | "reservations" | "proposals" => first,
        "questions" => "tasks",
        "channels" => "messages",
        "admin" | "audit" => "access",
        "events" | "ws" => "real time",
        "" | "docs" | "openapi.json" => "documents",
        _ => "udc",
    };
    let mut operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .operation_id(Some(operation_id(route)))
        .tag(tag)
        .parameters(Some(path_parameters(route)));
    match route.method {
        Verb::Post => {
            operation = operation
                .request_body(Some(body(route)))
                .parameters(Some(route.fields_in_query().map(also_in_query)));
        }
        Verb::Get | Verb::Delete => {
            operation = operation.parameters(Some(route.fields.iter().map(query_parameter)));
        }
    }
    if route.takes_keys() {
        operation = operation.parameter(key_parameter());
    }
    match route.open_to {
        OpenTo::Everyone => {
            operation = operation.securities(Some([SecurityRequirement::default()]))
        }
        OpenTo::Admins | OpenTo::HoldersOnly => {
            operation = operation.securities(Some([by_token()]));
        }
        OpenTo::Holders | OpenTo::Guests => {}
    }
    let mut responses = ResponsesBuilder::new();
    responses = match route.reply {
        ReplyKind::Socket => {
            responses.response("101", ResponseBuilder::new().description("The socket."))
        }
        _ => responses.response("200", replies::success(route.reply)),
    };
    let refusal = ResponseBuilder::new()
        .description("A refusal.")
        .content("application/problem+json", content(Ref::from_schema_name("Problem")));
    operation.responses(responses.response("default", refusal).build()).build()
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty());
    let method = route.method.as_str().to_ascii_lowercase();
    words.fold(method, |id, word| format!("{id}_{word}"))
}

fn path_parameters(route: &Route) -> impl Iterator<Item = Parameter> {
    route.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(text_of(name, Need::Required)))
            .build()
    })
}

/// What makes a change safe to send again.
fn key_parameter() -> Parameter {
    // One that is empty counts as none.
    let key = of_type(Type::String).max_length(Some(KEY_CHARS_MAX));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Makes the change once, however often it is sent."))
        .schema(Some(key))
        .build()
}

fn query_parameter(field: &Field) -> Parameter {
    // A caller may be named in a header, or by a token.
    let required = match field.need {
        Need::Required if field.name != "entity_id" => Required::True,
        _ => Required::False,
    };
    ParameterBuilder::new()
        .name(field.name)
        .parameter_in(ParameterIn::Query)
        .required(required)
        .description(Some(field.doc))
        .schema(Some(schema_of(field)))
        .build()
}

/// A field of a body that may stand in the query instead. What is wrong there is no fault where the body's
/// counts, so that its bounds stand with that.
fn also_in_query(field: &Field) -> Parameter {
    ParameterBuilder::new()
        .name(field.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "The field of the body, as a text of its type; where both are there the body's counts.",
        ))
        .schema(Some(of_type(Type::String)))
        .build()
}

/// Whether a field, or a part of a path, holds an id.
fn is_id(name: &str) -> bool {
    const OTHERS: [&str; 13] = [
        "asked_by",
        "claimed_by",
        "created_by",
        "from_entity",
        "held_by",
        "id",
        "proposed_by",
        "ready_for",
        "reply_to",
        "source",
        "to",
        "to_entity",
        "with",
    ];
    name.ends_with("_id") && name != "trace_id" || OTHERS.contains(&name)
}

/// The schema of a text, as far as a schema can say it: which characters an id may have, it cannot.
fn text_of(name: &str, need: Need) -> ObjectBuilder {
    let text = of_type(Type::String);
    match name {
        "channel" => {
            let more = CHANNEL_BYTES_MAX - 1;
            text.pattern(Some(format!("^[a-z0-9][a-z0-9._-]{{0,{more}}}$")))
        }
        name if is_id(name) => text.min_length(Some(1)).max_length(Some(ID_CHARS_MAX)),
        // The convention that asks for these takes them as they come.
        "trace_id" | "timestamp" => text,
        _ if need == Need::Required => text.min_length(Some(1)),
        _ => text,
    }
}

fn body(route: &Route) -> RequestBody {
    let mut object = ObjectBuilder::new();
    for field in route.fields {
        if field.need == Need::Required {
            object = object.property(field.name, schema_of(field)).required(field.name);
        } else {
            // What is `null` counts as not there.
            let either = AnyOfBuilder::new().item(schema_of(field)).item(of_type(Type::Null));
            object = object.property(field.name, either);
        }
    }
    let body: RefOr<Schema> = match route.fields.iter().find(|field| field.kind == Kind::Objects) {
        // The list may also be all there is.
        Some(items) => AnyOfBuilder::new().item(object).item(schema_of(items)).into(),
        None => object.into(),
    };
    RequestBodyBuilder::new().content("application/json", content(body)).build()
}

fn schema_of(field: &Field) -> RefOr<Schema> {
    let typed = |kind: Type| of_type(kind).description(Some(field.doc));
    match field.kind {
        Kind::Text => text_of(field.name, field.need).description(Some(field.doc)).into(),
        Kind::Word(words) => typed(Type::String).enum_values(Some(words.iter().copied())).into(),
        Kind::Integer if field.name == "limit" => {
            typed(Type::Integer).minimum(Some(1.0)).maximum(Some(1_000.0)).into()
        }
        Kind::Integer if matches!(field.name, "wait" | "wait_seconds") => {
            let most = WAIT_SECONDS_MAX as f64;
            typed(Type::Integer).minimum(Some(0.0)).maximum(Some(most)).into()
        }
        Kind::Integer => typed(Type::Integer).minimum(Some(0.0)).into(),
        Kind::Number => typed(Type::Number).into(),
        Kind::Flag => typed(Type::Boolean).into(),
        Kind::Time => typed(Type::String).format(Some(date_time())).into(),
        Kind::Texts => {
            let texts =
                ArrayBuilder::new().items(of_type(Type::String)).description(Some(field.doc));
            match field.name {
                "resources" => texts.min_items(Some(1)).max_items(Some(RESOURCES_MAX)).into(),
                _ => texts.into(),
            }
        }
        Kind::Object => typed(Type::Object).into(),
        Kind::Objects => ArrayBuilder::new()
            .items(of_type(Type::Object))
            .min_items(Some(1))
            .max_items(Some(BATCH_ITEMS_MAX))
            .description(Some(field.doc))
            .into(),
        Kind::Any => utoipa::openapi::schema::empty().into(),
    }
}

/// The schema of a noun: every field is always there, though some may be `null`.
fn complete<T: ToSchema>() -> RefOr<Schema> {
    match T::schema() {
        RefOr::T(Schema::Object(mut object)) => {
            object.required = object.properties.keys().cloned().collect();
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

/// A channel as `GET /channels/{channel}` shows it.
fn channel_details() -> Schema {
    let list = |items: RefOr<Schema>| {
        ArrayBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
            .items(items)
    };
    let details = ObjectBuilder::new()
        .property("created_by", nullable(Type::String))
        .required("created_by")
        .property("members", list(of_type(Type::String).into()))
        .required("members")
        .property("types", list(Ref::from_schema_name("EntityType").into()))
        .required("types");
    Schema::AllOf(AllOfBuilder::new().item(Ref::from_schema_name("Channel")).item(details).build())
}

/// A task as `GET /tasks/{task_id}` shows it.
fn task_details() -> Schema {
    let list = |items: RefOr<Schema>| ArrayBuilder::new().items(items);
    let noun = |name: &str| list(Ref::from_schema_name(name).into());
    let details = ObjectBuilder::new()
        .property("history", list(of_type(Type::Object).into()))
        .required("history")
        .property("notes", noun("Note"))
        .required("notes")
        .property("late_results", noun("LateResult"))
        .required("late_results");
    Schema::AllOf(AllOfBuilder::new().item(Ref::from_schema_name("Task")).item(details).build())
}

fn nullable(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]))
}

fn date_time() -> SchemaFormat {
    SchemaFormat::KnownFormat(KnownFormat::DateTime)
}

fn of_type(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}

fn problem() -> ObjectBuilder {
    let mut object =
        ObjectBuilder::new().property("status", of_type(Type::Integer)).required("status");
    for name in ["type", "title", "detail", "code"] {
        object = object.property(name, of_type(Type::String)).required(name);
    }
    object.property("field", of_type(Type::String))
}

fn content(schema: impl Into<RefOr<Schema>>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parsed() -> Value {
        serde_json::from_slice(document()).expect("JSON")
    }

    /// Every `$ref` of the document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(target)) = object.get("$ref") {
                    found.push(target.clone());
                }
                object.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn references_lead_somewhere() {
        let document = parsed();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for target in found {
            let pointer = target.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
        }
    }

    #[test]
    fn the_version_and_the_words_are_the_contracts() {
        let document = parsed();
        assert_eq!(document["openapi"], "3.1.0");
        let words = &document["components"]["schemas"]["TaskStatus"]["enum"];
        assert_eq!(words[1], "in_progress");
    }

    #[test]
    fn every_route_is_documented() {
        let document = parsed();
        for route in ROUTES {
            let method = route.method.as_str().to_ascii_lowercase();
            assert!(document["paths"][route.path][&method].is_object(), "{method} {}", route.path);
        }
    }
}
