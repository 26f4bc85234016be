//! Questions: tasks that ask a human, their answers, and what is taken at the deadline.

use coordhub_harness::{Hub, Response};
use serde_json::{Value, json};

use crate::support::{
    TASK, column, event_after, has_members, head, hub_with_everyone, in_seconds, rows, seq,
};

/// A deadline that no test lives to see.
const FAR: &str = "2999-01-01T00:00:00Z";

/// Asks as `ai`, and gives the task's id.
async fn ask(hub: &Hub, mut fields: Value) -> String {
    fields["asked_by"] = json!("ai");
    if fields.get("question").is_none() {
        fields["question"] = json!("Deploy?");
    }
    let asked = hub.post_ok("/questions/ask", fields).await;
    asked["task_id"].as_str().unwrap().to_owned()
}

async fn answer(hub: &Hub, task: &str, entity: &str, answer: &str) -> Response {
    let body = json!({ "entity_id": entity, "answer": answer });
    hub.post(&format!("/tasks/{task}/answer"), body).await
}

async fn task(hub: &Hub, task: &str) -> Value {
    hub.get_ok(&format!("/tasks/{task}")).await
}

#[tokio::test]
async fn a_question_is_a_task_that_needs_a_human() {
    let hub = hub_with_everyone().await;
    let mut socket = hub.socket("/ws/stranger").await;
    let mut narrowed = hub.socket("/ws/stranger?notices=question_asked").await;
    let reply = hub
        .post_ok(
            "/questions/ask",
            json!({ "question": "Deploy now?", "asked_by": "ai", "options": ["yes", "no"],
                "deadline": FAR, "default": "no", "priority": "high", "metadata": { "k": 1 } }),
        )
        .await;
    has_members(&reply["task"], TASK);
    let id = reply["task_id"].as_str().unwrap();
    let task = task(&hub, id).await;
    for (member, value) in [
        ("title", json!("Deploy now?")),
        ("status", json!("open")),
        ("requires_human", json!(true)),
        ("created_by", json!("ai")),
        ("priority", json!("high")),
        ("metadata", json!({ "k": 1 })),
    ] {
        assert_eq!(task[member], value, "{member} of {task}");
    }
    let question = &task["question"];
    assert_eq!((&question["options"], &question["default"]), (&json!(["yes", "no"]), &json!("no")));
    assert!(
        question["deadline"].as_str().unwrap().starts_with("2999-01-01T00:00:00"),
        "{question}"
    );
    let listed = hub.get_ok("/tasks/list?requires_human=true&ready_for=anna").await;
    assert_eq!(column(&listed, "tasks", "task_id"), [id]);
    assert_eq!(hub.get_ok("/tasks/list?ready_for=session").await["count"], 0);

    for socket in [&mut socket, &mut narrowed] {
        let notice = socket.expect("message").await;
        let message = &notice["message"];
        assert_eq!(message["message_type"], "question_asked", "{notice}");
        assert_eq!(message["content"], "Question: Deploy now?");
        assert_eq!(message["metadata"]["task_id"], json!(id));
        assert_eq!(message["message_id"], format!("evt-{}", seq(&reply)));
    }
    let recent = hub.get_ok("/messages/recent?notices=true").await;
    let told =
        rows(&recent, "messages").iter().filter(|row| row["metadata"]["task_id"] == json!(id));
    assert_eq!(told.map(|row| &row["message_type"]).collect::<Vec<_>>(), ["question_asked"]);
    // As with every task: what nobody is named to have asked is nobody's.
    let reply = hub.post_ok("/questions/ask", json!({ "question": "Who?" })).await;
    assert!(reply["task"]["created_by"].is_null(), "{reply}");
}

#[tokio::test]
async fn fields_of_a_question() {
    let hub = Hub::new();
    for (field, value) in [
        ("question", json!(null)),
        ("question", json!("")),
        ("question", json!(" \n ")),
        ("question", json!(1)),
        ("options", json!("yes")),
        ("options", json!([1])),
        ("options", json!([""])),
        ("deadline", json!("2020-01-01T00:00:00Z")),
        ("deadline", json!("2999-01-01T00:00:00")),
        ("deadline", json!(1)),
        ("default", json!("perhaps")),
        ("default", json!(1)),
        ("priority", json!("soon")),
        ("asked_by", json!("a/b")),
    ] {
        let mut body = json!({ "question": "q?", "options": ["yes", "no"], "deadline": FAR });
        body[field] = value;
        hub.post("/questions/ask", body).await.wrong_field(field);
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
    // Whatever is asked can be read in full, and its notice is one line.
    let long = format!("First\nsecond {}", "x".repeat(2_000));
    let mut socket = hub.socket("/ws/stranger").await;
    let id = ask(&hub, json!({ "question": long })).await;
    let notice = socket.expect("message").await["message"]["content"].clone();
    assert!(!notice.as_str().unwrap().contains('\n'), "{notice}");
    let task = task(&hub, &id).await;
    assert!(task["title"].as_str().unwrap().starts_with("First"), "{task}");
    assert_eq!(task["description"], long);
}

#[tokio::test]
async fn a_question_is_answered_by_a_human() {
    let hub = hub_with_everyone().await;
    let id = ask(&hub, json!({})).await;
    let before = head(&hub).await;
    for other in ["ai", "session", "backup", "stranger"] {
        answer(&hub, &id, other, "yes").await.problem(403, "requires_human");
        hub.post(&format!("/tasks/{id}/claim"), json!({ "entity_id": other })).await.refusal(403);
    }
    hub.post(&format!("/tasks/{id}/answer"), json!({ "answer": "yes" })).await.refusal(403);
    hub.post(&format!("/tasks/{id}/answer"), json!({ "entity_id": "anna" }))
        .await
        .wrong_field("answer");
    answer(&hub, "none", "anna", "yes").await.refusal(404);
    assert_eq!(head(&hub).await, before);

    let mut socket = hub.socket("/ws/stranger").await;
    let answered = answer(&hub, &id, "anna", "Yes, after lunch").await.ok();
    assert_eq!((&answered["status"], &answered["task_id"]), (&json!("answered"), &json!(id)));
    assert_eq!(socket.expect("message").await["message"]["message_type"], "task_completed");
    let task = task(&hub, &id).await;
    assert_eq!(
        (&task["status"], &task["result"], &task["claimed_by"]),
        (&json!("completed"), &json!("Yes, after lunch"), &json!("anna"))
    );
    let before = head(&hub).await;
    answer(&hub, &id, "anna", "Yes, after lunch").await.ok();
    answer(&hub, &id, "anna", "No").await.refusal(409);
    assert_eq!(head(&hub).await, before, "it is answered once");
}

#[tokio::test]
async fn an_answer_is_one_of_the_options() {
    let hub = hub_with_everyone().await;
    let options = json!({ "options": ["yes", "no", "\"maybe\""] });
    let id = ask(&hub, options.clone()).await;
    for wrong in ["perhaps", "Yes", "yes ", ""] {
        answer(&hub, &id, "anna", wrong).await.wrong_field("answer");
    }
    assert_eq!(task(&hub, &id).await["status"], "open");
    answer(&hub, &id, "anna", "\"maybe\"").await.ok();
    assert_eq!(task(&hub, &id).await["result"], "\"maybe\"");

    // The long way, by claiming and completing, takes the same answers.
    let id = ask(&hub, options).await;
    hub.post_ok(&format!("/tasks/{id}/claim"), json!({ "entity_id": "anna" })).await;
    let complete = |result: &str| json!({ "entity_id": "anna", "result": result });
    let path = format!("/tasks/{id}/complete");
    hub.post(&path, complete("perhaps")).await.wrong_field("result");
    hub.post_ok(&path, complete("no")).await;
    assert_eq!(task(&hub, &id).await["result"], "no");
}

#[tokio::test]
async fn any_task_that_needs_a_human_takes_an_answer() {
    let hub = hub_with_everyone().await;
    let create =
        |id: &str, needs: bool| json!({ "title": "t", "task_id": id, "requires_human": needs });
    hub.post_ok("/tasks/create", create("human", true)).await;
    hub.post_ok("/tasks/create", create("anybody", false)).await;
    answer(&hub, "human", "anna", "done").await.ok();
    assert_eq!(task(&hub, "human").await["status"], "completed");
    answer(&hub, "anybody", "anna", "done").await.refusal(409);
    assert_eq!(task(&hub, "anybody").await["status"], "open");
}

#[tokio::test]
async fn an_answer_opens_what_waited_for_it() {
    let hub = hub_with_everyone().await;
    let id = ask(&hub, json!({})).await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "then", "depends_on": [id] }))
        .await;
    assert_eq!(task(&hub, "then").await["status"], "blocked");
    let before = head(&hub).await;
    let answered = answer(&hub, &id, "anna", "yes").await.ok();
    let events = hub.get_ok(&format!("/events?since={before}")).await;
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| &e["kind"]).collect();
    assert_eq!(kinds, ["task_completed", "task_ready"]);
    assert_eq!(seq(&answered), before + 2);
    assert_eq!(task(&hub, "then").await["status"], "open");
}

#[tokio::test]
async fn the_default_is_taken_at_the_deadline() {
    let hub = hub_with_everyone().await;
    let soon = in_seconds(&hub, 2.0).await;
    let fields = json!({ "options": ["yes", "no"], "default": "no", "deadline": soon });
    let answered = ask(&hub, fields.clone()).await;
    let cancelled = ask(&hub, fields.clone()).await;
    let unanswered = ask(&hub, fields.clone()).await;
    let claimed = ask(&hub, fields).await;
    hub.post_ok(
        "/tasks/create",
        json!({ "title": "t", "task_id": "then", "depends_on": [unanswered] }),
    )
    .await;
    answer(&hub, &answered, "anna", "yes").await.ok();
    hub.post_ok(&format!("/tasks/{cancelled}/cancel"), json!({ "entity_id": "ai" })).await;
    hub.post_ok(&format!("/tasks/{claimed}/claim"), json!({ "entity_id": "anna" })).await;

    let (mut since, mut taken) = (head(&hub).await, Vec::new());
    for _ in 0..2 {
        let event = event_after(&hub, since, "task_completed").await;
        assert_eq!((&event["actor"], &event["data"]["result"]), (&json!("system"), &json!("no")));
        taken.push(event["data"]["task_id"].as_str().unwrap().to_owned());
        since = seq(&event);
    }
    taken.sort_unstable();
    let mut due = [unanswered.clone(), claimed.clone()];
    due.sort_unstable();
    assert_eq!(taken, due, "what was answered or cancelled is left alone");
    for (id, status, result) in [
        (&answered, "completed", json!("yes")),
        (&cancelled, "cancelled", json!(null)),
        (&unanswered, "completed", json!("no")),
        (&claimed, "completed", json!("no")),
    ] {
        let task = task(&hub, id).await;
        assert_eq!((&task["status"], &task["result"]), (&json!(status), &result), "{task}");
    }
    assert_eq!(task(&hub, "then").await["status"], "open");
    answer(&hub, &unanswered, "anna", "yes").await.refusal(409);
}

#[tokio::test]
async fn without_a_default_it_fails_at_the_deadline() {
    let hub = hub_with_everyone().await;
    let mut socket = hub.socket("/ws/stranger?notices=task_failed").await;
    let id = ask(&hub, json!({ "deadline": in_seconds(&hub, 1.5).await })).await;
    let fall = json!({ "title": "t", "task_id": "then", "depends_on": [id], "on_blocker_failed": "cancel" });
    hub.post_ok("/tasks/create", fall).await;
    let failed = event_after(&hub, 0, "task_failed").await;
    assert_eq!((&failed["actor"], &failed["data"]["task_id"]), (&json!("system"), &json!(id)));
    assert_eq!(
        (&failed["data"]["cause"], &failed["data"]["status"]),
        (&json!("unanswered"), &json!("failed"))
    );
    assert_eq!(task(&hub, &id).await["status"], "failed");
    assert_eq!(task(&hub, "then").await["status"], "cancelled");
    let notice = socket.expect("message").await;
    assert_eq!(
        (&notice["message"]["message_type"], &notice["message"]["metadata"]["task_id"]),
        (&json!("task_failed"), &json!(id))
    );
    answer(&hub, &id, "anna", "yes").await.refusal(409);
}

#[tokio::test]
async fn questions_survive_a_kill_and_are_decided_at_the_start() {
    let mut hub = hub_with_everyone().await;
    let soon = in_seconds(&hub, 1.5).await;
    let with_default = ask(&hub, json!({ "default": "later", "deadline": soon })).await;
    let without = ask(&hub, json!({ "deadline": soon })).await;
    let lasting =
        ask(&hub, json!({ "options": ["a", "b"], "default": "a", "deadline": FAR })).await;
    let before = task(&hub, &lasting).await;
    hub.kill9();
    hub.restart();
    let failed = event_after(&hub, 0, "task_failed").await;
    assert_eq!(failed["data"]["task_id"], json!(without));
    assert_eq!(
        event_after(&hub, 0, "task_completed").await["data"]["task_id"],
        json!(with_default)
    );
    assert_eq!(task(&hub, &with_default).await["result"], "later");
    assert_eq!(task(&hub, &lasting).await, before);
    answer(&hub, &lasting, "anna", "c").await.wrong_field("answer");
    answer(&hub, &lasting, "anna", "b").await.ok();
}

#[tokio::test]
async fn asking_and_answering_by_socket() {
    let hub = hub_with_everyone().await;
    let mut ai = hub.socket("/ws/ai?notices=none").await;
    let mut anna = hub.socket("/ws/anna?notices=question_asked").await;
    let asked =
        ai.call("questions.ask", json!({ "question": "Deploy?", "options": ["yes"] })).await;
    assert_eq!(
        (&asked["status"], &asked["body"]["task"]["created_by"]),
        (&json!(200), &json!("ai"))
    );
    let notice = anna.until("message").await;
    let id = &notice["message"]["metadata"]["task_id"];
    assert_eq!(*id, asked["body"]["task_id"]);
    let answer = |answer: &str| json!({ "task_id": id, "answer": answer });
    assert_eq!(ai.call("tasks.answer", answer("yes")).await["status"], 403);
    assert_eq!(anna.call("tasks.answer", answer("no")).await["status"], 422);
    let answered = anna.call("tasks.answer", answer("yes")).await;
    assert_eq!(
        (&answered["status"], &answered["body"]["task"]["result"]),
        (&json!(200), &json!("yes"))
    );
}
