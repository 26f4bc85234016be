//! What is in `deploy/`, and what `docs/operations.md` says of it, against the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coordhub_harness::hub;

/// How exposed the service may be by systemd's own count, in tenths: 10 is "nothing is closed".
const EXPOSURE_TENTHS_MAX: &str = "20";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn help() -> String {
    let output = Command::new(hub::binary()).args(["serve", "--help"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every word of a text that looks like one of our options or their variables.
fn named(text: &str) -> BTreeSet<String> {
    let ours = |word: &&str| {
        let option = word
            .strip_prefix("--")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        let variable = word.strip_prefix("COORDHUB_").is_some_and(|rest| !rest.is_empty());
        option || variable
    };
    let part = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    text.split(part).filter(ours).map(str::to_owned).collect()
}

/// The values of a key of the unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}

#[test]
fn what_starts_the_hub_names_options_that_it_has() {
    let known = named(&help());
    assert!(known.contains("--db") && known.contains("COORDHUB_DB"), "{known:?}");
    let unit = read("deploy/coordhub.service");
    let [start] = values(&unit, "ExecStart")[..] else { panic!("one ExecStart") };
    assert!(start.contains("/coordhub serve --db "), "{start}");
    let image = read("deploy/Dockerfile");
    let command = image.lines().find(|line| line.starts_with("CMD ")).unwrap();
    assert!(command.starts_with("CMD [\"serve\", "), "{command}");
    // In the document, the table of options and every command of ours.
    let document = read("docs/operations.md");
    let shown = |line: &&str| line.starts_with("| `--") || line.contains("coordhub serve");
    let shown: Vec<&str> = document.lines().filter(shown).collect();
    assert!(shown.len() > 5);
    for text in shown.into_iter().chain([start, command]) {
        let unknown: Vec<_> = named(text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "the hub has no {unknown:?}: {text}");
    }
}

#[test]
fn the_unit_is_hardened_and_gives_the_hub_time_to_stop() {
    let unit = read("deploy/coordhub.service");
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("StateDirectory", "coordhub"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6"),
        ("Restart", "on-failure"),
        ("TimeoutStopSec", "15"),
    ] {
        assert_eq!(values(&unit, key), [value], "{key}");
    }
    assert!(values(&unit, "SystemCallFilter").contains(&"@system-service"));
    assert!(!values(&unit, "MemoryMax").is_empty() && !values(&unit, "LimitNOFILE").is_empty());
}

/// Runs systemd-analyze, which not every machine has.
fn analyze(args: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).arg(unit).output() {
        Ok(output) => Some(output),
        Err(why) => {
            println!("systemd-analyze does not run here, so nothing was checked: {why}");
            None
        }
    }
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("coordhub.service");
    // It looks whether the program is there.
    let here = hub::binary().to_string_lossy().into_owned();
    let text = read("deploy/coordhub.service").replace("/usr/local/bin/coordhub", &here);
    fs::write(&unit, text).unwrap();
    if let Some(output) = analyze(&["verify"], &unit) {
        // A key that it does not know is a warning only.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("coordhub.service"), "{said}");
    }
    let threshold = format!("--threshold={EXPOSURE_TENTHS_MAX}");
    if let Some(output) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit)
    {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
