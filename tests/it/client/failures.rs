//! What the client does where a hub is slow, busy, gone, or none.

use std::time::{Duration, Instant};

use coordhub_harness::WAIT_MAX;
use coordhub_server::client::{CallOptions, Client, ClientError, Delivery, Key, Wanted};

use super::scripted::{Answer, Scripted};

const SENT: &str = r#"{"status":"sent"}"#;
const UNAVAILABLE: &str = r#"{"status":503,"code":"unavailable","detail":"not now"}"#;
const UNKNOWN: &str = r#"{"status":503,"code":"unavailable","outcome":"unknown","detail":"?"}"#;
const TOO_FAST: &str = r#"{"status":429,"code":"too_fast","detail":"slower","retry_after_ms":1}"#;

fn ok() -> Answer {
    Answer::json("200 OK", "", SENT)
}

fn unavailable() -> Answer {
    Answer::json("503 Service Unavailable", "Retry-After: 0\r\n", UNAVAILABLE)
}

fn unknown() -> Answer {
    Answer::json("503 Service Unavailable", "Retry-After: 0\r\n", UNKNOWN)
}

fn too_fast() -> Answer {
    Answer::json("429 Too Many Requests", "Retry-After: 1\r\n", TOO_FAST)
}

/// The keys under which a server was asked.
fn keys(server: &Scripted) -> Vec<Option<String>> {
    let key = |request: &String| {
        let line = request.lines().find(|line| line.starts_with("idempotency-key: "))?;
        Some(line["idempotency-key: ".len()..].to_owned())
    };
    server.requests().iter().map(key).collect()
}

/// One call against a script: whether it came to something, and how often it was asked.
async fn check(script: Vec<Answer>, call: (&str, &str), key: Key, expected: (bool, usize)) {
    let named = format!("{call:?} {key:?} {script:?}");
    let server = Scripted::start(script).await;
    let hub = Client::builder(&server.url).entity("me").build().unwrap();
    let options = CallOptions { key, ..CallOptions::default() };
    let answer = hub.call_with(call.0, call.1, b"{}", options).await;
    let keys = keys(&server);
    assert_eq!((answer.is_ok(), keys.len()), expected, "{named}: {answer:?}");
    assert!(keys.windows(2).all(|two| two[0] == two[1]), "one call, one key: {keys:?}");
}

#[tokio::test]
async fn what_does_no_harm_twice_is_tried_again_and_nothing_else() {
    let (send, read) = (("POST", "/messages/send"), ("GET", "/tasks/list"));
    let heartbeat = ("POST", "/entities/{entity_id}/heartbeat");
    let (claim, remove) = (("POST", "/tasks/claim-next"), ("DELETE", "/session"));
    let given = || Key::Given("k".to_owned());
    for (script, call, key, expected) in [
        // The connection breaks before there is an answer.
        (vec![Answer::Closes, ok()], send, Key::Made, (true, 2)),
        (vec![Answer::Closes, Answer::Closes, ok()], send, given(), (true, 3)),
        (vec![Answer::Closes, ok()], send, Key::None, (false, 1)),
        (vec![Answer::Closes, ok()], read, Key::Made, (true, 2)),
        (vec![Answer::Closes, ok()], heartbeat, Key::Made, (true, 2)),
        (vec![Answer::Closes, ok()], claim, Key::Made, (false, 1)),
        (vec![Answer::Closes, ok()], claim, given(), (true, 2)),
        // The hub knows no key for a removal.
        (vec![Answer::Closes, ok()], remove, Key::Made, (false, 1)),
        (vec![Answer::Closes, ok()], remove, given(), (false, 1)),
        // Nothing was changed: anything may be asked again.
        (vec![unavailable(), ok()], send, Key::None, (true, 2)),
        (vec![unavailable(), ok()], claim, Key::Made, (true, 2)),
        (vec![unavailable(), ok()], remove, Key::Made, (true, 2)),
        (vec![too_fast(), too_fast(), ok()], send, Key::None, (true, 3)),
        (vec![too_fast(), ok()], read, Key::Made, (true, 2)),
        // Nobody knows what was changed.
        (vec![unknown(), ok()], send, Key::None, (false, 1)),
        (vec![unknown(), ok()], send, Key::Made, (true, 2)),
        (vec![unknown(), ok()], claim, Key::Made, (false, 1)),
        (vec![unknown(), ok()], remove, Key::Made, (false, 1)),
        (vec![Answer::json("502 Bad Gateway", "", "<html>"), ok()], send, Key::None, (false, 1)),
        (vec![Answer::json("502 Bad Gateway", "", "<html>"), ok()], read, Key::None, (true, 2)),
        // Refused is refused.
        (vec![Answer::json("409 Conflict", "", "{}"), ok()], send, Key::Made, (false, 1)),
        (vec![Answer::json("500 Oh", "", "{}"), ok()], read, Key::Made, (false, 1)),
        (vec![Answer::Says("SSH-2.0\r\n\r\n".to_owned()), ok()], read, Key::Made, (false, 1)),
    ] {
        check(script, call, key, expected).await;
    }
}

#[tokio::test]
async fn it_ends_trying() {
    let server = Scripted::start(vec![unavailable()]).await;
    let hub = Client::builder(&server.url).retries(2).build().unwrap();
    let refused = hub.call("GET", "/tasks/list", b"").await.unwrap_err();
    assert_eq!(refused.problem().unwrap().code, "unavailable");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn whoever_asks_for_more_time_than_there_is_is_not_asked_again() {
    let later = Answer::json("429 Too Many Requests", "Retry-After: 3600\r\n", "{}");
    let server = Scripted::start(vec![later, ok()]).await;
    let hub = Client::builder(&server.url).build().unwrap();
    let refused = hub.call("GET", "/tasks/list", b"").await.unwrap_err();
    assert_eq!(refused.problem().unwrap().retry_after, Some(Duration::from_secs(3_600)));
    assert_eq!(server.requests().len(), 1);
    // What is asked for is waited for.
    let soon = Answer::json("503 Service Unavailable", "Retry-After: 1\r\n", "{}");
    let server = Scripted::start(vec![soon, ok()]).await;
    let hub = Client::builder(&server.url).build().unwrap();
    let before = Instant::now();
    hub.call("GET", "/tasks/list", b"").await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_key_of_its_own_is_given_up_where_nobody_calls() {
    let nobody = r#"{"code":"invalid_field","field":"Idempotency-Key","detail":"say who you are"}"#;
    let nobody = Answer::json("422 Unprocessable Content", "", nobody);
    let server = Scripted::start(vec![nobody, ok()]).await;
    let hub = Client::builder(&server.url).token("cht_x").build().unwrap();
    hub.call("POST", "/tasks/create", br#"{"title":"x"}"#).await.unwrap();
    let keys = keys(&server);
    assert!(keys[0].is_some() && keys[1].is_none() && keys.len() == 2, "{keys:?}");
}

#[tokio::test]
async fn a_claim_that_nobody_may_hear_of_has_no_key_of_the_clients_own() {
    let server = Scripted::start(vec![ok()]).await;
    let hub = Client::builder(&server.url).entity("me").build().unwrap();
    hub.call("POST", "/tasks/claim-next", br#"{"wait_seconds":1}"#).await.unwrap();
    hub.call("POST", "/tasks/t/claim", b"{}").await.unwrap();
    let keys = keys(&server);
    assert!(keys[0].is_none() && keys[1].is_some(), "{keys:?}");
}

#[tokio::test]
async fn a_time_without_end_is_a_long_one() {
    let max = u64::MAX;
    let later = Answer::json("429 Too Many Requests", &format!("Retry-After: {max}\r\n"), "{}");
    let body = format!(r#"{{"code":"too_fast","retry_after_ms":{max}}}"#);
    let in_millis = Answer::json("503 Service Unavailable", "", &body);
    for answer in [later, in_millis] {
        let server = Scripted::start(vec![answer]).await;
        let hub = Client::builder(&server.url).build().unwrap();
        let refused = hub.call("GET", "/tasks/list", b"").await.unwrap_err();
        assert!(refused.problem().unwrap().retry_after > Some(Duration::from_secs(1 << 32)));
        assert_eq!(server.requests().len(), 1);
    }
    let server = Scripted::start(vec![ok()]).await;
    let builder = Client::builder(&server.url).timeout(Duration::MAX);
    let hub = builder.connect_timeout(Duration::MAX).build().unwrap();
    let timeout = Some(Duration::MAX);
    let options = CallOptions { timeout, ..CallOptions::default() };
    hub.call_with("GET", "/events", br#"{"wait":1e300}"#, options).await.unwrap();
    hub.call("GET", "/tasks/list", b"").await.unwrap();
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_owned();
    for script in [vec![Answer::Silent], vec![Answer::Says(half)]] {
        let server = Scripted::start(script).await;
        let timeout = Duration::from_millis(50);
        let hub = Client::builder(&server.url).entity("me").timeout(timeout).build().unwrap();
        let late = hub.call("POST", "/messages/send", b"{}").await.unwrap_err();
        let ClientError::TimedOut { after, delivery, .. } = late else { panic!("{late:?}") };
        assert_eq!((after, delivery), (timeout, Delivery::Unknown));
        // A wait that the hub is asked for comes on top.
        let args = br#"{"wait": 1}"#;
        let late = hub.call("GET", "/events", args).await.unwrap_err();
        assert!(
            matches!(late, ClientError::TimedOut { after, .. } if after > Duration::from_secs(1))
        );
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let hub = Client::builder(&url).retries(1).build().unwrap();
    let gone = hub.call("POST", "/messages/send", b"{}").await.unwrap_err();
    assert!(
        matches!(&gone, ClientError::Unreachable { delivery: Delivery::NotSent, .. }),
        "{gone:?}"
    );
    assert!(!gone.may_have_been_done());
}

#[tokio::test]
async fn what_sends_no_events_is_not_followed() {
    let server = Scripted::start(vec![ok()]).await;
    let hub = Client::builder(&server.url).build().unwrap();
    let mut events = hub.events(Wanted::live());
    let refused = tokio::time::timeout(WAIT_MAX, events.batch()).await.unwrap();
    assert!(matches!(refused, Err(ClientError::Malformed { .. })), "{refused:?}");
    assert!(events.batch().await.unwrap().is_empty(), "it has ended");
}

#[test]
fn a_token_is_shown_to_no_other_machine_in_plain() {
    for url in ["http://192.0.2.1:8550", "http://hub.example"] {
        let refused = Client::builder(url).token("cht_secret").build().unwrap_err();
        let why = refused.to_string();
        assert!(matches!(refused, ClientError::Misused(_)), "{why}");
        assert!(why.contains("for all to read") && !why.contains("cht_secret"), "{why}");
        Client::builder(url).build().unwrap();
    }
    let builder = Client::builder("http://localhost").token("cht_secret");
    assert!(!format!("{builder:?} {:?}", builder.clone().build()).contains("cht_secret"));
    // Nor is one repeated that stands in the address.
    for url in ["http://me:cht_secret@localhost", "http://localhost/?token=cht_secret"] {
        let builder = Client::builder(url);
        assert!(!format!("{builder:?} {:?}", builder.clone().build()).contains("cht_secret"));
        let refused = builder.build().unwrap_err().to_string();
        assert!(refused.contains("a token is given by itself"), "{refused}");
    }
    let wrong = Client::builder("http://localhost").token("cht_ secret").build().unwrap_err();
    assert!(!wrong.to_string().contains("secret"), "{wrong}");
}
