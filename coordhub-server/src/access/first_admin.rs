//! The admin's token, which a hub in token mode makes when it is started for the first time.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use coordhub_core::{
    Hub, HubError,
    command::{Caller, Command, IssueToken, Role},
    ids::EntityId,
};

use super::secret::{Kind, Secret};

/// There is no admin, and none could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirstAdminError {
    /// The file cannot be written.
    #[error("the admin's token cannot be written to {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is a file already, and no token of ours in it.
    #[error(
        "{path} should hold the admin's token and {why}; move it away and start again, and the hub makes another"
    )]
    Unfit {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system has no randomness.
    #[error("the system gives no random bytes for the admin's token: {0}")]
    NoRandomness(#[from] getrandom::Error),
    /// The hub did not take it.
    #[error("the admin's token cannot be kept: {0}")]
    Hub(#[from] HubError),
}

/// What people call the token.
const NAME: &str = "first admin";

/// Makes sure that somebody can run the hub. Where nobody can it makes a token and writes it beside the
/// hub's file, for nobody else's eyes; where that file is already, as after a start that broke off here,
/// or because somebody put it there beforehand, the token in it is taken. The path, where this was so.
///
/// Blocks.
pub fn ensure(hub: &Hub, db: &Path) -> Result<Option<PathBuf>, FirstAdminError> {
    if hub.has_admin() {
        return Ok(None);
    }
    let path = file_of(db);
    // First the file: a token that the hub knows and nobody has would lock everybody out.
    let secret = kept(&path)?;
    let issue = IssueToken {
        entity_id: EntityId::admin(),
        role: Role::Admin,
        name: NAME.to_owned(),
        hash: secret.hash(),
    };
    hub.call(Caller::hub(), Command::IssueToken(issue))?;
    Ok(Some(path))
}

/// Where the token is written.
fn file_of(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".admin-token");
    name.into()
}

fn kept(path: &Path) -> Result<Secret, FirstAdminError> {
    let io = |source| FirstAdminError::Io { path: path.display().to_string(), source };
    match create(path) {
        Ok(mut file) => {
            let secret = Secret::new(Kind::Token)?;
            let line = format!("{}\n", secret.expose());
            let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
            if let Err(error) = written.and_then(|()| sync_folder(path)) {
                // Half a token would only be in the way of the next start.
                let _removed = fs::remove_file(path);
                return Err(io(error));
            }
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(io(error)),
    }
}

/// Has the file's name on disk as well: the hub is about to keep the hash for good.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _path = path;
    Ok(())
}

fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn read(path: &Path) -> Result<Secret, FirstAdminError> {
    let io = |source| FirstAdminError::Io { path: path.display().to_string(), source };
    let unfit = |why| FirstAdminError::Unfit { path: path.display().to_string(), why };
    let about = fs::symlink_metadata(path).map_err(io)?;
    if !about.is_file() {
        return Err(unfit("is no file"));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0 {
        return Err(unfit("can be read by others than its owner"));
    }
    let mut text = String::new();
    // A token is short; what is longer is none.
    let file = fs::File::open(path).map_err(io)?;
    file.take(1_024).read_to_string(&mut text).map_err(io)?;
    Secret::parse(Kind::Token, text.trim()).ok_or_else(|| unfit("holds none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_a_file_that_is_there_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = folder.path().join("hub.db");
        let hub = Hub::open(&db).expect("opens");
        let path = ensure(&hub, &db).expect("makes one").expect("wrote it");
        let secret = read(&path).expect("holds a token");
        assert!(hub.authenticate(&secret.hash()).is_some_and(|who| who.role == Role::Admin));
        assert!(ensure(&hub, &db).expect("has one").is_none());
        // Another hub beside the same file has the same admin.
        let other = Hub::in_memory().expect("opens");
        assert!(ensure(&other, &db).expect("takes it").is_some());
        assert!(other.authenticate(&secret.hash()).is_some());
    }

    #[test]
    fn a_file_that_is_unfit_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = folder.path().join("hub.db");
        fs::write(file_of(&db), "something else\n").expect("writes");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(file_of(&db), mode).expect("sets the mode");
        }
        let hub = Hub::in_memory().expect("opens");
        let refused = ensure(&hub, &db);
        assert!(matches!(refused, Err(FirstAdminError::Unfit { .. })), "{refused:?}");
        assert!(!hub.has_admin());
    }
}
