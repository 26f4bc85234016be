//! The program and the scripts, with a token.

use std::path::Path;
use std::process::Command;

use coordhub_harness::{Hub, HubOptions, hub};
use serde_json::{Value, json};

use super::{TokenHub, admin_file, text};
use crate::support::rows;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_shows_tokens_of_its_own() {
    // A load is more than any one entity may ask for.
    let unbounded = HubOptions::default().arg("--changes-per-second").arg("0");
    let hub = TokenHub::start(unbounded.arg("--reads-per-second").arg("0"));
    let only = "send-1,heartbeat-64,cycle-16";
    let (ok, found, why) =
        coordhub(&hub, &["bench", "--url", &hub.url(), "--seconds", "1", "--only", only, "--json"]);
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|_| panic!("{why}"));
    assert!(ok && found["clean"] == true, "{found}");
    let names: Vec<_> =
        found["workloads"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    // What acts as many on one connection is not for a hub that wants to know who calls.
    assert_eq!(names, [&json!("send-1"), &json!("heartbeat-64")]);
}

/// `coordhub` with these words, by an admin's token.
fn coordhub(hub: &TokenHub, words: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(hub::binary());
    command.args(words).env("COORDHUB_URL", hub.url()).env("COORDHUB_TOKEN", hub.token("admin"));
    let output = command.current_dir(hub.home()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_makes_and_revokes_them() {
    let mut hub = TokenHub::new();
    let (ok, made, _) = coordhub(
        &hub,
        &["invite", "create", "--name", "for ai", "--type", "ai_agent,human", "--hours", "2"],
    );
    let (secret, link) = made.trim().split_once('\n').expect("a secret and a link");
    assert!(ok && link.ends_with(&format!("/#invite={secret}")), "{made}");
    hub.join(secret, "ai").await;
    let (ok, listed, _) = coordhub(&hub, &["invite", "list"]);
    assert!(
        ok && listed.contains("for ai")
            && listed.contains("ai_agent,human")
            && !listed.contains("chi_"),
        "{listed}"
    );
    let (ok, token, _) = coordhub(
        &hub,
        &["token", "create", "--entity", "ai", "--name", "a laptop", "--role", "observer"],
    );
    assert!(ok);
    let token = token.trim();
    hub.get_as(token, "/tasks/list").await.ok();
    hub.post_as(token, "/tasks/create", json!({ "title": "t" })).await.problem(403, "observer");
    let (_, listed, _) = coordhub(&hub, &["token", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mine = rows(&listed, "tokens")
        .iter()
        .find(|one| one["name"] == "a laptop")
        .expect("is listed")
        .clone();
    let id = text(&mine, "token_id");
    let (ok, rotated, _) = coordhub(&hub, &["token", "rotate", &id]);
    assert!(ok);
    hub.get_as(token, "/tasks/list").await.problem(401, "unauthorized");
    hub.get_as(rotated.trim(), "/tasks/list").await.ok();
    let own = "/admin/tokens/own/rotate";
    hub.post_as(rotated.trim(), own, json!({})).await.problem(403, "observer");
    hub.post_as(hub.token("ai"), own, json!({})).await.ok();
    hub.get_as(hub.token("ai"), "/tasks/list").await.problem(401, "unauthorized");
    assert!(coordhub(&hub, &["token", "revoke", &id]).0);
    let (ok, _, why) = coordhub(&hub, &["token", "revoke", &id]);
    assert!(!ok && why.contains("there is no token"), "{why}");
    // A file holds a token as well as the environment does.
    let output = Command::new(hub::binary())
        .args(["token", "list", "--url", &hub.url(), "--token-file"])
        .arg(admin_file(&hub))
        .env_remove("COORDHUB_TOKEN")
        .output()
        .unwrap();
    assert!(output.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripts_show_a_token() {
    let hub = TokenHub::with_everyone().await;
    let (_, invite) = hub.invite(json!({ "name": "n", "entity_types": ["claude_session"] })).await;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shell");
    let run = |script: &str, entity: &str, token: &str, args: &[&str]| {
        let mut command = Command::new(scripts.join(script));
        command.args(args).env("COORDHUB_URL", hub.url()).env("COORDHUB_ENTITY", entity);
        let output = command.env("COORDHUB_TOKEN", token).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (ok, said) = run("coord-register.sh", "shell", &invite, &[]);
    let said: Value =
        serde_json::from_str(said.trim()).unwrap_or_else(|why| panic!("{why}: {said}"));
    assert!(ok, "{said}");
    let token = text(&said, "token");
    assert!(run("coord-send.sh", "shell", &token, &["general", "Hello"]).0);
    assert!(!run("coord-send.sh", "ai", &token, &["general", "Hello"]).0, "as another");
    assert!(!run("coord-send.sh", "shell", "", &["general", "Hello"]).0, "without a token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_file_has_the_hub() {
    let mut hub = TokenHub::new();
    let db = hub.db_path().display().to_string();
    let (ok, _, why) = coordhub(&hub, &["token", "reset", "--db", &db]);
    assert!(!ok && why.contains("in use"), "{why}");
    hub.hub.terminate();
    let mut command = Command::new(hub::binary());
    let output = command.args(["token", "reset", "--db", &db]).output().unwrap();
    let token = String::from_utf8(output.stdout).unwrap();
    hub.hub.restart();
    hub.get_as(token.trim(), "/admin/tokens").await.ok();
    hub.get_as(hub.token("admin"), "/admin/tokens").await.problem(401, "unauthorized");
    let nowhere = hub.home().join("nowhere.db");
    let mut command = Command::new(hub::binary());
    let output = command.args(["token", "reset", "--db"]).arg(&nowhere).output().unwrap();
    assert!(!output.status.success() && !nowhere.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_revoked_since_a_backup_stays_revoked_when_it_is_restored() {
    let mut hub = TokenHub::with_everyone().await;
    let program = |hub: &TokenHub, words: &[&str]| {
        let mut command = Command::new(hub::binary());
        let output = command.args(words).arg("--db").arg(hub.db_path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (revoked, gone) = hub.fresh_token("ai", "member").await;
    let (rotated, before) = hub.fresh_token("ai", "member").await;
    let (invite, _) = hub.invite(json!({ "name": "n", "entity_types": ["human"] })).await;
    let copy = hub.db_path().with_file_name("copy.db").display().to_string();
    program(&hub, &["backup", &copy]);

    hub.revoke(&revoked).await;
    let rotate = format!("/admin/tokens/{rotated}/rotate");
    let reply = hub.post_as(hub.token("admin"), &rotate, json!({})).await.ok();
    let after = reply["token"].as_str().unwrap().to_owned();
    hub.delete_as(hub.token("admin"), &format!("/admin/invites/{invite}")).await.ok();
    assert!(hub.terminate().success());
    let said = program(&hub, &["restore", &copy, "--replace"]);
    assert!(said.contains("1 tokens and 1 invites") && said.contains("1 tokens have"), "{said}");
    Hub::restart(&mut hub);
    for (token, status) in [(&gone, 401), (&before, 401), (&after, 200)] {
        assert_eq!(hub.get_as(token, "/tasks/list").await.status, status);
    }
    hub.get_as(hub.token("session"), "/tasks/list").await.ok();
    let invites = hub.get_as(hub.token("admin"), "/admin/invites").await.ok();
    assert!(!invites.to_string().contains(&invite), "{invites}");
    // Who did it stands in the audit.
    let audit = hub.get_as(hub.token("admin"), "/audit?kind=token_revoked&actor=system").await;
    assert_eq!(audit.ok()["count"], 1);

    // Where nobody knows what was revoked, all may be.
    assert!(hub.terminate().success());
    let said = program(&hub, &["restore", &copy, "--replace", "--revoke-tokens"]);
    let fresh = said.lines().last().unwrap().to_owned();
    Hub::restart(&mut hub);
    for token in [&after, &before, hub.token("admin"), hub.token("session")] {
        assert_eq!(hub.get_as(token, "/tasks/list").await.status, 401);
    }
    assert_eq!(hub.get_as(&fresh, "/admin/tokens").await.ok()["count"], 1);
    // What cannot be asked is said, and so is that there is nothing to ask.
    assert!(hub.terminate().success());
    std::fs::write(hub.db_path(), "no hub at all").unwrap();
    let said = program(&hub, &["restore", &copy, "--replace"]);
    assert!(said.contains("good again") && said.contains("--revoke-tokens"), "{said}");
    std::fs::remove_file(hub.db_path()).unwrap();
    let said = program(&hub, &["restore", &copy]);
    assert!(said.contains("no file was there") && said.contains("--revoke-tokens"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_file_in_the_place_of_a_backup_brings_no_older_secret_back() {
    let mut hub = TokenHub::with_everyone().await;
    let program = |hub: &TokenHub, words: &[&str]| {
        let mut command = Command::new(hub::binary());
        let output = command.args(words).arg("--db").arg(hub.db_path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (id, first) = hub.fresh_token("ai", "member").await;
    let copies = ["b1.db", "b2.db"].map(|name| hub.db_path().with_file_name(name));
    let [b1, b2] = copies.map(|path| path.display().to_string());
    program(&hub, &["backup", &b1]);
    let rotate = format!("/admin/tokens/{id}/rotate");
    let mut secrets = vec![first];
    for is_backed_up in [true, false] {
        let reply = hub.post_as(hub.token("admin"), &rotate, json!({})).await.ok();
        secrets.push(reply["token"].as_str().unwrap().to_owned());
        if is_backed_up {
            program(&hub, &["backup", &b2]);
        }
    }
    assert!(hub.terminate().success());
    let newest = hub.db_path().with_file_name("newest.db");
    std::fs::rename(hub.db_path(), &newest).unwrap();

    // The file is lost, and the older backup taken for it; then the newer one is found.
    program(&hub, &["restore", &b1]);
    program(&hub, &["restore", &b2, "--replace"]);
    Hub::restart(&mut hub);
    for (secret, status) in secrets.iter().zip([401, 200, 401]) {
        assert_eq!(hub.get_as(secret, "/tasks/list").await.status, status);
    }
    // Where the file is there, its secret passes through both, and through the same one twice.
    assert!(hub.terminate().success());
    std::fs::rename(&newest, hub.db_path()).unwrap();
    for copy in [&b1, &b2, &b1] {
        program(&hub, &["restore", copy, "--replace"]);
    }
    Hub::restart(&mut hub);
    for (secret, status) in secrets.iter().zip([401, 401, 200]) {
        assert_eq!(hub.get_as(secret, "/tasks/list").await.status, status);
    }
}
