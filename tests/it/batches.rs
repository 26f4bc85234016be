//! Batches: several messages or tasks in one commit, all or none.

use std::collections::BTreeSet;

use coordhub_harness::{Client, Hub, Request};
use serde_json::{Value, json};

use crate::support::{TASK, column, contents, has_members, head, hub_with_everyone, rows, seq};

/// The two routes, the plural of what they make, and the field that names their caller.
const ROUTES: [(&str, &str, &str); 2] = [
    ("/messages/send-batch", "messages", "from_entity"),
    ("/tasks/create-batch", "tasks", "created_by"),
];

fn messages(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({ "from_entity": "ai", "content": n.to_string() })).collect()
}

fn tasks(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({ "created_by": "ai", "title": n.to_string() })).collect()
}

fn items(plural: &str, count: usize) -> Vec<Value> {
    if plural == "messages" { messages(count) } else { tasks(count) }
}

/// Both forms of a batch: the list itself, and an object with the list in it.
fn forms(plural: &str, items: &[Value]) -> [Value; 2] {
    [json!(items), json!({ plural: items })]
}

#[tokio::test]
async fn messages_are_sent_in_their_order() {
    let hub = hub_with_everyone().await;
    let batch = [
        json!({ "from_entity": "ai", "content": "one" }),
        json!({ "from_entity": "ai", "content": "two", "channel": "ai-only" }),
        json!({ "content": "three", "to_entity": "anna" }),
        json!({ "from_entity": "ai", "content": "four", "channel": "made-up", "ack_required": true }),
        json!({ "from_entity": "ai", "content": "five", "task": { "title": "of five" } }),
        json!({ "from_entity": "ai", "content": "six", "message_type": "alert", "metadata": { "k": 1 } }),
    ];
    for form in forms("messages", &batch) {
        let before = head(&hub).await;
        let reply = hub.post_ok("/messages/send-batch", form).await;
        assert_eq!(reply["status"], "sent");
        let sent = rows(&reply, "messages");
        assert_eq!(sent.len(), batch.len());
        for (sent, asked) in sent.iter().zip(&batch) {
            has_members(sent, "message_id seq timestamp recipients");
            let id = sent["message_id"].as_str().unwrap();
            let message = hub.get_ok(&format!("/messages/{id}?entity_id=ai")).await;
            assert_eq!((&message["content"], &message["seq"]), (&asked["content"], &sent["seq"]));
            assert_eq!(message["from_entity"], "ai");
        }
        let ids: BTreeSet<_> = column(&reply, "messages", "message_id").into_iter().collect();
        assert_eq!(ids.len(), batch.len(), "ids are unique");
        // One commit: the roll-call follows its message, and the task the message that brought it.
        let seqs: Vec<_> = sent.iter().map(seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 6, 8].map(|nth| before + nth));
        assert_eq!((seq(&reply), head(&hub).await), (before + 8, before + 8));
        let task = hub.get_ok(&format!("/tasks/{}", sent[4]["task_id"].as_str().unwrap())).await;
        assert_eq!(task["title"], "of five");
    }
    let recent = contents(&hub, "/messages/recent?entity_id=ai").await;
    assert_eq!(recent, ["one", "two", "four", "five", "six"].repeat(2));
    assert_eq!(contents(&hub, "/messages/recent?entity_id=ai&with=anna").await, ["three", "three"]);
}

#[tokio::test]
async fn tasks_are_created_in_their_order_and_a_later_one_may_depend_on_an_earlier_one() {
    let hub = Hub::new();
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "old" })).await;
    let mut batch = vec![
        json!({ "title": "first", "task_id": "a" }),
        json!({ "title": "no id", "created_by": "ai", "priority": "high" }),
        json!({ "title": "then", "task_id": "b", "depends_on": ["a", "old"] }),
        json!({ "title": "last", "task_id": "c", "depends_on": ["b"] }),
    ];
    for (round, in_object) in [false, true].into_iter().enumerate() {
        let before = head(&hub).await;
        let [list, object] = forms("tasks", &batch);
        let reply = hub.post_ok("/tasks/create-batch", if in_object { object } else { list }).await;
        assert_eq!(reply["status"], "created");
        let made = rows(&reply, "tasks");
        made.iter().for_each(|task| has_members(task, TASK));
        assert_eq!(column(&reply, "tasks", "title"), ["first", "no id", "then", "last"]);
        assert_eq!(column(&reply, "tasks", "status"), ["open", "open", "blocked", "blocked"]);
        assert!(
            made.iter().all(|task| task["created_by"] == "ai"),
            "one caller made them: {reply}"
        );
        assert_eq!((seq(&reply), head(&hub).await), (before + 4, before + 4));
        let listed = hub.get_ok("/tasks/list?created_by=ai").await;
        let listed = column(&listed, "tasks", "task_id");
        assert_eq!(listed[4 * round..], column(&reply, "tasks", "task_id"));
        for (task, id) in batch.iter_mut().zip(["a2", "", "b2", "c2"]) {
            if !id.is_empty() {
                task["task_id"] = json!(id);
            }
        }
        batch[2]["depends_on"] = json!(["a2", "b"]);
        batch[3]["depends_on"] = json!(["c", "b2"]);
    }
    for (task, next, status) in [("a", "b", "blocked"), ("old", "b", "open"), ("b", "c", "open")] {
        hub.post_ok(&format!("/tasks/{task}/claim"), json!({ "entity_id": "x" })).await;
        hub.post_ok(&format!("/tasks/{task}/complete"), json!({ "entity_id": "x" })).await;
        assert_eq!(hub.get_ok(&format!("/tasks/{next}")).await["status"], status);
    }
}

#[tokio::test]
async fn one_refused_item_refuses_them_all() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "taken" })).await;
    let before = head(&hub).await;
    let long = "x".repeat((256 << 10) + 1);
    // Each row: the plural, the item that is refused, its status, and its field.
    for (plural, bad, status, field) in [
        ("messages", json!({ "from_entity": "ai" }), 422, "content"),
        ("messages", json!({ "content": 1 }), 422, "content"),
        ("messages", json!({ "content": "c", "channel": "A B" }), 422, "channel"),
        (
            "messages",
            json!({ "content": "c", "ack_required": true, "ack_deadline": "2020-01-01T00:00:00Z" }),
            422,
            "ack_deadline",
        ),
        ("messages", json!({ "content": long }), 413, "content"),
        ("messages", json!({ "content": "c", "channel": "human-only" }), 403, ""),
        ("messages", json!({ "content": "c", "message_type": "task_x" }), 403, ""),
        ("messages", json!({ "content": "c", "to_entity": "nobody" }), 404, ""),
        ("messages", json!({ "content": "c", "reply_to": "msg-none" }), 404, ""),
        (
            "messages",
            json!({ "content": "c", "task": { "title": "t", "task_id": "taken" } }),
            409,
            "",
        ),
        ("tasks", json!({ "task_id": "x" }), 422, "title"),
        ("tasks", json!({ "title": "" }), 422, "title"),
        ("tasks", json!({ "title": "t", "tags": "x" }), 422, "tags"),
        ("tasks", json!({ "title": "t", "depends_on": ["none"] }), 422, "depends_on"),
        ("tasks", json!({ "title": "t", "depends_on": ["later"] }), 422, "depends_on"),
        ("tasks", json!({ "title": "t", "description": long }), 413, "description"),
        ("tasks", json!({ "title": "t", "task_id": "taken" }), 409, ""),
        ("tasks", json!({ "title": "t", "task_id": "first" }), 409, ""),
    ] {
        let path = ROUTES.iter().find(|(_, of, _)| *of == plural).unwrap().0;
        for place in [0, 1, 3] {
            let mut batch = items(plural, 3);
            if plural == "tasks" {
                batch[0]["task_id"] = json!("first");
                batch[2]["task_id"] = json!("later");
            }
            batch.insert(place, bad.clone());
            // A repeated id is refused where it stands for the second time.
            let repeats = bad["task_id"] == "first" && place == 0;
            // What it depends on came before it.
            if bad["depends_on"] == json!(["later"]) && place == 3 {
                continue;
            }
            for form in forms(plural, &batch) {
                let problem = hub.post(path, form).await.refusal(status);
                let index = if repeats { 1 } else { place };
                assert_eq!(problem["index"], index, "{bad} at {place}: {problem}");
                assert!(
                    problem["detail"].as_str().unwrap().contains(&index.to_string()),
                    "{problem}"
                );
                if !field.is_empty() {
                    assert_eq!(problem["field"], field, "{bad}: {problem}");
                }
            }
        }
    }
    assert_eq!(head(&hub).await, before, "none of them did anything");
    assert!(contents(&hub, "/messages/recent?entity_id=ai").await.is_empty());
    assert_eq!(column(&hub.get_ok("/tasks/list").await, "tasks", "task_id"), ["taken"]);
}

#[tokio::test]
async fn a_batch_holds_one_to_a_thousand() {
    let hub = Hub::new();
    for (path, plural, _) in ROUTES {
        let before = head(&hub).await;
        for count in [0, 1_001] {
            for form in forms(plural, &items(plural, count)) {
                hub.post(path, form).await.wrong_field(plural);
            }
        }
        hub.post(path, json!({})).await.wrong_field(plural);
        hub.send(Request::post(path)).await.wrong_field(plural);
        for wrong in [json!("text"), json!({ "a": 1 }), json!([1]), json!([[]]), json!([null])] {
            hub.post(path, json!({ plural: wrong })).await.refusal(422);
            hub.send(Request::post(path).json(&wrong)).await.refusal(422);
        }
        assert_eq!(head(&hub).await, before);
        for count in [1, 1_000] {
            for form in forms(plural, &items(plural, count)) {
                let reply = hub.post_ok(path, form).await;
                assert_eq!(rows(&reply, plural).len(), count);
            }
        }
        assert_eq!(head(&hub).await, before + 2_002);
    }
}

#[tokio::test]
async fn a_batch_is_made_by_one_caller() {
    let hub = hub_with_everyone().await;
    let before = head(&hub).await;
    for (path, plural, by) in ROUTES {
        let mut batch = items(plural, 3);
        batch[2][by] = json!("session");
        for form in forms(plural, &batch) {
            let problem = hub.post(path, form).await.wrong_field(by);
            assert_eq!(problem["index"], 2, "{problem}");
        }
        let under = async |name: &str, batch: &[Value]| {
            let request = Request::post(path).header("X-Entity-Id", name);
            hub.send(request.json(&json!(batch))).await
        };
        batch[2][by] = json!("ai");
        assert_eq!(under("session", &batch).await.wrong_field(by)["index"], 0);
        assert_eq!(head(&hub).await, before, "{path}");
    }
    let nameless = [json!({ "content": "c" }), json!({ "content": "d" })];
    hub.post("/messages/send-batch", json!(nameless)).await.problem(403, "caller_needed");
    let named = Request::post("/messages/send-batch").header("X-Entity-Id", "session");
    hub.send(named.json(&json!(nameless))).await.ok();
    hub.post_ok("/messages/send-batch", json!({ "entity_id": "session", "messages": nameless }))
        .await;
    let recent = hub.get_ok("/messages/recent").await;
    assert_eq!(column(&recent, "messages", "from_entity"), ["session"; 4]);
    // As in `send`, `entity_id` says who sends where `from_entity` does not.
    let general = json!([{ "entity_id": "backup", "content": "c" }]);
    let reply = hub.post_ok("/messages/send-batch", general).await;
    assert_eq!(reply["messages"][0]["message"]["from_entity"], "backup");
    let torn =
        json!([{ "from_entity": "ai", "content": "c" }, { "entity_id": "anna", "content": "c" }]);
    let problem = hub.post("/messages/send-batch", torn).await.wrong_field("entity_id");
    assert_eq!(problem["index"], 1);
    // As in `create`: what nobody is named to have made is nobody's.
    let reply = hub.post_ok("/tasks/create-batch", json!([{ "title": "t" }])).await;
    assert!(reply["tasks"][0]["created_by"].is_null(), "{reply}");
}

#[tokio::test]
async fn a_batch_by_socket() {
    let hub = hub_with_everyone().await;
    let mut socket = hub.socket("/ws/ai?notices=none").await;
    let batch = json!([{ "content": "one" }, { "content": "two" }]);
    let reply = socket.call("messages.send-batch", json!({ "messages": batch })).await;
    assert_eq!((&reply["status"], &reply["body"]["count"]), (&json!(200), &json!(2)), "{reply}");
    let batch = json!([{ "title": "t" }, { "title": "" }]);
    let reply = socket.call("tasks.create-batch", json!({ "tasks": batch })).await;
    assert_eq!((&reply["status"], &reply["body"]["index"]), (&json!(422), &json!(1)), "{reply}");
    let recent = hub.get_ok("/messages/recent").await;
    assert_eq!(column(&recent, "messages", "from_entity"), ["ai", "ai"]);
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
}

#[tokio::test]
async fn lists_are_refused_where_an_object_is_expected() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1" })).await;
    hub.post_ok("/proposals/create", json!({ "title": "p", "proposal_id": "p1" })).await;
    let sent = hub.post_ok("/messages/send", json!({ "from_entity": "ai", "content": "c" })).await;
    let before = head(&hub).await;
    let capabilities = hub.get_ok("/capabilities").await;
    let mut asked = 0;
    // Those under `/admin` are for nobody in open mode.
    for endpoint in capabilities["integration_endpoints"].as_array().expect("endpoints") {
        let path = endpoint["path"].as_str().unwrap();
        let is_admins = path.starts_with("/admin/");
        if endpoint["method"] != "POST"
            || is_admins
            || ROUTES.iter().any(|(batch, ..)| *batch == path)
        {
            continue;
        }
        let path = path
            .replace("{entity_id}", "ai")
            .replace("{id}", "ai")
            .replace("{task_id}", "t1")
            .replace("{proposal_id}", "p1")
            .replace("{channel}", "general")
            .replace("{message_id}", sent["message_id"].as_str().unwrap());
        assert!(!path.contains('{'), "{path}");
        for body in [json!([]), json!([{}]), json!([{ "entity_id": "ai" }, { "entity_id": "ai" }])]
        {
            let request = Request::post(&path).header("X-Entity-Id", "ai").json(&body);
            let refused = hub.send(request).await;
            assert_eq!(refused.status, 422, "{path} {body}: {}", refused.text());
            refused.refusal(422);
        }
        asked += 1;
    }
    assert!(asked > 20, "{asked} routes were asked");
    assert_eq!(head(&hub).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_all_of_a_batch_or_nothing() {
    let mut hub = Hub::new();
    let mut whole = 0;
    for round in 0..4 {
        let addr = hub.addr();
        let batch: Vec<_> = (0..1_000)
            .map(|n| json!({ "from_entity": "ai", "channel": format!("r{round}"), "content": n.to_string() }))
            .collect();
        // The first is answered before the kill; each later one is under way when it comes.
        let under_way = tokio::spawn(async move {
            let mut client = Client::connect(addr).await;
            client.try_send(Request::post("/messages/send-batch").json(&json!(batch))).await
        });
        let answered = if round == 0 {
            under_way.await.unwrap().is_ok_and(|response| response.status == 200)
        } else {
            hub.say("ai", "general", "meanwhile").await;
            false
        };
        hub.kill9();
        hub.restart();
        let kept = contents(&hub, &format!("/messages/recent?channel=r{round}&limit=1000")).await;
        assert!(kept.is_empty() || kept.len() == 1_000, "{} of 1000 were kept", kept.len());
        assert!(!answered || kept.len() == 1_000, "what was acknowledged is there");
        whole += usize::from(!kept.is_empty());
    }
    assert!(whole >= 1);
}
