//! Who calls. In open mode the caller names itself, in one of several places that must agree.

use axum::http::StatusCode;
use coordhub_core::{
    command::{Auth, Caller, Role},
    ids::EntityId,
};

use crate::wire::{Fields, Problem};

/// Where a route's caller is named, besides the header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallerIn {
    /// In this field; `entity_id` where that is missing.
    Field(&'static str),
    /// In the path, as `entity_id`.
    Path,
    /// In the field `entity_id`.
    EntityId,
}

/// The places where a caller may be named, other than the fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    /// The header `X-Entity-Id`.
    pub header: Option<&'a [u8]>,
    /// The socket that the call came over.
    pub socket: Option<&'a EntityId>,
}

/// The header that may name the caller.
pub const CALLER_HEADER: &str = "x-entity-id";

/// The caller of a call in open mode. Names that disagree are refused: one of them is a mistake.
pub fn caller(place: CallerIn, fields: &Fields<'_>, named: Named<'_>) -> Result<Caller, Problem> {
    let own = match place {
        CallerIn::Field(name) => fields.parsed(name, EntityId::parse)?,
        CallerIn::Path | CallerIn::EntityId => None,
    };
    let general = fields.parsed("entity_id", EntityId::parse)?;
    let beside = match place {
        CallerIn::Path => fields.beside_path("entity_id")?,
        CallerIn::Field(_) | CallerIn::EntityId => None,
    };
    let invalid = |why| Problem::field("entity_id", format!("entity_id: {why}"));
    let beside = beside.map(|text| EntityId::parse(&text).map_err(invalid)).transpose()?;
    let header = named.header.map(header_name).transpose()?;
    let socket = named.socket.cloned();
    let mut names = own.into_iter().chain(general).chain(beside).chain(header).chain(socket);
    let id = names.next();
    if let (Some(first), Some(other)) = (&id, names.find(|name| Some(name) != id.as_ref())) {
        let detail = format!("the call names two callers, {first:?} and {other:?}; name one");
        let field = match place {
            CallerIn::Field(name) => name,
            CallerIn::Path | CallerIn::EntityId => "entity_id",
        };
        return Err(Problem::field(field, detail));
    }
    Ok(Caller { id, role: Role::Member, auth: Auth::Open })
}

/// The caller of a call that needs one.
pub fn needed(caller: Caller) -> Result<EntityId, Problem> {
    caller.id.ok_or_else(|| {
        let detail = coordhub_core::hub::Rejection::CallerNeeded.to_string();
        Problem::new(StatusCode::FORBIDDEN, "caller_needed", detail)
    })
}

fn header_name(value: &[u8]) -> Result<EntityId, Problem> {
    let invalid = |why: String| Problem::field("X-Entity-Id", format!("X-Entity-Id: {why}"));
    let text = str::from_utf8(value).map_err(|_| invalid("not UTF-8".to_owned()))?;
    EntityId::parse(text).map_err(|why| invalid(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        place: CallerIn,
        body: &str,
        header: Option<&str>,
        expected: Result<Option<&str>, &str>,
    ) {
        let fields = Fields::of_body(body.as_bytes()).expect("valid");
        let named = Named { header: header.map(str::as_bytes), socket: None };
        let got = caller(place, &fields, named);
        let got = got.map(|caller| caller.id.map(|id| id.to_string()));
        let got = got.map_err(|problem| problem.to_json()["field"].to_string());
        let expected = expected.map(|id| id.map(str::to_owned)).map_err(|f| format!("{f:?}"));
        assert_eq!(got, expected, "{place:?} {body} {header:?}");
    }

    #[test]
    fn the_path_and_the_body_must_agree() {
        let with = |body: &'static str| {
            let mut fields = Fields::of_body(body.as_bytes()).expect("valid");
            fields.push_path("entity_id", "a".into());
            caller(CallerIn::Path, &fields, Named::default()).is_ok()
        };
        assert!(with("{}") && with(r#"{"entity_id":"a"}"#));
        assert!(!with(r#"{"entity_id":"b"}"#));
    }

    #[test]
    fn a_caller_is_named_once() {
        let from = CallerIn::Field("from_entity");
        check(from, r#"{"from_entity":"a"}"#, None, Ok(Some("a")));
        check(from, r#"{"entity_id":"a"}"#, None, Ok(Some("a")));
        check(from, "{}", Some("a"), Ok(Some("a")));
        check(from, r#"{"from_entity":"a","entity_id":"a"}"#, Some("a"), Ok(Some("a")));
        check(from, r#"{"from_entity":"a","entity_id":"b"}"#, None, Err("from_entity"));
        check(from, r#"{"from_entity":"a"}"#, Some("b"), Err("from_entity"));
        check(CallerIn::EntityId, r#"{"entity_id":"a"}"#, Some("b"), Err("entity_id"));
        check(CallerIn::EntityId, r#"{"entity_id":"system"}"#, None, Err("entity_id"));
        check(CallerIn::EntityId, "{}", Some("a/b"), Err("X-Entity-Id"));
        check(CallerIn::EntityId, "{}", None, Ok(None));
    }
}
