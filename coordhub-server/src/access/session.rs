//! Sessions of the hub's page: a cookie that stands for a token, so that no script ever has to keep one.
//!
//! They live in memory. A start of the hub ends them all, and so does the end of the token that one was
//! begun with.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use coordhub_core::secret::SecretHash;
use dashmap::DashMap;
use sha2::{Digest as _, Sha256};

use super::{
    network::Client,
    secret::{Kind, Secret},
};

/// For how long a person is signed in.
pub const SESSION_LENGTH: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many of them may stand for one token; beyond that its oldest ends.
const SESSIONS_PER_TOKEN_MAX: usize = 32;
/// How many sessions there may be at a time; beyond that the oldest end.
const SESSIONS_MAX: usize = 10_000;

/// Which session: the hash of its secret.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct SessionId([u8; 32]);

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(…)")
    }
}

#[derive(Clone, Copy, Debug)]
struct Session {
    token: SecretHash,
    ends: Instant,
}

/// The sessions of everybody.
#[derive(Debug)]
pub struct Sessions {
    by_id: DashMap<SessionId, Session>,
    cookie_name: String,
}

impl Sessions {
    /// Those of one hub. Cookies know no ports, so the hubs of one machine must not share a name.
    pub fn new(epoch: &str) -> Self {
        let mark: String = epoch.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        Self { by_id: DashMap::new(), cookie_name: format!("coordhub_{mark}") }
    }

    /// Begins one for whoever showed this token, and says which others ended for it. `is_good` says whether
    /// a token still is.
    pub fn begin(
        &self,
        token: SecretHash,
        is_good: impl Fn(&SecretHash) -> bool,
    ) -> Result<(Secret, Vec<SessionId>), getrandom::Error> {
        let secret = Secret::new(Kind::Session)?;
        let mut ended = self.make_room(SESSIONS_PER_TOKEN_MAX, |session| session.token == token);
        if self.by_id.len() >= SESSIONS_MAX {
            // Those of tokens that were rotated or revoked go first: nobody is signed out by another's.
            self.by_id.retain(|_, session| is_good(&session.token));
            ended.extend(self.make_room(SESSIONS_MAX, |_| true));
        }
        let session = Session { token, ends: Instant::now() + SESSION_LENGTH };
        self.by_id.insert(id_of(secret.expose().as_bytes()), session);
        Ok((secret, ended))
    }

    /// Ends one.
    pub fn end(&self, id: &SessionId) {
        self.by_id.remove(id);
    }

    /// The session whose cookie a request brings, and the token that it stands for.
    pub fn of(&self, headers: &HeaderMap) -> Option<(SessionId, SecretHash)> {
        let id = id_of(self.cookie_in(headers)?);
        let session = *self.by_id.get(&id)?;
        if session.ends <= Instant::now() {
            self.end(&id);
            return None;
        }
        Some((id, session.token))
    }

    /// Waits until a session is over by its time.
    pub async fn over(&self, id: &SessionId) {
        let ends = self.by_id.get(id).map(|session| session.ends);
        if let Some(ends) = ends {
            tokio::time::sleep_until(ends.into()).await;
        }
    }

    /// Has the browser keep a session.
    pub fn cookie(&self, secret: &Secret, client: &Client) -> Option<HeaderValue> {
        self.set_cookie(secret.expose(), SESSION_LENGTH, client)
    }

    /// Has the browser forget it.
    pub fn no_cookie(&self, client: &Client) -> Option<HeaderValue> {
        self.set_cookie("", Duration::ZERO, client)
    }

    fn set_cookie(&self, value: &str, length: Duration, client: &Client) -> Option<HeaderValue> {
        let (name, seconds) = (&self.cookie_name, length.as_secs());
        let secure = if client.is_secure { "; Secure" } else { "" };
        let line =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        let mut value = HeaderValue::try_from(line).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn cookie_in<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let lines = headers.get_all(header::COOKIE).iter();
        let mut cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        cookies.find_map(|cookie| {
            let rest = cookie.trim_ascii().strip_prefix(self.cookie_name.as_bytes())?;
            rest.strip_prefix(b"=")
        })
    }

    /// Ends the oldest of those that are meant, where there would be more than `most`.
    fn make_room(&self, most: usize, is_meant: impl Fn(&Session) -> bool) -> Vec<SessionId> {
        let meant = self.by_id.iter().filter(|one| is_meant(one.value()));
        let mut meant: Vec<_> = meant.map(|one| (one.ends, *one.key())).collect();
        meant.sort_by_key(|(ends, _)| *ends);
        meant.truncate((meant.len() + 1).saturating_sub(most));
        let ended: Vec<_> = meant.into_iter().map(|(_, id)| id).collect();
        ended.iter().for_each(|id| self.end(id));
        ended
    }
}

fn id_of(secret: &[u8]) -> SessionId {
    SessionId(Sha256::digest(secret).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_cookie_until_it_ends() {
        let sessions = Sessions::new("0123456789abcdef");
        let token = SecretHash::new([7; 32]);
        let (secret, ended) = sessions.begin(token, |_| true).expect("there is randomness");
        assert!(ended.is_empty());
        let client = Client { address: None, is_secure: true };
        let cookie = sessions.cookie(&secret, &client).expect("a header");
        let cookie = cookie.to_str().expect("text");
        for said in ["coordhub_0123456789ab=chs_", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
            assert!(cookie.contains(said), "{said}: {cookie}");
        }
        let sent = format!("other=1; {}", cookie.split(';').next().unwrap_or_default());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, sent.parse().expect("a header"));
        let (id, shown) = sessions.of(&headers).expect("it is known");
        assert!(shown == token);
        sessions.end(&id);
        assert!(sessions.of(&headers).is_none());
        // The oldest ends where a token would have too many.
        let begin = || sessions.begin(token, |_| true).expect("there is randomness");
        let first = begin().0;
        for _ in 1..SESSIONS_PER_TOKEN_MAX {
            assert!(begin().1.is_empty());
        }
        assert_eq!(begin().1, [id_of(first.expose().as_bytes())]);
    }
}
