//! The client of the library: connections that are kept, hubs that come and go, TLS, and what it says where it fails.

mod scripted;
mod failures;

use std::{process::Command, time::Duration};

use coordhub_harness::{Hub, HubOptions, WAIT_MAX, hub};
use coordhub_server::client::{
    CallOptions, Client, ClientError, Events, GapReason, Item, Key, Wanted,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use self::scripted::Door;

fn text(value: Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Calls are tried until the hub is there again.
fn patient(url: &str) -> Client {
    let builder = Client::builder(url).retries(10_000).timeout(4 * WAIT_MAX);
    builder.connect_timeout(WAIT_MAX).build().unwrap()
}

async fn say(hub: &Client, from: &str, content: String) -> u64 {
    let args = text(json!({ "from_entity": from, "content": content }));
    let answer: Value = hub.call("POST", "/messages/send", &args).await.unwrap().json().unwrap();
    answer["seq"].as_u64().unwrap()
}

async fn next(events: &mut Events) -> Vec<Item> {
    timeout(WAIT_MAX, events.batch()).await.unwrap().unwrap()
}

/// Reads so many messages, in order; gives their `seq` and what they say.
async fn read(events: &mut Events, count: usize) -> Vec<(u64, String)> {
    let mut read = Vec::new();
    while read.len() < count {
        for item in next(events).await {
            let Item::Event(event) = item else { panic!("{item:?}") };
            let json: Value = serde_json::from_slice(event.json()).unwrap();
            assert_eq!(
                (json["seq"].as_u64(), json["kind"].as_str()),
                (Some(event.seq()), Some(event.kind()))
            );
            read.push((event.seq(), json["data"]["content"].as_str().unwrap().to_owned()));
        }
    }
    read
}

#[tokio::test]
async fn calls_reach_every_route_and_refusals_say_what_they_are() {
    let hub = Hub::new();
    let client = Client::builder(hub.url()).entity("me").build().unwrap();
    let made =
        client.call("POST", "/tasks/create", br#"{"title":"x","task_id":"a b"}"#).await.unwrap();
    assert_eq!((made.status, made.is_replayed), (200, false));
    assert_eq!(made.json::<Value>().unwrap()["task"]["created_by"], "me");
    let args = text(json!({ "task_id": "a b", "entity_id": null }));
    client.call("POST", "/tasks/{task_id}/claim", &args).await.unwrap();
    let list =
        client.call("GET", "/tasks/list", br#"{"claimed_by":"me","limit":5}"#).await.unwrap();
    assert_eq!(list.json::<Value>().unwrap()["count"], 1);
    let other = CallOptions { entity: Some("you".to_owned()), ..CallOptions::default() };
    let refused =
        client.call_with("POST", "/tasks/{task_id}/claim", &args, other).await.unwrap_err();
    let problem = refused.problem().unwrap();
    assert_eq!((problem.status, problem.code.as_str()), (409, "task_already_claimed"));
    assert_eq!(problem.text("claimed_by").as_deref(), Some("me"));
    assert!(!refused.may_have_been_done() && refused.to_string().contains("task_already_claimed"));
    // Under a key of one's own a call is made once.
    let keyed = || CallOptions { key: Key::Given("k1".to_owned()), ..CallOptions::default() };
    let send = || client.call_with("POST", "/messages/send", br#"{"content":"x"}"#, keyed());
    let (first, second) = (send().await.unwrap(), send().await.unwrap());
    assert!(!first.is_replayed && second.is_replayed);
    assert_eq!(first.json::<Value>().unwrap()["seq"], second.json::<Value>().unwrap()["seq"]);
    // Nobody's change, and one by a token that an open hub does not ask for.
    let nobody = Client::builder(hub.url()).build().unwrap();
    nobody.call("POST", "/tasks/create", br#"{"title":"nobody's"}"#).await.unwrap();
    let token = Client::builder(hub.url()).token("cht_x").build().unwrap();
    token.call("POST", "/tasks/create", br#"{"title":"nobody's"}"#).await.unwrap();
}

#[tokio::test]
async fn connections_are_used_again() {
    let hub = Hub::new();
    let door = Door::to(hub.port()).await;
    let client = Client::builder(&door.url).entity("me").build().unwrap();
    for number in 0..50 {
        say(&client, "me", number.to_string()).await;
    }
    assert_eq!(door.connections(), 1);
    for _ in 0..5 {
        let calls = (0..4).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call("GET", "/tasks/list", b"").await.unwrap() })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    }
    assert!(door.connections() <= 4, "{}", door.connections());
    // A refusal is an answer like any other.
    client.call("GET", "/tasks/{task_id}", br#"{"task_id":"none"}"#).await.unwrap_err();
    say(&client, "me", "after".to_owned()).await;
    assert!(door.connections() <= 4, "{}", door.connections());
}

#[tokio::test]
async fn many_calls_at_once_share_some_connections() {
    let hub = Hub::new();
    let door = Door::to(hub.port()).await;
    let client = Client::builder(&door.url).entity("me").build().unwrap();
    let calls = (0..300).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { say(&client, "me", number.to_string()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert!(door.connections() <= 64, "{}", door.connections());
    assert_eq!(hub.get_ok("/state").await["head_seq"], 300);
}

#[tokio::test]
async fn calls_that_wait_keep_no_other_from_being_sent() {
    const WAITING: usize = 70;
    let hub = Hub::new();
    let door = Door::to(hub.port()).await;
    let client = Client::builder(&door.url).entity("me").build().unwrap();
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let client = client.clone();
            let args = br#"{"since":0,"wait":60}"#;
            tokio::spawn(async move { client.call("GET", "/events", args).await.unwrap() })
        })
        .collect();
    while door.connections() < WAITING {
        tokio::task::yield_now().await;
    }
    timeout(WAIT_MAX, say(&client, "me", "x".to_owned())).await.unwrap();
    for answer in waiting {
        timeout(WAIT_MAX, answer).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_made_once() {
    let hub = Hub::new();
    let door = Door::to(hub.port()).await;
    let args = br#"{"from_entity":"me","content":"x"}"#;
    let client = || Client::builder(&door.url).build().unwrap();
    door.lose_answers(3);
    let answer = client().call("POST", "/messages/send", args).await.unwrap();
    assert!(answer.is_replayed);
    assert_eq!(
        (door.connections(), hub.get_ok("/messages/recent").await["count"].as_u64()),
        (4, Some(1))
    );
    // Without a key nobody knows, and the client says so.
    door.lose_answers(1);
    let options = CallOptions { key: Key::None, ..CallOptions::default() };
    let lost = client().call_with("POST", "/messages/send", args, options).await.unwrap_err();
    assert!(lost.may_have_been_done(), "{lost:?}");
    assert_eq!(hub.get_ok("/messages/recent").await["count"], 2);
    // So is a claim under a key of one's own: whoever asks again has it.
    hub.task("t").await;
    door.lose_answers(2);
    let args = br#"{"entity_id":"me","lease_seconds":60,"wait_seconds":1}"#;
    let options = CallOptions { key: Key::Given("c".to_owned()), ..CallOptions::default() };
    let claim = client().call_with("POST", "/tasks/claim-next", args, options).await.unwrap();
    assert!(claim.is_replayed);
    assert_eq!(claim.json::<Value>().unwrap()["claim_token"], 1);
}

/// Writers send while the hub is killed, stopped and started again; a reader follows. What was sent is there once, and the
/// reader saw all of it once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_dies_under_way_loses_and_doubles_nothing() {
    const WRITERS: usize = 3;
    const EACH: usize = 60;
    let mut hub = Hub::new();
    let door = Door::to(hub.port()).await;
    let client = patient(&door.url);
    let mut events = client.events(Wanted::since(0).kinds(["message_sent"]));
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (client, sent) = (client.clone(), sent.clone());
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                for number in 0..EACH {
                    seqs.push((
                        say(&client, "w", format!("{writer}-{number}")).await,
                        format!("{writer}-{number}"),
                    ));
                    sent.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
                seqs
            })
        })
        .collect();
    let reader = tokio::spawn(async move { read(&mut events, WRITERS * EACH).await });
    for round in 1..=4 {
        while sent.load(std::sync::atomic::Ordering::SeqCst) < round * 30 {
            tokio::task::yield_now().await;
        }
        if round % 2 == 0 {
            tokio::task::block_in_place(|| assert!(hub.terminate().success()));
        } else {
            hub.kill9();
        }
        tokio::task::block_in_place(|| hub.restart());
        door.lead_to(hub.port());
    }
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(timeout(4 * WAIT_MAX, writer).await.unwrap().unwrap());
    }
    acknowledged.sort();
    let read = timeout(4 * WAIT_MAX, reader).await.unwrap().unwrap();
    assert_eq!(read, acknowledged);
    let log = hub.get_ok("/events?kinds=message_sent").await;
    assert_eq!(log["events"].as_array().unwrap().len(), WRITERS * EACH, "made exactly once");
}

#[tokio::test]
async fn events_are_of_the_kinds_and_channels_that_are_wanted() {
    let hub = Hub::new();
    let client = Client::builder(hub.url()).entity("me").build().unwrap();
    let args = br#"{"channel":"technical","content":"a \"b\"\n\n: c"}"#;
    client.call("POST", "/messages/send", args).await.unwrap();
    client.call("POST", "/messages/send", br#"{"content":"d"}"#).await.unwrap();
    client.call("POST", "/tasks/create", br#"{"title":"t"}"#).await.unwrap();
    let mut wanted =
        client.events(Wanted::since(0).kinds(["message_sent"]).channels(["technical"]));
    let (seq, said) = read(&mut wanted, 1).await.remove(0);
    assert_eq!((seq, said.as_str()), (1, "a \"b\"\n\n: c"));
    let args = Wanted::from_args(br#"{"since":1,"kinds":["message_sent"]}"#).unwrap();
    let mut wanted = client.events(args);
    assert_eq!(read(&mut wanted, 1).await, [(2, "d".to_owned())]);
    let position = wanted.position().unwrap();
    let (epoch, seq) = position.split_once(':').unwrap();
    // What came after and was not wanted counts as well.
    assert!(!epoch.is_empty() && ["2", "3"].contains(&seq), "{position}");
    // A batch that is dropped while it waits loses nothing.
    assert!(timeout(Duration::from_millis(1), wanted.batch()).await.is_err());
    say(&client, "me", "e".to_owned()).await;
    assert_eq!(read(&mut wanted, 1).await[0].1, "e");
    // What is wrong is said, and it is over.
    let mut wrong = client.events(Wanted::since("x:y:z"));
    let refused = timeout(WAIT_MAX, wrong.batch()).await.unwrap().unwrap_err();
    assert_eq!(refused.problem().unwrap().status, 422);
    assert!(wrong.batch().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_history_is_told() {
    let mut hub = Hub::new();
    let door = Door::to(hub.port()).await;
    let client = patient(&door.url);
    for number in 0..3 {
        say(&client, "me", number.to_string()).await;
    }
    let mut events = client.events(Wanted::since(0));
    read(&mut events, 3).await;
    let before = events.position().unwrap();
    hub.kill9();
    for suffix in ["", "-wal", "-shm"] {
        let _removed = std::fs::remove_file(format!("{}{suffix}", hub.db_path().display()));
    }
    tokio::task::block_in_place(|| hub.restart());
    door.lead_to(hub.port());
    let items = next(&mut events).await;
    let [Item::Gap(gap)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((&gap.reason, gap.head_seq), (&GapReason::OtherHistory, 0));
    assert!(!before.starts_with(&gap.epoch) && !gap.epoch.is_empty());
    let seq = say(&client, "me", "anew".to_owned()).await;
    assert_eq!(read(&mut events, 1).await, [(seq, "anew".to_owned())]);
}

#[test]
fn threads_have_a_client_too() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hub = Hub::new();
    let client = Client::builder(hub.url()).build_blocking().unwrap();
    let mut events = client.events(Wanted::since(0));
    assert!(events.batch(Some(Duration::from_millis(1))).unwrap().is_empty());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                let args = text(json!({ "from_entity": format!("t{thread}"), "content": "x" }));
                (0..10).for_each(|_| drop(client.call("POST", "/messages/send", &args).unwrap()));
            });
        }
    });
    let mut seqs = Vec::new();
    while seqs.len() < 40 {
        for item in events.batch(Some(WAIT_MAX)).unwrap() {
            let Item::Event(event) = item else { panic!("{item:?}") };
            seqs.push(event.seq());
        }
    }
    assert_eq!(seqs, (1..=40).collect::<Vec<_>>());
    // From within a runtime as well: it has its own.
    runtime.block_on(async { client.call("GET", "/tasks/list", b"").unwrap() });
    let refused = client.call("GET", "/tasks/{task_id}", br#"{"task_id":"x"}"#).unwrap_err();
    assert_eq!(refused.problem().unwrap().code, "unknown_task");
}

/// A hub of its own with TLS and tokens, by a certificate that nobody trusts but who is told.
fn with_tls(folder: &std::path::Path) -> Hub {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = HubOptions::default().arg("--tls-cert").arg(cert.display().to_string());
    let options = options.arg("--tls-key").arg(key.display().to_string());
    Hub::start(options.arg("--auth").arg("token"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_are_asked_over_tls_by_whoever_trusts_them() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("cert.pem");
    let hub = with_tls(folder.path());
    let url = format!("https://localhost:{}", hub.port());
    let file = format!("{}.admin-token", hub.db_path().display());
    let token = std::fs::read_to_string(&file).unwrap();
    let builder = Client::builder(&url).token(token.trim());
    let client = builder.clone().ca_file(&ca).build().unwrap();
    let tokens = client.call("GET", "/admin/tokens", b"").await.unwrap();
    assert_eq!(tokens.json::<Value>().unwrap()["count"], 1);
    let mut events = client.events(Wanted::since(0));
    assert!(!next(&mut events).await.is_empty());
    // Another certificate is no such one, and it is not asked twice.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.path().join("other.pem");
    std::fs::write(&path, other.cert.pem()).unwrap();
    let stranger = builder.clone().ca_file(&path).retries(1_000).build().unwrap();
    let refused = stranger.call("GET", "/admin/tokens", b"").await.unwrap_err();
    assert!(
        matches!(&refused, ClientError::Unreachable { why, .. } if why.contains("certificate")),
        "{refused:?}"
    );
    let refused = timeout(WAIT_MAX, stranger.events(Wanted::live()).batch()).await.unwrap();
    assert!(matches!(refused, Err(ClientError::Unreachable { .. })), "{refused:?}");
    for no_ca in [folder.path().join("none.pem"), folder.path().join("key.pem")] {
        builder.clone().ca_file(no_ca).build().unwrap_err();
    }
    // The program asks by the same client.
    let program = |words: &[&str]| {
        let mut command = Command::new(hub::binary());
        command.args(["token", "list", "--token-file", &file]).args(words);
        let output = command.env_remove("COORDHUB_TOKEN").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let ca = ca.display().to_string();
    let (is_done, said) = program(&["--url", &url, "--ca-file", &ca]);
    assert!(is_done && said.contains("admin"), "{said}");
    let (is_done, said) = program(&["--url", "http://192.0.2.1:8550"]);
    assert!(!is_done && said.contains("for all to read"), "{said}");
}
