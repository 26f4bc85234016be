//! The same table in open mode; and in both modes pages of elsewhere, and the hub's own.

use coordhub_harness::{Hub, Request};
use serde_json::Value;

use super::{Case, House, Row, case, each, is_open, table};
use crate::{support::hub_with_everyone, tokens::TokenHub};

/// Who calls in open mode, in the order of a row's statuses: whoever gives no name, a name that never registered, an
/// agent, a session, a human, a service. Where the path names the caller, nobody calls without a name: `-`.
const CALLERS: [&str; 6] = ["", "stranger", "ai", "session", "anna", "backup"];

/// What it takes a name to do, registered or not.
pub(super) const NAMED: &str = "403 200 200 200 200 200";
/// What the agent `ai`, whose thing it is, and a human do.
pub(super) const OWNERS: &str = "403 403 200 403 200 403";

/// A hub in open mode: callers are whom they say they are.
struct OpenHub(Hub);

impl House for OpenHub {
    async fn make(&self, who: &str, path: &str, body: Value) -> Value {
        // There is no admin: whoever is to be there registers itself.
        let name = match who {
            "admin" => body["entity_id"].as_str().unwrap(),
            who => who,
        };
        let request = Request::post(path).header("X-Entity-Id", name).json(&body);
        self.0.send(request).await.ok()
    }

    fn may_change(&self, who: &str) -> bool {
        !who.is_empty()
    }

    async fn token_id(&self) -> String {
        "token-0".to_owned()
    }

    async fn invite_id(&self) -> String {
        "invite-0".to_owned()
    }
}

#[tokio::test]
async fn whoever_calls_in_open_mode_gets_what_the_table_says() {
    let hub = OpenHub(hub_with_everyone().await);
    let mut nth = 0;
    for row in table() {
        for (who, expected) in CALLERS.iter().zip(each(row.in_open_mode, CALLERS.len())) {
            nth += 1;
            let by_path = row.route.contains("{entity_id}");
            assert_eq!(expected == "-", who.is_empty() && by_path, "{} {}", row.method, row.route);
            if expected == "-" {
                continue;
            }
            // Whoever has not registered does so in one of the rows, and is another in the next.
            let who = match *who {
                "stranger" => format!("stranger-{nth}"),
                who => who.to_owned(),
            };
            let case = case(&hub, &row, &who, nth).await;
            let named = [("X-Entity-Id", &*who)];
            let headers: &[_] = if who.is_empty() { &[] } else { &named };
            let (status, code) = case.ask(&hub.0, &row, headers).await;
            let told = format!("{} {} by {who:?}: {code}", row.method, row.route);
            assert_eq!(status.to_string(), expected, "{told}");
            if who.is_empty() && status == 403 && code != "caller_needed" {
                assert_eq!(code, "not_allowed", "{told}: it takes an admin");
            }
        }
    }
}

/// What a browser says of a page that is not the hub's, one at a time.
const FOREIGN: [(&str, &str); 6] = [
    ("Origin", "https://evil.example"),
    ("Origin", "null"),
    ("Origin", "http://127.0.0.1:1"),
    ("Origin", ""),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
];

/// Whoever watches whether a hub works may be a page.
const WATCHED: &str = "/health";

/// Asks for a row as a page of elsewhere, which has this beside what is said of it.
async fn ask_from_elsewhere(hub: &Hub, case: &Case, row: &Row, with: &[(&'static str, &str)]) {
    for said in FOREIGN {
        let headers: Vec<_> = with.iter().copied().chain([said]).collect();
        let (status, code) = case.ask(hub, row, &headers).await;
        let told = format!("{} {} from {said:?}: {status} {code}", row.method, row.route);
        if row.route == WATCHED {
            assert_eq!(status, 200, "{told}");
            continue;
        }
        assert_eq!(status, 403, "{told}");
        // A refused socket has no body that a browser would show.
        assert!(code == "origin_not_allowed" || code.is_empty(), "{told}");
    }
}

#[tokio::test]
async fn a_page_of_elsewhere_gets_nothing_in_open_mode() {
    let hub = OpenHub(hub_with_everyone().await);
    for (nth, row) in table().iter().enumerate() {
        let case = case(&hub, row, "anna", nth).await;
        ask_from_elsewhere(&hub.0, &case, row, &[("X-Entity-Id", "anna")]).await;
        // A name that was pointed at this machine makes a page of elsewhere look like the hub's own.
        let rebound = [("Host", "evil.example"), ("Origin", "http://evil.example")];
        for headers in [&rebound[..1], &rebound] {
            let (status, code) = case.ask(&hub.0, row, headers).await;
            let expected = if row.route == WATCHED { 200 } else { 403 };
            assert_eq!(status, expected, "{} {} by a name: {code}", row.method, row.route);
        }
    }
}

#[tokio::test]
async fn a_page_of_elsewhere_gets_nothing_with_a_token_or_a_cookie() {
    let hub = TokenHub::with_everyone().await;
    let bearer = format!("Bearer {}", hub.token("anna"));
    let cookie = crate::session::sign_in(&hub, hub.token("anna")).await;
    for (nth, row) in table().iter().enumerate() {
        let case = case(&hub, row, "anna", nth).await;
        ask_from_elsewhere(&hub, &case, row, &[("Authorization", &bearer)]).await;
        ask_from_elsewhere(&hub, &case, row, &[("Cookie", &cookie)]).await;
        // A cookie that comes with no word of its page says nothing.
        if !is_open(row) && row.route != "/session" {
            let (status, _) = case.ask(&hub, row, &[("Cookie", &cookie)]).await;
            assert_eq!(status, 401, "{} {} with a cookie alone", row.method, row.route);
        }
    }
}

#[tokio::test]
async fn the_hubs_own_page_gets_what_its_cookie_stands_for() {
    let hub = TokenHub::with_everyone().await;
    let own = crate::session::origin(&hub);
    let mut nth = 0;
    for who in ["anna", "watcher", "admin"] {
        let at = super::CALLERS.iter().position(|known| *known == who).unwrap();
        let cookie = crate::session::sign_in(&hub, hub.token(who)).await;
        // Signing out ends it.
        for row in table().iter().filter(|row| row.route != "/session") {
            nth += 1;
            let case = case(&hub, row, who, nth).await;
            let headers = [("Cookie", &*cookie), ("Origin", &*own)];
            let (status, code) = case.ask(&hub, row, &headers).await;
            // Whatever runs in a browser is told no secret, an admin's neither.
            let tells_secret = row.method == "POST"
                && ["/admin/tokens", "/admin/invites"].iter().any(|of| row.route.starts_with(of));
            let expected = if tells_secret { 403 } else { row.statuses()[at] };
            assert_eq!(status, expected, "{} {} by {who}: {code}", row.method, row.route);
        }
    }
}
