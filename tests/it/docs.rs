//! Every documented command, run as documented.
//!
//! A block of `README.md`, `examples/README.md` or `docs/*.md` whose info string is exactly `sh` is run: the blocks of
//! one file in their order, in one bash, against a hub of its own whose address stands in for `localhost:8550`. A `json`
//! block that follows shows the reply, whose members must be there with the types shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coordhub_harness::{Hub, HubOptions, hub};
use serde_json::{Deserializer, Value};

/// A block to run and what its reply looks like.
#[derive(Debug, Default, PartialEq)]
struct Block {
    line: usize,
    script: String,
    reply: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The runnable blocks of a document.
fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = document.lines().enumerate();
    let mut previous_ran = false;
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<_> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let body = body.join("\n");
        match info {
            "sh" => blocks.push(Block { line: number + 1, script: body, reply: None }),
            "json" if previous_ran => {
                if let Some(block) = blocks.last_mut() {
                    block.reply = Some(body);
                }
            }
            _ => {}
        }
        previous_ran = info == "sh";
    }
    blocks
}

/// What bash is to run for a block: the hub is up already, at another address.
fn runnable(script: &str, authority: &str) -> String {
    let starts_hub = |line: &&str| {
        line.contains("coordhub serve") || line.contains("cargo run") || line.contains("tests/run")
    };
    let lines: Vec<_> = script.lines().filter(|line| !starts_hub(line)).collect();
    lines.join("\n").replace("localhost:8550", authority).replace("127.0.0.1:8550", authority)
}

/// The documents whose hub is in token mode.
const IN_TOKEN_MODE: [&str; 1] = ["docs/tokens.md"];

/// The hub that a document is run against, and its admin's token, which is empty in open mode.
fn hub_for(name: &str) -> (Hub, String) {
    if !IN_TOKEN_MODE.contains(&name) {
        return (Hub::new(), String::new());
    }
    let hub = Hub::start(HubOptions::default().arg("--auth").arg("token"));
    let file = format!("{}.admin-token", hub.db_path().display());
    let token = fs::read_to_string(file).unwrap().trim().to_owned();
    (hub, token)
}

/// Runs the blocks of a file in one bash, each with its output in a file of its own; gives the outputs.
fn run(hub: &Hub, name: &str, blocks: &[Block], token: &str) -> Vec<String> {
    let outputs = hub.home().join("outputs");
    fs::create_dir(&outputs).unwrap();
    let authority = hub.addr().to_string();
    let mut script = String::from("set -euo pipefail\n");
    for (index, block) in blocks.iter().enumerate() {
        let output = outputs.join(index.to_string());
        // A group and not a subshell: what one block sets, the next may use.
        script += &format!(
            "{{\n:\n{}\n}} >'{}'\n",
            runnable(&block.script, &authority),
            output.display()
        );
    }
    let folder = hub::binary().parent().map(Path::to_owned).unwrap_or_default();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let result = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(root())
        .env("HOME", hub.home())
        .env("PATH", path)
        .env("COORDHUB_URL", hub.url())
        .env("COORDHUB_TOKEN", token)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let ran = fs::read_dir(&outputs).unwrap().count();
    let at = blocks.get(ran.saturating_sub(1)).map_or(0, |block| block.line);
    assert!(
        result.status.success(),
        "{name}, block at line {at}: {}\n{}\n{}",
        result.status,
        fs::read_to_string(outputs.join(ran.saturating_sub(1).to_string())).unwrap_or_default(),
        String::from_utf8_lossy(&result.stderr)
    );
    (0..blocks.len())
        .map(|index| fs::read_to_string(outputs.join(index.to_string())).unwrap())
        .collect()
}

/// Each member of the documented JSON is in the real one, with the same type. `null` stands for any.
fn compare(documented: &Value, real: &Value, at: &str) -> Result<(), String> {
    match (documented, real) {
        (Value::Null, _)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_)) => Ok(()),
        (Value::String(_), Value::String(_)) => Ok(()),
        (Value::Object(documented), Value::Object(real)) => {
            documented.iter().try_for_each(|(name, value)| {
                let real =
                    real.get(name).ok_or_else(|| format!("{at}.{name} is not in the reply"))?;
                compare(value, real, &format!("{at}.{name}"))
            })
        }
        // One documented row stands for all; a documented row needs a real one.
        (Value::Array(documented), Value::Array(real)) => {
            match (documented.first(), real.first()) {
                (Some(documented), Some(real)) => compare(documented, real, &format!("{at}[0]")),
                (Some(_), None) => Err(format!("{at} has no rows")),
                (None, _) => Ok(()),
            }
        }
        _ => Err(format!("{at} is documented as {documented} and was {real}")),
    }
}

/// Every documented JSON value against the last ones that the block printed.
fn compare_reply(name: &str, block: &Block, output: &str) {
    let Some(reply) = &block.reply else { return };
    let values = |text: &str| -> Vec<Value> {
        let parsed: Result<_, _> = Deserializer::from_str(text).into_iter().collect();
        parsed.unwrap_or_else(|error| {
            panic!("{name}, line {}: not JSON ({error}): {text}", block.line)
        })
    };
    let (documented, real) = (values(reply), values(output));
    assert!(
        real.len() >= documented.len(),
        "{name}, line {}: too little output: {output}",
        block.line
    );
    for (documented, real) in documented.iter().rev().zip(real.iter().rev()) {
        if let Err(difference) = compare(documented, real, "reply") {
            panic!("{name}, line {}: {difference}\n{output}", block.line);
        }
    }
}

/// The documents whose blocks are run.
fn documents() -> Vec<PathBuf> {
    let mut documents = vec![root().join("README.md"), root().join("examples/README.md")];
    documents.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.sort();
    documents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_command_does_what_its_document_says() {
    let mut ran = 0;
    for path in documents() {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let blocks = blocks(&fs::read_to_string(&path).unwrap());
        if blocks.is_empty() {
            continue;
        }
        let (hub, token) = hub_for(&name);
        for (block, output) in blocks.iter().zip(run(&hub, &name, &blocks, &token)) {
            compare_reply(&name, block, &output);
        }
        println!("{name}: {} blocks", blocks.len());
        ran += blocks.len();
    }
    assert!(ran > 0, "no document has a block to run");
}

/// The text of a document without its blocks.
fn prose(document: &str) -> String {
    document.split("```").step_by(2).collect()
}

/// What a link may name after `#`: the headings, as pages of Markdown are usually shown.
fn anchors(document: &str) -> Vec<String> {
    let prose = prose(document);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Where the links of a document lead that are no addresses.
fn links(document: &str) -> Vec<String> {
    let prose = prose(document);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut documents = documents();
    documents.extend(["ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut checked = 0;
    for path in documents {
        let document = fs::read_to_string(&path).unwrap();
        for link in links(&document) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            let there = || anchors(&fs::read_to_string(&target).unwrap());
            let leads = anchor.is_empty() || there().iter().any(|other| other == anchor);
            assert!(leads, "{}: {link}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} links were found");
}

#[tokio::test]
async fn every_call_has_its_place_in_the_documents() {
    let hub = Hub::new();
    let api = hub.get_ok("/openapi.json").await;
    let text: String = documents().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|name| *name != "parameters") {
            let call = format!("`{} {path}`", method.to_uppercase());
            assert!(text.contains(&call), "{call} is in no document");
        }
    }
}

#[test]
fn anchors_are_those_of_the_headings() {
    let document = "# A `B`, c\n\n```sh\n# no\n```\n### `POST /tasks/{task_id}/claim`\n[x](y.md#z) [w](http://w)\n";
    assert_eq!(anchors(document), ["a-b-c", "post-taskstask_idclaim"]);
    assert_eq!(links(document), ["y.md#z"]);
}

#[test]
fn blocks_are_found_with_their_replies() {
    let document = "x\n```sh\na\nb\n```\n\n```json\n{}\n```\n```bash\nc\n```\n```json\n1\n```\n```sh\nd\n```\n";
    let expected = [
        Block { line: 2, script: "a\nb".into(), reply: Some("{}".into()) },
        Block { line: 16, script: "d".into(), reply: None },
    ];
    assert_eq!(blocks(document), expected);
    assert_eq!(
        runnable("coordhub serve &\ncurl localhost:8550/health", "127.0.0.1:1"),
        "curl 127.0.0.1:1/health"
    );
}

#[test]
fn a_reply_is_compared_by_members_and_types() {
    let check = |documented: &str, real: &str| {
        let (documented, real) =
            (serde_json::from_str(documented).unwrap(), serde_json::from_str(real).unwrap());
        compare(&documented, &real, "reply").is_ok()
    };
    assert!(check(r#"{"a":1,"b":[{"c":"x"}]}"#, r#"{"a":2,"b":[{"c":"y","d":1}],"e":0}"#));
    assert!(check(r#"{"a":null}"#, r#"{"a":{}}"#));
    assert!(!check(r#"{"a":1}"#, r#"{"a":"1"}"#));
    assert!(!check(r#"{"a":1}"#, r#"{}"#));
    assert!(!check(r#"{"a":[{"b":1}]}"#, r#"{"a":[]}"#));
}
