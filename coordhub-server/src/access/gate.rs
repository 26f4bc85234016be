//! Who may come in at all: every request passes here, whatever it asks for, and so does every
//! operation of a socket.
//!
//! In token mode everything is refused that is not said to be open: a route says to whom it is
//! ([`OpenTo`]), and says nothing else by default than "whoever shows a token".

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use coordhub_core::{
    command::{Origin, Role},
    engine::Identity,
    hub::Rejection,
    ids::EntityId,
    secret::SecretHash,
};

use futures_util::FutureExt;

use super::{
    fair::{Asked, Asker},
    network::Client,
    secret::{Kind, shown},
    session::SessionId,
};
use crate::{
    app::App,
    http::router::Route,
    sockets::{Closing, Whose},
    wire::Problem,
};

/// How callers are known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AuthMode {
    /// They name themselves.
    #[default]
    Open,
    /// They show a token.
    Token,
}

impl AuthMode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Token => "token",
        }
    }
}

/// To whom a route is open in token mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenTo {
    /// Everyone, who may show nothing at all.
    Everyone,
    /// Whoever shows an invite, too.
    Guests,
    /// Whoever shows a token. The default.
    Holders,
    /// The same; in open mode nobody, for there is no token that it could be about.
    HoldersOnly,
    /// Whoever shows an admin's token; in open mode nobody.
    Admins,
}

/// What is known of whoever calls, before its fields are looked at.
#[derive(Clone, Debug)]
pub enum Access {
    /// It is as open mode has it: the call itself says who.
    Open,
    /// Nothing was shown.
    Nobody,
    /// A token was shown, or a cookie that stands for one.
    Holder(Identity, Option<SessionId>),
    /// An invite was shown.
    Guest(SecretHash),
    /// The program that the hub is part of: it names the caller and, being trusted with the file, the role.
    Program(Role),
}

impl Access {
    /// Whose token was shown.
    pub fn holder(&self) -> Option<&Identity> {
        match self {
            Self::Holder(identity, _) => Some(identity),
            _ => None,
        }
    }

    /// Whether a token was shown that never was before.
    pub fn is_first_use(&self) -> bool {
        self.holder().is_some_and(|identity| !identity.is_used)
    }

    /// The session of the page whose cookie was shown.
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Holder(_, session) => session.as_ref(),
            _ => None,
        }
    }

    /// Whether the caller may be told a secret: whoever has a page's cookie alone may not make more of it
    /// than the cookie is good for.
    pub fn check_told_secrets(&self) -> Result<(), Problem> {
        if self.session().is_none() {
            return Ok(());
        }
        let detail = "a token is told to whoever shows one, not to a page that is signed in; send yours as `Authorization: Bearer cht_…`";
        Err(Problem::new(StatusCode::FORBIDDEN, "not_allowed", detail))
    }

    /// What the caller may do beyond, or short of, its own affairs.
    pub fn role(&self) -> Role {
        match self {
            Self::Holder(identity, _) => identity.role,
            Self::Program(role) => *role,
            Self::Open | Self::Nobody | Self::Guest(_) => Role::Member,
        }
    }

    /// Whether an admin's token was shown, or the program acts as one.
    pub fn is_admin(&self) -> bool {
        self.role() == Role::Admin
    }

    /// Refuses changes to whoever only reads.
    pub fn check_changes(&self) -> Result<(), Problem> {
        if self.only_watches() { Err(Rejection::Observer.into()) } else { Ok(()) }
    }

    /// Whether the caller changes nothing, and gives no signs of life.
    pub fn only_watches(&self) -> bool {
        self.role() == Role::Observer
    }

    /// The id that a text names; `admin` is one to whoever shows its token, and to nobody else.
    pub fn parse_id(&self, text: &str) -> Result<EntityId, coordhub_core::ids::InvalidName> {
        match self {
            Self::Holder(holder, _) if holder.entity_id.as_str() == text => {
                Ok(holder.entity_id.clone())
            }
            Self::Program(Role::Admin) if text == EntityId::admin().as_str() => {
                Ok(EntityId::admin())
            }
            _ => EntityId::parse(text),
        }
    }
}

/// From where a request is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender {
    /// By which machine.
    pub client: Client,
    /// By what, as far as its browser says.
    pub page: Page,
}

/// What a browser says of the page that sends a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Page {
    /// It is the hub's own.
    Own,
    /// It is not, or nothing is said: then cookies do not count.
    #[default]
    Unknown,
}

/// Who sends a request.
pub fn know(app: &App, headers: &HeaderMap, sender: &Sender) -> Result<Access, Problem> {
    match app.config().auth {
        AuthMode::Open => Ok(Access::Open),
        AuthMode::Token => known(app, headers, sender),
    }
}

/// Lets in whoever may come in.
pub fn may_come(route: Option<&Route>, access: &Access) -> Result<(), Problem> {
    // What there is no route for is nobody's business who shows nothing.
    check(route.map_or(OpenTo::Holders, |route| route.open_to), access)
}

/// Has it written down that a token was shown, where it never was before.
pub async fn note_use(
    app: &App,
    access: &Access,
    origin: Option<Arc<Origin>>,
) -> Result<(), Problem> {
    if let Some(identity) = access.holder().filter(|_| access.is_first_use()) {
        app.hub().note_use(&identity.token_id, origin)?.await?;
    }
    Ok(())
}

/// Waits until the token that was shown is good no more; for ever where none was, or none is revoked.
pub async fn revoked(app: &App, access: &Access) -> Problem {
    let Access::Holder(identity, session) = access else { return std::future::pending().await };
    let Some(session) = session else { return token_revoked(app, identity).await };
    let whose = Whose::Session(*session);
    tokio::select! {
        biased;
        () = revocation(app.sockets().closed(&whose)) => {}
        why = token_revoked(app, identity) => return why,
        () = app.sessions().over(session) => {}
    }
    unauthorized("you have signed out; sign in again")
}

/// Waits for word that what was shown is good no more. A hub that stops closes everything, and revokes nothing.
async fn revocation(closed: impl Future<Output = Closing>) {
    if closed.await != Closing::TokenRevoked {
        std::future::pending::<()>().await;
    }
}

async fn token_revoked(app: &App, identity: &Identity) -> Problem {
    let token = Whose::Token(identity.token_id.clone());
    let mut closed = std::pin::pin!(app.sockets().closed(&token));
    // Listens first, and then looks: it may have been revoked since it was shown.
    let before = (&mut closed).now_or_never();
    if app.hub().authenticate(&identity.hash).is_some() {
        match before {
            Some(why) => revocation(std::future::ready(why)).await,
            None => revocation(closed).await,
        }
    }
    unauthorized(Rejection::TokenRevoked.to_string())
}

/// Whether somebody may come to what is open to these.
pub fn check(open_to: OpenTo, access: &Access) -> Result<(), Problem> {
    match (open_to, access) {
        (OpenTo::HoldersOnly | OpenTo::Admins, Access::Open) => {
            let detail = "this hub is in open mode, where there are no tokens and no admin; it has them when it is started with --auth token";
            Err(not_allowed(detail))
        }
        (OpenTo::Admins, Access::Holder(identity, _)) if identity.role != Role::Admin => {
            Err(not_allowed("this takes an admin's token"))
        }
        (OpenTo::HoldersOnly | OpenTo::Admins, Access::Program(role)) if *role != Role::Admin => {
            Err(not_allowed("this takes the role of an admin"))
        }
        (_, Access::Open | Access::Holder(..) | Access::Program(_)) => Ok(()),
        (OpenTo::Everyone, Access::Nobody) => Ok(()),
        (OpenTo::Guests, Access::Guest(_)) => Ok(()),
        (OpenTo::Guests, Access::Nobody) => Err(unauthorized(
            "registering needs an invite: send its secret as `Authorization: Bearer chi_…`; ask whoever runs the hub for one",
        )),
        (_, Access::Guest(_)) => Err(unauthorized(
            "an invite is for registering only; send the token that it gave you then",
        )),
        (_, Access::Nobody) => Err(unauthorized(
            "this hub wants to know who calls: send your token as `Authorization: Bearer cht_…`",
        )),
    }
}

/// What the request shows, where that is good. What is not is refused even where nothing need be shown:
/// whoever shows it believes that it is.
fn known(app: &App, headers: &HeaderMap, sender: &Sender) -> Result<Access, Problem> {
    let shown = match bearer(headers).transpose() {
        None => return Ok(by_cookie(app, headers, sender)),
        Some(text) => text.and_then(|text| by_secret(app, text)),
    };
    // Those who guess are slowed down; whoever shows a good secret from the same address is not.
    shown.or_else(|why| {
        let asker = Asker { entity: None, address: sender.client.address };
        app.buckets().take(asker, Asked::FailedLogin, 1)?;
        Err(why)
    })
}

/// A cookie counts only where the hub's own page is known to have sent the request: browsers send it
/// along whoever asks. One that is not good shows nothing, for it is sent with every request.
fn by_cookie(app: &App, headers: &HeaderMap, sender: &Sender) -> Access {
    if sender.page != Page::Own {
        return Access::Nobody;
    }
    let Some((session, token)) = app.sessions().of(headers) else { return Access::Nobody };
    match app.hub().authenticate(&token) {
        Some(identity) => Access::Holder(identity, Some(session)),
        None => {
            app.sessions().end(&session);
            Access::Nobody
        }
    }
}

fn by_secret(app: &App, text: &[u8]) -> Result<Access, Problem> {
    let not_good = || unauthorized(Rejection::TokenRevoked.to_string());
    match shown(text).ok_or_else(not_good)? {
        (Kind::Token, hash) => {
            let holder = |identity| Access::Holder(identity, None);
            app.hub().authenticate(&hash).map(holder).ok_or_else(not_good)
        }
        (Kind::Invite, hash) if app.hub().knows_invite(&hash) => Ok(Access::Guest(hash)),
        (Kind::Invite | Kind::Session, _) => {
            Err(unauthorized("there is no such invite, or it was revoked; ask for another"))
        }
    }
}

/// What stands before a token among the protocols that a socket's client offers: browsers let a page set
/// no header.
const PROTOCOL_PREFIX: &[u8] = b"bearer.";

/// The secret that a request shows. It is looked for where nothing logs it, and never in an address.
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let twice = || unauthorized("the request shows two secrets; send one");
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let in_header = lines.next().map(|line| of_scheme(line.as_bytes())).transpose()?;
    if lines.next().is_some() {
        return Err(twice());
    }
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut offered = offers.filter_map(|one| one.trim_ascii().strip_prefix(PROTOCOL_PREFIX));
    let in_protocol = offered.next();
    if offered.next().is_some() || (in_header.is_some() && in_protocol.is_some()) {
        return Err(twice());
    }
    Ok(in_header.or(in_protocol))
}

/// Whether a request shows a secret, good or not. What does is no page of another site: it has none.
pub fn shows_secret(headers: &HeaderMap) -> bool {
    bearer(headers).is_ok_and(|text| text.is_some())
}

fn of_scheme(line: &[u8]) -> Result<&[u8], Problem> {
    const SCHEME: &[u8] = b"bearer ";
    match line.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(rest.trim_ascii()),
        _ => Err(unauthorized("write `Authorization: Bearer` and your token behind it")),
    }
}

/// The refusal of whoever shows nothing, or nothing that is good.
pub fn unauthorized(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

fn not_allowed(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn check_bearer(lines: &[(&str, &'static str)], expected: Result<Option<&str>, u16>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_static(value));
        }
        let got = bearer(&headers).map_err(|problem| problem.status().as_u16());
        assert_eq!(got, expected.map(|text| text.map(str::as_bytes)), "{lines:?}");
    }

    #[test]
    fn a_secret_is_shown_in_one_of_two_places() {
        let (auth, offer) = ("authorization", "sec-websocket-protocol");
        check_bearer(&[], Ok(None));
        check_bearer(&[(auth, "Bearer cht_x")], Ok(Some("cht_x")));
        check_bearer(&[(auth, "bearer  cht_x ")], Ok(Some("cht_x")));
        check_bearer(&[(auth, "Bearer ")], Ok(Some("")));
        check_bearer(&[(auth, "Bearer")], Err(401));
        check_bearer(&[(auth, "Basic cht_x")], Err(401));
        check_bearer(&[(auth, "")], Err(401));
        check_bearer(&[(auth, "Bearer a"), (auth, "Bearer a")], Err(401));
        check_bearer(&[(offer, "coordhub.v1, bearer.cht_x")], Ok(Some("cht_x")));
        check_bearer(&[(offer, "coordhub.v1"), (offer, "bearer.cht_x")], Ok(Some("cht_x")));
        check_bearer(&[(offer, "coordhub.v1")], Ok(None));
        check_bearer(&[(offer, "bearer.a, bearer.b")], Err(401));
        check_bearer(&[(auth, "Bearer a"), (offer, "bearer.a")], Err(401));
    }
}
