//! Who calls. In open mode the caller names itself, in one of several places that must agree. In token
//! mode its token says who it is, and all of them must agree with that.

use axum::http::StatusCode;
use coordhub_core::{
    command::{Auth, Caller, Role},
    ids::EntityId,
};

use super::gate::Access;
use crate::wire::{Fields, Problem, error::two_callers};

/// Where a route's caller is named, besides the header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallerIn {
    /// In this field; `entity_id` where that is missing.
    Field(&'static str),
    /// In the path, as `entity_id`.
    Path,
    /// In the field `entity_id`.
    EntityId,
    /// Nowhere but in the token: the fields name others.
    Nowhere,
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

/// The caller of a call. Names that disagree are refused: one of them is a mistake, or a lie.
pub fn caller(
    place: CallerIn,
    fields: &Fields<'_>,
    named: Named<'_>,
    access: &Access,
) -> Result<Caller, Problem> {
    let parse = |text: &str| access.parse_id(text);
    let own = match place {
        CallerIn::Field(name) => fields.parsed(name, parse)?,
        CallerIn::Path | CallerIn::EntityId | CallerIn::Nowhere => None,
    };
    let general = match place {
        CallerIn::Nowhere => None,
        _ => fields.parsed("entity_id", parse)?,
    };
    let beside = match place {
        CallerIn::Path => fields.beside_path("entity_id")?,
        CallerIn::Field(_) | CallerIn::EntityId | CallerIn::Nowhere => None,
    };
    let invalid = |why| Problem::field("entity_id", format!("entity_id: {why}"));
    let beside = beside.map(|text| parse(&text).map_err(invalid)).transpose()?;
    let header = named.header.map(|value| header_name(value, access)).transpose()?;
    let socket = named.socket.cloned();
    let names = own.into_iter().chain(general).chain(beside).chain(header).chain(socket);
    let field = match place {
        CallerIn::Field(name) => name,
        CallerIn::Path | CallerIn::EntityId | CallerIn::Nowhere => "entity_id",
    };
    match access {
        Access::Holder(identity, _) => {
            let mut names = names;
            if let Some(other) = names.find(|name| *name != identity.entity_id) {
                let own = &identity.entity_id;
                let detail = format!(
                    "the token is that of {own:?}, and the call names {other:?}; leave the name out, or show that one's token"
                );
                return Err(two_callers(Auth::Token, field, detail));
            }
            Ok(identity.caller())
        }
        Access::Open => one_of(names, Auth::Open, field),
        Access::Program(role) => {
            let caller = one_of(names, Auth::Open, field)?;
            // Who runs the hub need not say more than that.
            let unnamed = *role == Role::Admin && !matches!(place, CallerIn::Field(_));
            let id = caller.id.or_else(|| unnamed.then(EntityId::admin));
            Ok(Caller { id, role: *role, ..caller })
        }
        Access::Guest(_) | Access::Nobody => one_of(names, Auth::Token, field),
    }
}

/// The one that all the names name.
fn one_of(
    mut names: impl Iterator<Item = EntityId>,
    auth: Auth,
    field: &'static str,
) -> Result<Caller, Problem> {
    let id = names.next();
    if let (Some(first), Some(other)) = (&id, names.find(|name| Some(name) != id.as_ref())) {
        let detail = format!("the call names two callers, {first:?} and {other:?}; name one");
        return Err(two_callers(auth, field, detail));
    }
    Ok(Caller { id, auth, ..Caller::default() })
}

/// The caller of a call that needs one.
pub fn needed(caller: Caller) -> Result<EntityId, Problem> {
    caller.id.ok_or_else(|| {
        let detail = coordhub_core::hub::Rejection::CallerNeeded.to_string();
        Problem::new(StatusCode::FORBIDDEN, "caller_needed", detail)
    })
}

fn header_name(value: &[u8], access: &Access) -> Result<EntityId, Problem> {
    let invalid = |why: String| Problem::field("X-Entity-Id", format!("X-Entity-Id: {why}"));
    let text = str::from_utf8(value).map_err(|_| invalid("not UTF-8".to_owned()))?;
    access.parse_id(text).map_err(|why| invalid(why.to_string()))
}

#[cfg(test)]
mod tests {
    use coordhub_core::{engine::Identity, ids::TokenId};

    use super::*;

    fn check(
        place: CallerIn,
        body: &str,
        header: Option<&str>,
        expected: Result<Option<&str>, &str>,
    ) {
        let fields = Fields::of_body(body.as_bytes()).expect("valid");
        let named = Named { header: header.map(str::as_bytes), socket: None };
        let got = caller(place, &fields, named, &Access::Open);
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
            caller(CallerIn::Path, &fields, Named::default(), &Access::Open).is_ok()
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

    #[test]
    fn a_token_says_who_calls() {
        let identity = Identity {
            entity_id: EntityId::parse("a").expect("an id"),
            role: Role::Observer,
            token_id: TokenId::parse("token-1").expect("an id"),
            hash: coordhub_core::secret::SecretHash::new([7; 32]),
            is_used: true,
        };
        let access = Access::Holder(identity, None);
        let with = |body: &str| {
            let fields = Fields::of_body(body.as_bytes()).expect("valid");
            let from = CallerIn::Field("from_entity");
            let got = caller(from, &fields, Named::default(), &access);
            got.map_err(|problem| (problem.status().as_u16(), problem.code()))
        };
        for body in ["{}", r#"{"from_entity":"a"}"#, r#"{"entity_id":"a"}"#] {
            let caller = with(body).expect("nothing speaks against it");
            assert_eq!(caller.id.as_ref().map(EntityId::as_str), Some("a"));
            assert_eq!((caller.role, caller.auth), (Role::Observer, Auth::Token));
            assert!(caller.token.is_some());
        }
        for body in [r#"{"from_entity":"b"}"#, r#"{"from_entity":"a","entity_id":"b"}"#] {
            assert_eq!(with(body), Err((403, "caller_mismatch")), "{body}");
        }
    }
}
