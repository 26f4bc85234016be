//! Signing in to the hub's page and out again: a cookie instead of a token that a script would keep.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use coordhub_core::{command::Origin, secret::SecretHash};
use serde_json::json;

use super::{
    call::{Call, Change, Read},
    entities,
    handle::{json, perform},
};
use crate::{
    access::{
        gate::{self, Access, Sender},
        session::{SESSION_LENGTH, SessionId},
    },
    app::App,
    sockets::{Closing, Whose},
    wire::{Field, Need, Problem, reply, reply::Form},
};

/// Fields of `POST /session`: those of a registration, for whoever shows an invite.
pub const SIGN_IN: &[Field] = &[
    at_will(entities::REGISTER[0]),
    at_will(entities::REGISTER[1]),
    at_will(entities::REGISTER[2]),
    at_will(entities::REGISTER[3]),
    at_will(entities::REGISTER[4]),
];

const fn at_will(field: Field) -> Field {
    Field { need: Need::Optional, ..field }
}

/// `GET /session`: what a page must know before it asks anybody for anything.
pub fn look(call: &Call<'_>) -> Result<Read, Problem> {
    let holder = call.access.holder();
    let look = json!({
        "auth": call.app.config().auth.as_str(),
        "entity_id": holder.map(|identity| identity.entity_id.as_str()),
        "role": holder.map(|identity| identity.role.as_str()),
        "signed_in": call.access.session().is_some(),
    });
    Ok(Read::Ready(reply::to_bytes(&look)))
}

/// How somebody signs in.
pub enum SignIn {
    /// With this token.
    Token(SecretHash, Vec<u8>),
    /// With the token that this registration makes.
    Registration(Box<Change>, SecretHash),
}

/// `POST /session`, as far as it is decided by what was sent.
pub fn wanted(call: &Call<'_>) -> Result<SignIn, Problem> {
    match call.access {
        Access::Holder(identity, _) => {
            call.access.check_told_secrets()?;
            let body = json!({
                "status": "signed_in",
                "entity_id": identity.entity_id,
                "role": identity.role.as_str(),
                "expires_in_seconds": SESSION_LENGTH.as_secs(),
            });
            Ok(SignIn::Token(identity.hash, reply::to_bytes(&body)))
        }
        Access::Guest(_) => {
            let change = entities::register(call)?;
            match &change.form {
                Form::Issued { secret, .. } => {
                    let token = secret.hash();
                    Ok(SignIn::Registration(Box::new(change), token))
                }
                _ => Err(coordhub_core::HubError::Internal.into()),
            }
        }
        Access::Open | Access::Program(_) => {
            let detail = "this hub is in open mode, where nobody signs in: name yourself";
            Err(Problem::new(StatusCode::FORBIDDEN, "not_allowed", detail))
        }
        Access::Nobody => {
            Err(gate::unauthorized("to sign in, send your token as `Authorization: Bearer cht_…`"))
        }
    }
}

/// Signs somebody in.
pub async fn sign_in(
    app: &App,
    sender: Sender,
    wanted: SignIn,
    origin: Option<Arc<Origin>>,
) -> Result<Response<Body>, Problem> {
    let (token, body) = match wanted {
        SignIn::Token(token, body) => (token, body),
        SignIn::Registration(change, token) => (token, perform(app, *change, origin).await?.body),
    };
    let begun = app.sessions().begin(token, |hash| app.hub().authenticate(hash).is_some());
    let (secret, ended) = begun.map_err(|_| Problem::from(coordhub_core::HubError::Internal))?;
    ended.iter().for_each(|session| close_sockets(app, session));
    let mut response = json(body.into());
    if let Some(cookie) = app.sessions().cookie(&secret, &sender.client) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What is open by a session that has ended is open no more.
fn close_sockets(app: &App, session: &SessionId) {
    app.sockets().close(&Whose::Session(*session), Closing::TokenRevoked);
}

/// Signs out whoever was signed in.
pub fn sign_out(app: &App, sender: Sender, access: &Access) -> Response<Body> {
    if let Some(session) = access.session() {
        app.sessions().end(session);
        close_sockets(app, session);
    }
    let mut response = json(reply::to_bytes(&json!({ "status": "signed_out" })).into());
    if let Some(cookie) = app.sessions().no_cookie(&sender.client) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
