//! Rules of the repository: who may use what, how large a file may get, which lints hold everywhere.
//!
//! These read source as text. That catches who forgets a rule, not who works around it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The largest file that a reader is asked to take in.
const LINES_MAX: usize = 600;
/// The largest document: a reference is searched, not read through.
const DOCUMENT_LINES_MAX: usize = 1_000;
/// What nobody wrote, or a browser is sent as it is.
const UNLIMITED: [&str; 2] = ["Cargo.lock", "LICENSE"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of the repository with its path from the root, in order; not what builds and tools leave.
fn files() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                let ours = !matches!(
                    name.as_str(),
                    ".git" | "target" | ".venv" | "__pycache__" | "node_modules"
                );
                folders.extend(ours.then_some(path));
            } else if kind.is_file() {
                let short = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((short, path));
            }
        }
    }
    found.sort();
    assert!(found.len() > 100, "the repository was found");
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The Rust files under a folder, without their comments: path and code.
fn sources(under: &str) -> Vec<(String, String)> {
    let rust =
        files().into_iter().filter(|(short, _)| short.starts_with(under) && short.ends_with(".rs"));
    let found: Vec<_> = rust.map(|(short, path)| (short, without_comments(&read(path)))).collect();
    assert!(!found.is_empty(), "there is no Rust under {under}");
    found
}

fn without_comments(source: &str) -> String {
    let code = |line: &&str| !line.trim_start().starts_with("//");
    source.lines().filter(code).collect::<Vec<_>>().join("\n")
}

/// The code of a file before its tests.
fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Every path that the `use` items of a source name, with groups taken apart: `crate::hub::State`.
fn used(source: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for item in source.split(';') {
        let start = ["\nuse ", "\npub use ", "\npub(super) use ", "\npub(crate) use ", "    use "]
            .iter()
            .filter_map(|word| item.rfind(word).map(|at| at + word.len()))
            .max();
        let whole = format!("\n{item}");
        let tree = match start {
            Some(start) => &item[start..],
            None if whole.starts_with("\nuse ") => &item[4..],
            None => continue,
        };
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        branches("", &tree, &mut paths);
    }
    paths
}

/// Takes `a::{b, c::{d}}` apart into `a::b` and `a::c::d`.
fn branches(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{tree}"));
        return;
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = inner[start..at].trim();
                if !branch.is_empty() {
                    branches(&format!("{prefix}{head}"), branch, paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[test]
fn use_items_are_taken_apart() {
    let source = "use std::fmt;\n\nuse crate::{\n    a::{b, c::{d, e as f}},\n    g,\n};\nfn x() {}\npub use h::I;";
    let expected =
        ["std::fmt", "crate::a::b", "crate::a::c::d", "crate::a::c::e as f", "crate::g", "h::I"];
    assert_eq!(used(source), expected);
}

/// No source under `folder` names a path that begins with one of `forbidden`, in a `use` or in place.
#[track_caller]
fn forbids(folder: &str, forbidden: &[&str]) {
    for (path, source) in sources(folder) {
        for name in forbidden {
            let bad = used(&source).into_iter().find(|used| used.starts_with(name));
            assert_eq!(bad, None, "{path} may not use {name}");
            assert!(!source.contains(&format!("{name}::")), "{path} may not name {name}::");
        }
    }
}

#[test]
fn the_pure_hub_knows_no_disk_no_threads_and_no_clock() {
    let outside = [
        "crate::store",
        "crate::engine",
        "crate::subscribe",
        "rusqlite",
        "parking_lot",
        "tracing",
        "std::fs",
        "std::thread",
        "std::io",
        "std::net",
        "std::collections::HashMap",
        "std::collections::HashSet",
        "std::time::Instant",
        "std::time::SystemTime",
    ];
    for pure in ["coordhub-core/src/hub/", "coordhub-core/src/model/"] {
        forbids(pure, &outside);
    }
    for pure in [
        "command.rs",
        "event/mod.rs",
        "event/entities.rs",
        "event/messages.rs",
        "event/proposals.rs",
        "event/tasks.rs",
        "ids.rs",
        "json.rs",
        "limits.rs",
    ] {
        forbids(&format!("coordhub-core/src/{pure}"), &outside);
    }
}

#[test]
fn store_and_subscriptions_know_nothing_of_those_who_use_them() {
    forbids("coordhub-core/src/store/", &["crate::engine", "crate::subscribe"]);
    forbids("coordhub-core/src/subscribe/", &["crate::engine"]);
}

#[test]
fn the_core_has_no_runtime_and_no_network() {
    let manifest = read(root().join("coordhub-core/Cargo.toml"));
    for name in ["tokio", "axum", "hyper", "futures", "http"] {
        let asks = |line: &str| line.starts_with(name);
        assert!(!manifest.lines().any(asks), "the core may not depend on {name}");
    }
    forbids("coordhub-core/src/", &["tokio", "axum", "hyper", "coordhub_server"]);
    let server = read(root().join("coordhub-server/Cargo.toml"));
    assert!(!server.lines().any(|line| line.starts_with("rusqlite")), "the disk is the core's");
}

#[test]
fn the_load_knows_nothing_of_the_hub_that_it_loads() {
    forbids("coordhub-server/src/bench/", &["crate", "coordhub_core"]);
}

#[test]
fn the_client_knows_nothing_of_the_hub_that_it_asks() {
    forbids("coordhub-server/src/client/", &["crate", "coordhub_core", "axum", "tracing"]);
}

/// What reads JSON, by name.
const READS_JSON: [&str; 7] = [
    "serde_json::from_",
    "Scanned",
    "json::scan",
    "decode_string",
    "serde_json::Deserializer",
    "axum::Json",
    "extract::Json",
];

#[test]
fn only_the_wire_reads_json_requests() {
    for (path, source) in sources("coordhub-server/src/") {
        // The client reads what hubs say, in one place as well.
        if path.starts_with("coordhub-server/src/wire/")
            || path == "coordhub-server/src/client/json.rs"
        {
            continue;
        }
        for name in READS_JSON {
            assert!(
                !without_tests(&source).contains(name),
                "{path} reads JSON ({name}): that is wire's"
            );
        }
    }
}

/// How the core is asked to block, by name.
const BLOCKS: [&str; 5] =
    ["spawn_blocking", "block_in_place", ".catch_up(", "Builder::open(", ".hub().close("];

#[test]
fn only_the_bridge_moves_work_to_threads_that_may_block() {
    for (path, source) in sources("coordhub-server/src/") {
        if path == "coordhub-server/src/bridge.rs" {
            continue;
        }
        for name in BLOCKS {
            assert!(
                !without_tests(&source).contains(name),
                "{path} has {name}: that is bridge.rs's"
            );
        }
    }
}

#[test]
fn every_member_has_the_lints_of_the_workspace() {
    let manifest = read(root().join("Cargo.toml"));
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members: Vec<_> = members.split(',').map(|name| name.trim().trim_matches('"')).collect();
    for member in members.into_iter().filter(|name| !name.is_empty()) {
        let manifest = read(root().join(member).join("Cargo.toml"));
        let shared = manifest.contains("[lints]\nworkspace = true");
        // PyO3's macros expand to `unsafe`, which the workspace forbids: it repeats the other lints.
        let own = member == "coordhub-py" && manifest.contains("[lints.rust]");
        assert!(shared || own, "{member} does not take the lints of the workspace");
    }
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn nothing_is_unsafe_outside_the_binding() {
    let word = concat!("unsa", "fe");
    for (path, source) in sources("") {
        if path.starts_with("coordhub-py/") {
            continue;
        }
        for form in [" {", " fn", " impl", " trait", " extern"] {
            assert!(!source.contains(&format!("{word}{form}")), "{path} has {word}{form}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (short, path) in files() {
        let name = path.file_name().unwrap().to_string_lossy();
        // What is not text is not read by lines.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let (lines, document) = (text.lines().count(), name.ends_with(".md"));
        let most = if document { DOCUMENT_LINES_MAX } else { LINES_MAX };
        assert!(
            lines <= most || UNLIMITED.iter().any(|other| name.starts_with(other)),
            "{short} has {lines} lines; at most {most}"
        );
    }
}

#[test]
fn lints_are_waived_with_a_reason() {
    for (path, source) in sources("") {
        for line in source.lines().filter(|line| line.trim_start().starts_with("#")) {
            let waives = line.contains(concat!("[al", "low(")) && !line.contains("reason");
            assert!(!waives, "{path}: {line}: say #[expect(…, reason = …)]");
        }
    }
}

#[test]
fn packages_come_from_the_one_index() {
    const INDEX: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let lock = read(root().join("Cargo.lock"));
    for line in lock.lines().filter(|line| line.contains("://") || line.starts_with("source")) {
        assert_eq!(line, INDEX, "Cargo.lock names another place");
    }
    assert!(lock.contains(INDEX));
}

#[test]
fn the_table_of_events_has_every_kind_and_no_other() {
    let source = read(root().join("coordhub-core/src/event/mod.rs"));
    let kind = |line: &str| {
        let (_, literal) = line.trim().split_once(") = \"")?;
        literal.strip_suffix("\",").map(str::to_owned)
    };
    let kinds: BTreeSet<String> = source.lines().filter_map(kind).collect();
    assert!(kinds.contains("message_sent") && kinds.len() > 10, "{kinds:?}");
    let document = root().join("docs/events.md");
    if !document.exists() {
        return;
    }
    // Each row of the table under this heading names its kind first.
    let text = read(&document);
    let (_, section) = text.split_once("\n## Kinds\n").expect("docs/events.md has a section Kinds");
    let section = section.split("\n## ").next().unwrap_or_default();
    let first = |line: &str| {
        let (name, _) = line.strip_prefix("| `")?.split_once('`')?;
        Some(name.to_owned())
    };
    let documented: BTreeSet<String> = section.lines().filter_map(first).collect();
    assert_eq!(documented, kinds, "the table of docs/events.md, and the kinds there are");
}
