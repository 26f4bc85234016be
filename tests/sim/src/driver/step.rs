//! The steps of a sequence.

use std::time::Duration;

use coordhub_core::{
    Request,
    command::{Auth, Caller, Command, Key, Role},
    ids::EntityId,
    secret::SecretHash,
};

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// One command.
    Call(Ask),
    /// Several commands that are under way at the same time.
    Burst(Vec<Ask>),
    /// Time passes, in milliseconds.
    Pass(i64),
    /// The wall clock is set, by so many milliseconds.
    Jump(i64),
    /// Somebody's socket opens, or closes.
    Socket(EntityId, bool),
    /// What was decided is committed; before, it is only ahead.
    Commit,
    /// The hub is stopped and started again.
    Restart,
    /// The hub is killed, and another goes on with what it left on disk.
    Kill,
    /// The next commit fails.
    Fault(Fault),
    /// Whoever has waited longest for something to claim waits no more.
    Leave,
    /// A command whose answer is not taken.
    Lost(Ask),
    /// Everything that can be seen is compared.
    Look,
}

/// How a commit fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The disk is full: nothing of it is written.
    Disk,
    /// The sync fails, and the batch is on disk all the same.
    SyncKept,
    /// The sync fails, and the batch is lost.
    SyncLost,
    /// The store refuses what is in the batch; each command alone goes through.
    Refused,
    /// The code has a fault, before anything is written.
    Panic,
}

/// A command, and who asks for it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Names it, and what it makes.
    pub label: u32,
    /// Who asks.
    pub caller: Option<EntityId>,
    /// What it may do.
    pub role: Role,
    /// The token that it shows: in open mode none.
    pub token: Option<SecretHash>,
    /// For what; ids that the hub makes stand in it as labels.
    pub command: Command,
    /// Under which key.
    pub key: Option<Key>,
    /// How long it waits for something to claim.
    pub wait_seconds: u64,
}

impl Ask {
    /// The request to the hub, with labels as they are.
    pub fn request(&self) -> Request {
        // Whoever joins shows an invite, and has no token yet.
        let is_open = self.token.is_none() && !matches!(self.command, Command::Join(_));
        let auth = if is_open { Auth::Open } else { Auth::Token };
        let (id, role, token) = (self.caller.clone(), self.role, self.token);
        Request {
            caller: Caller { id, role, auth, token },
            command: self.command.clone(),
            key: self.key.clone(),
            wait: Duration::from_secs(self.wait_seconds),
            origin: None,
        }
    }
}
