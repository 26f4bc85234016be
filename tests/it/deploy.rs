//! What is in `deploy/`, and what `docs/operations.md` says of it, against the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coordhub_harness::{Hub, HubOptions, hub};

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

/// Runs systemd-analyze, which not every machine has; those of `tests/run` do.
fn analyze(args: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).arg(unit).output() {
        Ok(output) => Some(output),
        Err(why) => {
            crate::support::not_here("systemd-analyze", &why);
            None
        }
    }
}

#[test]
fn the_backup_runs_as_the_hubs_user_and_its_command_is_one() {
    let unit = read("deploy/coordhub-backup.service");
    let hub = read("deploy/coordhub.service");
    assert_eq!(values(&unit, "User"), ["coordhub"]);
    for key in ["DynamicUser", "StateDirectoryMode", "UMask", "NoNewPrivileges", "ProtectSystem"] {
        assert_eq!(values(&unit, key), values(&hub, key), "{key}");
    }
    let [start] = values(&unit, "ExecStart")[..] else { panic!("one ExecStart") };
    let [serve] = values(&hub, "ExecStart")[..] else { panic!("one ExecStart") };
    let (_, db) = serve.split_once("--db ").unwrap();
    assert!(start.ends_with(&format!("--db {db}")), "{start}");
    let output = Command::new(hub::binary()).args(["backup", "--help"]).output().unwrap();
    let known = named(&String::from_utf8(output.stdout).unwrap());
    let unknown: Vec<_> = named(start).difference(&known).cloned().collect();
    assert!(unknown.is_empty(), "a backup has no {unknown:?}");
    assert!(read("docs/operations.md").contains("deploy/coordhub-backup.timer"));
}

/// The line of the unit itself, with the folder and the program of this test: as the timer would, beside a hub that works.
#[tokio::test]
async fn what_the_timer_starts_makes_a_backup_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordination_hub.db");
    let hub = Hub::start(HubOptions::default().db(&file));
    // systemd makes it, as a StateDirectory of the unit.
    let unit = read("deploy/coordhub-backup.service");
    assert_eq!(values(&unit, "StateDirectory"), ["coordhub coordhub/backups"]);
    let backups = folder.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let [start] = values(&unit, "ExecStart")[..] else { panic!("one ExecStart") };
    let line = start
        .replace("/usr/local/bin/coordhub", &hub::binary().to_string_lossy())
        .replace("/var/lib/coordhub", &folder.path().to_string_lossy());
    let run = |words: &str| {
        let mut words = words.split(' ');
        let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    };
    for nth in 0..2 {
        hub.say("ai", "general", &format!("night {nth}")).await;
        run(&line);
    }
    let mut made: Vec<_> =
        fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().path()).collect();
    made.sort();
    assert_eq!(made.len(), 2, "{made:?}");
    let newest = made.last().unwrap();
    // It is a hub's file, which opens and has what was said before it was made.
    let again = Hub::start(HubOptions::default().db(newest));
    let said = again.get_ok("/messages/recent").await.to_string();
    assert!(said.contains("night 1"), "{said}");
    // And the document's own line makes another.
    let document = read("docs/operations.md");
    let shown = document.lines().find(|line| line.starts_with("coordhub backup /var/backups"));
    let shown = shown.expect("it is documented");
    run(&shown
        .replacen("coordhub", &hub::binary().to_string_lossy(), 1)
        .replace("/var/backups/coordhub", &backups.to_string_lossy())
        .replace("/var/lib/coordhub", &folder.path().to_string_lossy()));
}

#[test]
fn systemd_takes_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["coordhub.service", "coordhub-backup.service"] {
        takes(folder.path(), name);
    }
    let timer = folder.path().join("coordhub-backup.timer");
    let text = read("deploy/coordhub-backup.timer");
    fs::write(&timer, &text).unwrap();
    let [each] = values(&text, "OnCalendar")[..] else { panic!("one OnCalendar") };
    if let Some(output) = analyze(&["calendar"], Path::new(each)) {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("Next elapse"), "{output:?}");
    }
    if let Some(output) = analyze(&["verify"], &timer) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("coordhub-backup"), "{said}");
    }
}

fn takes(folder: &Path, name: &str) {
    let unit = folder.join(name);
    // It looks whether the program is there.
    let here = hub::binary().to_string_lossy().into_owned();
    let text = read(&format!("deploy/{name}")).replace("/usr/local/bin/coordhub", &here);
    fs::write(&unit, text).unwrap();
    if let Some(output) = analyze(&["verify"], &unit) {
        // A key that it does not know is a warning only.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains(name), "{said}");
    }
    let threshold = format!("--threshold={EXPOSURE_TENTHS_MAX}");
    if let Some(output) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit)
    {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
