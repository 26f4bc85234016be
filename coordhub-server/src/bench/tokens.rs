//! Tokens for the load on a hub in token mode, made by its admin's.

use std::{fmt, io};

use parking_lot::Mutex;
use serde_json::json;

use super::{
    Run,
    http::{Connection, find, invalid, post, text_after},
};

/// What the load shows.
pub struct Tokens {
    admin: String,
    /// Of `bench-0` and so on.
    members: Mutex<Vec<String>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Tokens {
    /// None yet but an admin's.
    pub fn new(admin: String) -> Self {
        Self { admin, members: Mutex::default() }
    }

    /// A request that shows the admin's.
    pub fn as_admin(&self, request: &[u8]) -> Vec<u8> {
        shown(request, &self.admin)
    }

    /// A request that shows the one of `bench-<index>`.
    pub fn as_member(&self, request: &[u8], index: usize) -> Vec<u8> {
        match self.members.lock().get(index) {
            Some(token) => shown(request, token),
            None => request.to_vec(),
        }
    }

    /// Registers `bench-0` and so on, and makes a token for each that has none yet.
    pub async fn make(&self, run: &Run, count: usize) -> io::Result<()> {
        let authority = run.authority();
        let mut connection = Connection::open(authority).await?;
        let made = self.members.lock().len();
        for index in made..count {
            let id = format!("bench-{index}");
            let register = json!({ "entity_id": id, "entity_type": "service" });
            let register = self.as_admin(&post(authority, "/entities/register", &register));
            connection.expect_ok(&register).await?;
            let issue = json!({ "entity_id": id, "name": "bench" });
            let issue = self.as_admin(&post(authority, "/admin/tokens", &issue));
            let reply = connection.expect_ok(&issue).await?;
            let token = text_after(reply, b"\"token\":\"").map(str::to_owned);
            self.members.lock().push(token.ok_or_else(|| invalid("an answer without a token"))?);
        }
        Ok(())
    }
}

/// A request with one header more.
fn shown(request: &[u8], token: &str) -> Vec<u8> {
    let line = find(request, b"\r\n").map_or(0, |end| end + 2);
    let header = format!("Authorization: Bearer {token}\r\n");
    [&request[..line], header.as_bytes(), &request[line..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_behind_the_first_line() {
        let got = shown(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "t");
        assert_eq!(got, b"GET / HTTP/1.1\r\nAuthorization: Bearer t\r\nHost: x\r\n\r\n");
    }
}
