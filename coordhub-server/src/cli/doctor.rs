//! `coordhub doctor`: whether a hub is well, and what to do where it is not.

use std::{
    ffi::OsString,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{Config, net::Tls};
use clap::{Args, CommandFactory, Parser};
use coordhub_core::store::upkeep::{self, Depth, Examined, Finding, Health};
use rustix::fs::{Access, access, statvfs};
use serde_json::json;

use super::{Cli, DbArgs, backup::now, ended, serve::ServeArgs, tell};

/// With less room than this the hub will soon refuse to write.
const ROOM_BYTES_MIN: u64 = 64 << 20;

/// Looks at the hub's file, what stands beside it, the machine, and the configuration. Changes nothing,
/// and may be run beside a hub.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Does not hold every index against its table: quicker on a large file.
    #[arg(long)]
    quick: bool,

    /// Says it as JSON, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    db: DbArgs,
}

/// Exit status 0 where nothing is bad.
pub(crate) fn run(args: &DoctorArgs) -> ExitCode {
    let db = &args.db.db;
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let Examined { mut findings, is_in_use } = upkeep::examine(db, depth, now());
    findings.extend(examine_folder(db));
    findings.extend(examine_configuration(is_in_use));
    let text = if args.json { as_json(&findings) } else { as_text(&findings) };
    let worst = findings.iter().map(|finding| finding.health).max();
    match (tell(&text), worst) {
        (Ok(()), Some(Health::Bad)) => ExitCode::FAILURE,
        (told, _) => ended(told),
    }
}

fn as_text(findings: &[Finding]) -> String {
    let line = |Finding { check, health, found, advice }: &Finding| {
        let advice = advice.as_ref().map_or(String::new(), |advice| format!(". {advice}"));
        let line = format!("{:<8} {check}: {found}{advice}", health.as_str());
        line.replace('\n', " ") + "\n"
    };
    findings.iter().map(line).collect()
}

fn as_json(findings: &[Finding]) -> String {
    let object = |Finding { check, health, found, advice }: &Finding| json!({ "check": check, "health": health.as_str(), "found": found, "advice": advice });
    let is_well = findings.iter().all(|finding| finding.health != Health::Bad);
    let all: Vec<_> = findings.iter().map(object).collect();
    json!({ "well": is_well, "findings": all }).to_string() + "\n"
}

/// The disk that the file is on.
fn examine_folder(db: &Path) -> Vec<Finding> {
    let real = db.canonicalize().unwrap_or_else(|_| db.to_owned());
    let folder = match real.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    vec![examine_room(&folder, &real), examine_writable(&folder, &real)]
}

fn examine_room(folder: &Path, db: &Path) -> Finding {
    let bytes = std::fs::metadata(db).map_or(0, |found| found.len());
    let free = match statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(why) => {
            let found = format!("{} cannot be looked at: {why}", folder.display());
            return Finding::of("disk", Health::Bad, found, "see that the folder is there");
        }
    };
    let found =
        format!("{} MiB are free where the file is, which has {} MiB", free >> 20, bytes >> 20);
    if free < ROOM_BYTES_MIN {
        Finding::of(
            "disk",
            Health::Bad,
            found,
            "make room: a hub on a full disk refuses every change",
        )
    } else if free < bytes {
        let advice = "make room: a backup or a restore beside the file would not fit";
        Finding::of("disk", Health::Warning, found, advice)
    } else {
        Finding::well("disk", found)
    }
}

fn examine_writable(folder: &Path, db: &Path) -> Finding {
    let may_write = |path: &Path| access(path, Access::WRITE_OK | Access::READ_OK);
    let denied = [folder, db].into_iter().filter(|path| path.exists()).find_map(|path| {
        may_write(path).err().map(|why| format!("{} cannot be written: {why}", path.display()))
    });
    match denied {
        None => Finding::well("writable", "the file and its folder can be written"),
        Some(found) => {
            let advice = "run the hub, and this, as the user that owns them";
            Finding::of("writable", Health::Bad, found, advice)
        }
    }
}

/// Takes the options of a start from the environment alone, as a service manager gives them.
#[derive(Debug, Parser)]
#[command(name = "serve", no_binary_name = true)]
struct Environment {
    #[command(flatten)]
    serve: ServeArgs,
}

/// What `coordhub serve` would be told by this environment.
fn examine_configuration(is_in_use: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let unknown = unknown_variables(std::env::vars_os().map(|(name, _)| name));
    if !unknown.is_empty() {
        let found =
            format!("the environment has {}, and no option is called so", unknown.join(", "));
        let advice = "compare it with `coordhub serve --help`, and with that of the other commands";
        findings.push(Finding::of("options", Health::Warning, found, advice));
    }
    let serve = match Environment::try_parse_from(std::iter::empty::<OsString>()) {
        Ok(environment) => environment.serve,
        Err(wrong) => {
            let text = wrong.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let advice = "correct it in the environment, or in the file that sets it";
            findings.push(Finding::of("options", Health::Bad, line, advice));
            return findings;
        }
    };
    if findings.is_empty() {
        findings.push(Finding::well("options", "those in the environment are as they should be"));
    }
    let config = serve.into_config();
    findings.extend(examine_network(&config));
    findings.extend(config.bind.iter().map(|address| examine_address(*address, is_in_use)));
    findings
}

/// Whether a hub would listen there at all, and could speak TLS where it is to.
fn examine_network(config: &Config) -> Vec<Finding> {
    let auth = config.auth.as_str();
    let mut findings = vec![match config.network.check(&config.bind, config.auth) {
        Ok(()) => Finding::well("network", format!("may be listened to in {auth} mode")),
        Err(why) => {
            let advice = "change it in the environment, or in the file that sets it";
            Finding::of("network", Health::Bad, why.to_string(), advice)
        }
    }];
    findings.extend(config.network.tls.as_ref().map(|files| match Tls::load(files) {
        Ok(_) => Finding::well("certificate", "it and its key can be used"),
        Err(why) => {
            let advice = "see that --tls-cert and --tls-key name the two, and that the hub's user may read them";
            Finding::of("certificate", Health::Bad, why.to_string(), advice)
        }
    }));
    findings
}

fn examine_address(address: SocketAddr, is_in_use: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::well("address", format!("{address} is free")),
        Err(_) if is_in_use => {
            Finding::well("address", format!("{address} is in use, as by the hub"))
        }
        Err(why) => {
            let found = format!("{address} cannot be had: {why}");
            let advice = "end the program that has it, or choose another with --bind";
            Finding::of("address", Health::Warning, found, advice)
        }
    }
}

/// Variables that look like options of ours and are none.
fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    /// Of the scripts and programs of `examples/`, and of the tests; a token is no option.
    const OTHERS: [&str; 4] = ["COORDHUB_URL", "COORDHUB_ENTITY", "COORDHUB_TOKEN", "COORDHUB_BIN"];
    let program = Cli::command();
    let is_known = |name: &str| OTHERS.contains(&name) || has_variable(&program, name);
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let ours = names.filter(|name| name.starts_with("COORDHUB_"));
    ours.filter(|name| !is_known(name)).collect()
}

/// Whether an option of this command, or of one below it, is also taken from this variable.
fn has_variable(command: &clap::Command, name: &str) -> bool {
    command.get_arguments().any(|option| option.get_env().is_some_and(|env| env == name))
        || command.get_subcommands().any(|below| has_variable(below, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_told() {
        let names = ["COORDHUB_DB", "COORDHUB_BINDD", "HOME", "COORDHUB_URL", "COORDHUB_CA_FILE"];
        let names = names.map(OsString::from);
        assert_eq!(unknown_variables(names.into_iter()), ["COORDHUB_BINDD"]);
    }

    #[test]
    fn what_a_start_would_refuse_is_told() {
        let check = |words: &[&str], expected: &[(&str, Health)]| {
            let words = words.iter().map(OsString::from);
            let serve = Environment::try_parse_from(words).expect("options").serve;
            let found = examine_network(&serve.into_config());
            let found: Vec<_> = found.iter().map(|one| (one.check, one.health)).collect();
            assert_eq!(found, expected);
        };
        check(&["--bind", "127.0.0.1:0"], &[("network", Health::Well)]);
        check(&["--bind", "0.0.0.0:0"], &[("network", Health::Bad)]);
        check(&["--bind", "0.0.0.0:0", "--auth", "token"], &[("network", Health::Bad)]);
        check(
            &["--bind", "0.0.0.0:0", "--auth", "token", "--behind-proxy", "10.0.0.1"],
            &[("network", Health::Well)],
        );
        check(
            &["--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"],
            &[("network", Health::Well), ("certificate", Health::Bad)],
        );
    }

    #[test]
    fn a_finding_is_one_line() {
        let findings = [
            Finding::well("file", "is\nthere"),
            Finding::of("disk", Health::Bad, "is full", "make room"),
        ];
        assert_eq!(
            as_text(&findings),
            "ok       file: is there\nbad      disk: is full. make room\n"
        );
        assert!(as_json(&findings).starts_with("{\"well\":false,"));
    }
}
