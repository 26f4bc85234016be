//! The scripts of `examples/shell`, with text that broke the old ones.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use coordhub_harness::Hub;
use serde_json::{Value, json};

use crate::support::rows;

/// Text that a shell, a quoting function or a URL may trip over.
const NASTY: [&str; 12] = [
    "Hello from Session #5!",
    "a \"quote\" and a 'quote'",
    "back\\slash \\n \\u0041 \\",
    "line\nbreak\r\n and\ttab",
    "all \u{1}\u{2}\u{7}\u{8}\u{b}\u{c}\u{e}\u{1b}\u{1f}\u{7f} control",
    "é ü ß 日本語 \u{301} 🚨👩‍👩‍👧",
    "$HOME `id` $(id) ${x} !! ; | & > < * ? [a] {b} ~ #",
    "{\"content\":\"injected\",\"channel\":\"urgent\"}",
    "100% %s %d \\x41",
    "--option -n @file",
    " spaces at both ends ",
    "& \\& // \\/ &&",
];

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shell")
}

struct Shell<'a> {
    hub: &'a Hub,
    entity: Option<&'a str>,
}

impl Shell<'_> {
    fn run(&self, script: &str, args: &[&str]) -> Output {
        self.run_at(&self.hub.url(), script, args)
    }

    fn run_at(&self, url: &str, script: &str, args: &[&str]) -> Output {
        self.command(url, script, args).output().unwrap()
    }

    /// A script that waits for something: its output is for the end.
    fn start(&self, script: &str, args: &[&str]) -> Child {
        let mut command = self.command(&self.hub.url(), script, args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn command(&self, url: &str, script: &str, args: &[&str]) -> Command {
        let mut command = Command::new(scripts().join(script));
        command.args(args).env("HOME", self.hub.home()).env("COORDHUB_URL", url);
        command
            .env_remove("COORDHUB_ENTITY")
            .env_remove("COORDHUB_TOKEN")
            .current_dir(self.hub.home());
        command.envs(self.entity.map(|entity| ("COORDHUB_ENTITY", entity)));
        command
    }

    /// Runs a script that must succeed and gives the reply that it printed.
    #[track_caller]
    fn ok(&self, script: &str, args: &[&str]) -> Value {
        let output = self.run(script, args);
        assert_eq!(output.status.code(), Some(0), "{script} {args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a script that the hub must refuse: 1, the problem on stdout, its detail on stderr.
    #[track_caller]
    fn refused(&self, script: &str, args: &[&str]) -> Value {
        let output = self.run(script, args);
        assert_eq!(output.status.code(), Some(1), "{script} {args:?}: {output:?}");
        let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
        let detail = String::from_utf8(output.stderr).unwrap();
        assert_eq!(detail.trim_end(), problem["detail"].as_str().unwrap());
        problem
    }
}

#[tokio::test]
async fn any_text_arrives_as_it_was_given() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("session-5") };
    for text in NASTY {
        shell.ok("coord-send.sh", &["general", text]);
        let task = shell.ok("coord-create-task.sh", &[text, text])["task_id"].clone();
        let task = hub.get_ok(&format!("/tasks/{}", task.as_str().unwrap())).await;
        assert_eq!((&task["title"], &task["description"]), (&json!(text), &json!(text)));
    }
    let recent = hub.get_ok("/messages/recent").await;
    for (message, text) in rows(&recent, "messages").iter().zip(NASTY) {
        assert_eq!(
            (&message["content"], &message["from_entity"]),
            (&json!(text), &json!("session-5"))
        );
        assert_eq!(message["channel"], "general");
    }
    let long = "\"\\\n".repeat(20_000);
    shell.ok("coord-send.sh", &["technical", &long]);
    let recent = hub.get_ok("/messages/recent?channel=technical").await;
    assert_eq!(rows(&recent, "messages")[0]["content"], long);
}

#[tokio::test]
async fn the_life_of_a_task() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("session \"5\"") };
    assert_eq!(shell.ok("coord-register.sh", &[])["entity_id"], "session \"5\"");
    let created =
        shell.ok("coord-create-task.sh", &["Review my code", "Check for bugs", "high", "false"]);
    let task = created["task_id"].as_str().unwrap();
    assert_eq!(
        (&created["task"]["priority"], &created["task"]["requires_human"]),
        (&json!("high"), &json!(false))
    );
    assert_eq!(created["task"]["created_by"], "session \"5\"");
    assert_eq!(shell.ok("coord-list-tasks.sh", &["open"])["count"], 1);
    assert_eq!(shell.ok("coord-claim.sh", &[task])["status"], "claimed");
    assert_eq!(shell.ok("coord-list-tasks.sh", &["open"])["count"], 0);
    let other = Shell { hub: &hub, entity: Some("other") };
    assert_eq!(other.refused("coord-claim.sh", &[task])["code"], "task_already_claimed");
    assert_eq!(shell.ok("coord-complete.sh", &[task, "no \"bugs\""])["status"], "completed");
    assert_eq!(hub.get_ok(&format!("/tasks/{task}")).await["result"], "no \"bugs\"");
    assert_eq!(shell.ok("coord-list-tasks.sh", &[])["count"], 1);

    let human = shell.ok("coord-create-task.sh", &["Approve", "$10K", "urgent", "true"]);
    assert_eq!(
        (&human["task"]["requires_human"], &human["task"]["priority"]),
        (&json!(true), &json!("urgent"))
    );
    shell.refused("coord-claim.sh", &[human["task_id"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_claim_with_a_lease() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("session-5") };
    let task = hub.task("Review").await;
    let claimed = shell.ok("coord-claim.sh", &[&task, "30"]);
    assert!(claimed["lease_expires_at"].is_string(), "{claimed}");
    let token = claimed["claim_token"].to_string();
    assert_eq!(shell.refused("coord-complete.sh", &[&task])["code"], "claim_token_required");
    assert_eq!(shell.ok("coord-complete.sh", &[&task, "good", &token])["task"]["result"], "good");
    assert_eq!(shell.refused("coord-claim.sh", &[&task, "4"])["field"], "lease_seconds");
}

/// The question that a script has just asked.
async fn asked(hub: &Hub) -> Value {
    let asked = hub.get_ok("/events?kinds=task_created&wait=30").await;
    asked["events"][0]["data"]["task"].clone()
}

#[tokio::test]
async fn a_question_is_waited_for() {
    let hub = Hub::new();
    hub.register("anna", "human").await;
    let question = "May I spend \"$10K\"? ,\"status\":\"completed\"";
    let shell = Shell { hub: &hub, entity: Some("marketing \"AI\"") };
    let asking = shell.start("coord-ask.sh", &[question, "yes", "a \"no\""]);
    let task = asked(&hub).await;
    assert_eq!(
        (&task["title"], &task["created_by"]),
        (&json!(question), &json!("marketing \"AI\""))
    );
    let id = task["task_id"].as_str().unwrap();
    let anna = Shell { hub: &hub, entity: Some("anna") };
    assert_eq!(anna.refused("coord-answer.sh", &[id, "perhaps"])["field"], "answer");
    anna.ok("coord-answer.sh", &[id, "a \"no\""]);
    let output = asking.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let answered: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answered["result"], &answered["claimed_by"]),
        (&json!("a \"no\""), &json!("anna"))
    );
}

#[tokio::test]
async fn a_question_that_nobody_will_answer() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("ai") };
    let asking = shell.start("coord-ask.sh", &["Anybody?"]);
    let task = asked(&hub).await;
    let cancel = format!("/tasks/{}/cancel", task["task_id"].as_str().unwrap());
    hub.post_ok(&cancel, json!({ "entity_id": "ai" })).await;
    let output = asking.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let task: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(task["status"], "cancelled");
    assert_eq!(shell.refused("coord-ask.sh", &["May I?", ""])["field"], "options");
}

#[tokio::test]
async fn ids_with_anything_in_them() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("a") };
    for id in ["a b", "é?&=#%", "🚨", "a\"b\\c", "'", "[x]{1,2}"] {
        hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": id })).await;
        shell.ok("coord-claim.sh", &[id]);
        shell.ok("coord-complete.sh", &[id]);
    }
    assert_eq!(hub.get_ok("/tasks/list?status=completed").await["count"], 6);
    shell.refused("coord-claim.sh", &["../create"]);
    shell.refused("coord-claim.sh", &[".."]);
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 6);
}

#[tokio::test]
async fn proposals() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("ai") };
    shell.ok("coord-register.sh", &["ai", "ai_agent", "The \"AI\""]);
    shell.ok("coord-register.sh", &["anna", "human", "Anna"]);
    assert_eq!(hub.get_ok("/entities/ai").await["name"], "The \"AI\"");
    let proposal = shell.ok("coord-propose.sh", &["Deploy to production", "now"]);
    let id = proposal["proposal_id"].as_str().unwrap();
    assert_eq!(shell.ok("coord-vote.sh", &[id, "for", "it's \"good\""])["tally"]["for"], 1);
    let anna = Shell { hub: &hub, entity: Some("anna") };
    assert_eq!(anna.ok("coord-vote.sh", &[id, "for"])["proposal_status"], "approved");
    shell.refused("coord-vote.sh", &[id, "against"]);
}

#[tokio::test]
async fn the_default_identity_is_stable_and_valid() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: None };
    let first = shell.ok("coord-register.sh", &[])["entity_id"].clone();
    assert_eq!(shell.ok("coord-register.sh", &[])["entity_id"], first);
    assert!(first.as_str().unwrap().starts_with("session-"), "{first}");
    let entity = hub.get_ok(&format!("/entities/{}", first.as_str().unwrap())).await;
    assert_eq!(entity["entity_type"], "claude_session");
    shell.ok("coord-send.sh", &["general", "hi"]);
    assert_eq!(hub.get_ok("/messages/recent").await["messages"][0]["from_entity"], first);
}

#[tokio::test]
async fn what_is_wrong_shows_in_the_exit_status() {
    let hub = Hub::new();
    let shell = Shell { hub: &hub, entity: Some("a") };
    shell.refused("coord-send.sh", &["no such channel!", "text"]);
    shell.refused("coord-send.sh", &["human-only", "text"]);
    shell.refused("coord-create-task.sh", &["t", "d", "soon"]);
    shell.refused("coord-create-task.sh", &["", "d"]);
    shell.refused("coord-register.sh", &["x", "robot"]);
    shell.refused("coord-list-tasks.sh", &["perhaps"]);
    for (script, args) in [
        ("coord-register.sh", &["a", "b", "c", "d"][..]),
        ("coord-send.sh", &["general"]),
        ("coord-send.sh", &[]),
        ("coord-create-task.sh", &["title"]),
        ("coord-create-task.sh", &["t", "d", "high", "maybe"]),
        ("coord-list-tasks.sh", &["open", "x"]),
        ("coord-claim.sh", &[]),
        ("coord-claim.sh", &[""]),
        ("coord-claim.sh", &["t", "soon"]),
        ("coord-claim.sh", &["t", "1,\"x\":1"]),
        ("coord-complete.sh", &["t", "r", "-1"]),
        ("coord-complete.sh", &["t", "r", "1", "x"]),
        ("coord-ask.sh", &[]),
        ("coord-answer.sh", &["t"]),
        ("coord-complete.sh", &[]),
        ("coord-propose.sh", &[]),
        ("coord-vote.sh", &["p"]),
        ("coord-vote.sh", &["p", "yes"]),
    ] {
        let output = shell.run(script, args);
        assert_eq!(output.status.code(), Some(2), "{script} {args:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: "), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    // Port 0 is nobody's.
    let output = shell.run_at("http://127.0.0.1:0", "coord-send.sh", &["general", "text"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(hub.get_ok("/messages/recent").await["count"], 0);
}
