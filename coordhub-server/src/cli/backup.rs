//! `coordhub backup` and `coordhub restore`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use crate::access::secret::{Kind, Secret};
use clap::Args;
use coordhub_core::{
    Timestamp,
    store::upkeep::{self, Copied, IfThere, Restored, Revocations, Tokens},
};

use super::{DbArgs, ended, tell, values};

/// Copies the hub's file, while a hub runs on it or not.
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The copy to make. In a folder that is there it gets a name with the time.
    #[arg(value_name = "FILE")]
    target: PathBuf,

    /// How many of the copies in that folder are kept: the oldest ones beyond are removed.
    #[arg(long, value_parser = values::count, value_name = "COUNT")]
    keep: Option<usize>,

    #[command(flatten)]
    db: DbArgs,
}

/// Puts a backup in the place of a hub's file, as another history.
#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "FILE")]
    backup: PathBuf,

    /// Keeps a file that is there already under another name, instead of refusing.
    #[arg(long)]
    replace: bool,

    /// Revokes every token and invite of the backup, and tells a new token of the admin. Without it those
    /// are revoked that the replaced file says were, since the backup.
    #[arg(long)]
    revoke_tokens: bool,

    #[command(flatten)]
    db: DbArgs,
}

pub(crate) fn back_up(args: &BackupArgs) -> ExitCode {
    ended(make_backup(args))
}

fn make_backup(args: &BackupArgs) -> Result<(), String> {
    let db = &args.db.db;
    let names = args.target.is_dir().then(|| Names::of(&args.target, db));
    if args.keep.is_some() && names.is_none() {
        let target = args.target.display();
        return Err(format!("--keep counts the copies in a folder, and {target} is none"));
    }
    let target = names.as_ref().map_or_else(|| args.target.clone(), |names| names.at(now()));
    let Copied { path, bytes, history } =
        upkeep::backup(db, &target).map_err(|why| why.to_string())?;
    let (path, epoch, head) = (path.display(), history.epoch, history.head);
    tell(&format!("backed up to {path}: {bytes} bytes, events up to {head} of epoch {epoch}\n"))?;
    match (names, args.keep) {
        (Some(names), Some(keep)) => names.keep(keep).map_err(|why| {
            format!(
                "the backup is made, and older ones in {} are not removed: {why}",
                names.folder.display()
            )
        }),
        _ => Ok(()),
    }
}

/// The names of the backups in a folder: that of the file, and the time. They sort by age.
struct Names {
    folder: PathBuf,
    stem: String,
}

impl Names {
    fn of(folder: &Path, db: &Path) -> Self {
        let stem = db.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { folder: folder.to_owned(), stem }
    }

    fn at(&self, time: Timestamp) -> PathBuf {
        let time = time.to_string().replace(':', "-");
        self.folder.join(format!("{}-{time}.db", self.stem))
    }

    /// Whether a file is called as one of these.
    fn includes(&self, name: &str) -> bool {
        let time = name
            .strip_prefix(&self.stem)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(".db"));
        let shape = "0000-00-00T00-00-00.000Z";
        time.is_some_and(|time| {
            let fits = |(letter, form): (char, char)| {
                if form == '0' { letter.is_ascii_digit() } else { letter == form }
            };
            time.len() == shape.len() && time.chars().zip(shape.chars()).all(fits)
        })
    }

    /// Removes all but the newest `count`.
    fn keep(&self, count: usize) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if self.includes(&name) {
                names.push(name);
            }
        }
        names.sort();
        let old = names.len().saturating_sub(count);
        names[..old].iter().try_for_each(|name| fs::remove_file(self.folder.join(name)))
    }
}

pub(crate) fn restore(args: &RestoreArgs) -> ExitCode {
    ended(make_restored(args))
}

fn make_restored(args: &RestoreArgs) -> Result<(), String> {
    let if_there = if args.replace { IfThere::PutAside } else { IfThere::Refuse };
    let fresh = args.revoke_tokens.then(|| Secret::new(Kind::Token)).transpose();
    let fresh = fresh.map_err(|why| format!("the system gives no random bytes: {why}"))?;
    let tokens = fresh.as_ref().map_or(Tokens::ButRevoked, |secret| Tokens::NoneBut(secret.hash()));
    let Restored { file, epoch_before, put_aside, revocations } =
        upkeep::restore(&args.backup, &args.db.db, if_there, tokens)
            .map_err(|why| why.to_string())?;
    let (path, head, epoch) = (file.path.display(), file.history.head, file.history.epoch);
    let mut text = format!(
        "restored {path}: events up to {head}, now of epoch {epoch} (the backup is of {epoch_before})\n"
    );
    if let Some(aside) = put_aside {
        text += &format!("the file that was there is {}\n", aside.display());
    }
    text += &told_of(&revocations, fresh.is_some());
    if let Some(secret) = fresh {
        text += &format!("{}\n", secret.expose());
    }
    tell(&text)
}

fn told_of(revocations: &Revocations, are_all_revoked: bool) -> String {
    let Revocations { tokens, rotated, invites, unknown } = revocations;
    let mut text = String::new();
    if tokens + rotated + invites > 0 {
        text += &format!(
            "{tokens} tokens and {invites} invites of the backup are revoked, {rotated} tokens have the secret that they were given since\n"
        );
    }
    if are_all_revoked {
        text += "a new token of the admin is told below, and is kept nowhere\n";
    } else if let Some(why) = unknown {
        text += &format!(
            "tokens and invites that were revoked since the backup may be good again, for {why}; --revoke-tokens revokes all\n"
        );
    }
    text
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_in_a_folder_are_known_by_their_names_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = Names::of(folder.path(), Path::new("/var/hub.db"));
        let made: Vec<_> =
            (0..4).map(|n| names.at(Timestamp::from_millis(n * 86_400_000))).collect();
        assert!(made[1].ends_with("hub-1970-01-02T00-00-00.000Z.db"), "{:?}", made[1]);
        let others = ["hub-notes.db", "hub-2-1970-01-01T00-00-00.000Z.db", "hub.db"];
        for path in made.iter().cloned().chain(others.map(|name| folder.path().join(name))) {
            fs::write(path, "x").expect("a file");
        }
        names.keep(2).expect("removes");
        let left: Vec<bool> = made.iter().map(|path| path.exists()).collect();
        assert_eq!(left, [false, false, true, true]);
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
    }
}
