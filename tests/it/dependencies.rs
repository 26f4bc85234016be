//! What the hub is built of: under which licences it comes, and from where.
//!
//! Asked of `cargo metadata`, for all platforms; it loads what this one did not need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than that their text is kept.
const LICENCES: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
const INDEX: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What something else does already, or what would need more than Rust to build.
const BANNED: [&str; 4] = ["async-std", "native-tls", "openssl", "openssl-sys"];

fn packages() -> Vec<Value> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether one of the choices of a licence expression has allowed licences only.
fn allowed(expression: &str) -> bool {
    let one = |words: &str| {
        let words = words.trim().trim_matches(['(', ')']);
        let name = words.split(" WITH ").next().unwrap_or_default();
        LICENCES.contains(&name)
    };
    // `(A OR B) AND C`: each part must be fine, and a part is where one of its choices is.
    let part = |part: &str| {
        part.trim().trim_matches(['(', ')']).split(" OR ").flat_map(|some| some.split('/')).any(one)
    };
    expression.split(" AND ").all(part)
}

#[test]
fn licences_are_read() {
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "MIT/Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(allowed(good), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND AGPL-3.0", "MITX"] {
        assert!(!allowed(bad), "{bad}");
    }
}

/// The quoted words of a list of `deny.toml`.
fn listed(config: &str, key: &str) -> Vec<String> {
    let start = config.find(&format!("\n{key} = [")).unwrap_or_else(|| panic!("no {key}"));
    let list = config[start..].split(']').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn cargo_deny_is_told_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deny.toml");
    let config = std::fs::read_to_string(path).unwrap();
    let mut licences = listed(&config, "allow");
    // Here an exception that is added to a licence is as good as the licence.
    licences.retain(|licence| !licence.contains(" WITH "));
    assert_eq!(licences, LICENCES);
    assert_eq!(listed(&config, "deny"), BANNED);
    assert_eq!(listed(&config, "allow-registry"), [INDEX.trim_start_matches("registry+")]);
}

#[test]
fn every_package_has_an_allowed_licence_and_comes_from_the_one_index() {
    let packages = packages();
    assert!(packages.len() > 100, "the packages were found");
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(allowed(licence), "{name} comes under {licence:?}");
        let source = &package["source"];
        let ours = name.starts_with("coordhub");
        assert!(
            if ours { source.is_null() } else { source == INDEX },
            "{name} comes from {source}"
        );
    }
}

/// Two versions of one package are built where others insist; more than today is worth a look.
const TWICE_MAX: usize = 20;

#[test]
fn few_packages_are_there_twice_and_none_is_banned() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        versions.entry(name).or_default().insert(package["version"].to_string());
    }
    for banned in BANNED {
        assert!(!versions.contains_key(banned), "{banned} is not to be used");
    }
    versions.retain(|_, found| found.len() > 1);
    assert!(versions.len() <= TWICE_MAX, "{}: {versions:?}", versions.len());
}

/// What who only asks a hub builds nothing of.
const OF_THE_HUB: [&str; 9] = [
    "axum",
    "clap",
    "coordhub-core",
    "libsqlite3-sys",
    "mimalloc",
    "rusqlite",
    "tiny_http",
    "tokio-tungstenite",
    "utoipa-swagger-ui",
];

#[test]
fn the_client_alone_needs_nothing_of_the_hub() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix=none", "--format={p}", "--edges=normal"])
        .args(["--package=coordhub-server", "--no-default-features", "--features=client"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains("hyper") && names.contains("tokio-rustls"), "{names:?}");
    for name in OF_THE_HUB {
        assert!(!names.contains(name), "the client needs {name}");
    }
}
