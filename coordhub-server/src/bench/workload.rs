//! The workloads by their names, and a run of them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Run, calls,
    child::{Folder, Server},
    cycles,
    fanout::{self, Fanout},
    fill,
    finding::Finding,
    http::find,
    load,
    progress::Progress,
    rest,
    tokens::Tokens,
};

/// Messages for which a hub counts as small.
const FEW: u64 = 1_000;

/// One workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name, whose words are parted by hyphens.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    RecentOfFew,
    Sends(usize),
    Heartbeats(usize),
    Mixture(usize),
    OwnTasks(usize),
    ClaimNext(usize),
    Race(usize),
    Calls { sockets: usize, in_flight: usize },
    Fanout(Fanout),
    IdleSockets(usize),
    Store,
    Read { path: &'static str, needs: Option<&'static str> },
    StartUp,
}

const fn fanout(sockets: usize, senders: usize, rate: Option<u32>) -> Kind {
    Kind::Fanout(Fanout { sockets, senders, rate })
}

const fn workload(name: &'static str, kind: Kind, what: &'static str) -> Workload {
    Workload { name, what, kind }
}

/// Every workload, in the order in which they are run: what needs a small hub comes first.
#[rustfmt::skip]
pub const WORKLOADS: &[Workload] = &[
    workload("recent-few", Kind::RecentOfFew, "GET /messages/recent?limit=50 at 16 connections, 1,000 messages stored"),
    workload("sockets-idle", Kind::IdleSockets(1_000), "memory of a socket that waits"),
    workload("send-1", Kind::Sends(1), "POST /messages/send, durable, at 1 connection"),
    workload("send-16", Kind::Sends(16), "the same at 16"),
    workload("send-64", Kind::Sends(64), "the same at 64"),
    workload("send-256", Kind::Sends(256), "the same at 256"),
    workload("heartbeat-64", Kind::Heartbeats(64), "POST /entities/{id}/heartbeat at 64 connections"),
    workload("mixed-64", Kind::Mixture(64), "3 heartbeats, 3 sends, 2 recent, 1 inbox, 1 task list of ten requests, at 64 connections"),
    workload("cycle-16", Kind::OwnTasks(16), "create, claim, complete by 16 workers, each its own tasks"),
    workload("claim-next-64", Kind::ClaimNext(64), "create, claim-next, complete by 64 workers; 10,000 unfinished tasks, 1,000 waiters"),
    workload("claim-race-16", Kind::Race(16), "16 claims of one task at the same time, of which one must win"),
    workload("call-64", Kind::Calls { sockets: 64, in_flight: 8 }, "durable sends by call through 64 sockets, 8 under way on each"),
    workload("fanout-10", fanout(10, 1, None), "1 sender to 10 sockets, flat out"),
    workload("fanout-100", fanout(100, 1, None), "to 100"),
    workload("fanout-1000", fanout(1_000, 1, None), "to 1,000"),
    workload("fanout-1000-by-16", fanout(1_000, 16, None), "16 senders to 1,000 sockets, flat out"),
    workload("paced-10", fanout(10, 1, Some(100)), "1 sender, 100 messages a second, to 10 sockets"),
    workload("paced-100", fanout(100, 1, Some(100)), "to 100"),
    workload("paced-1000", fanout(1_000, 1, Some(100)), "to 1,000"),
    workload("store", Kind::Store, "fills the hub up to --messages by send-batch; memory and disk of a message"),
    workload("recent-many", Kind::Read { path: "/messages/recent?limit=50", needs: None }, "GET /messages/recent?limit=50 at 16 connections, --messages stored"),
    workload("channel-many", Kind::Read { path: "/messages/recent?channel=bench&limit=50", needs: None }, "the same of one channel"),
    workload("page-many", Kind::Read { path: "/messages/recent?before=1500&limit=50", needs: None }, "the same of long ago, from the disk"),
    workload("inbox-many", Kind::Read { path: "/messages/for/bench-0?limit=50", needs: None }, "GET /messages/for/{id}?limit=50"),
    workload("tasks-many", Kind::Read { path: "/tasks/list?status=open&limit=50", needs: None }, "GET /tasks/list?status=open&limit=50"),
    workload("search-many", Kind::Read { path: "/messages/search?q=00042%20fox&limit=50", needs: Some("/messages/search") }, "GET /messages/search, where the hub has it"),
    workload("start", Kind::StartUp, "start on a file with --messages stored; with --self only"),
];

impl Workload {
    /// Whether `wanted` is its name, or the first words of it.
    pub fn is_meant_by(&self, wanted: &str) -> bool {
        self.name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// A hub that this process started.
#[derive(Debug)]
pub struct Own {
    program: PathBuf,
    file: PathBuf,
    server: Option<Server>,
    /// Goes last, when nobody has a file in it any more.
    _folder: Folder,
}

impl Own {
    /// Starts a hub of this program, with its file in a new folder within `folder`.
    pub fn start(program: &Path, folder: &Path) -> io::Result<Self> {
        let folder = Folder::within(folder)?;
        let file = folder.path().join("coordination_hub.db");
        let server = Server::hub(program, &file)?;
        Ok(Self { program: program.to_owned(), file, server: Some(server), _folder: folder })
    }

    /// The same in token mode, with what its load shows.
    pub fn start_with_tokens(
        program: &Path,
        folder: &Path,
        options: &[&str],
    ) -> io::Result<(Self, Arc<Tokens>)> {
        let folder = Folder::within(folder)?;
        let file = folder.path().join("coordination_hub.db");
        let server = Server::hub_with(program, &file, &[&["--auth", "token"], options].concat())?;
        let mut admin = file.clone().into_os_string();
        admin.push(".admin-token");
        let admin = std::fs::read_to_string(admin)?;
        let tokens = Arc::new(Tokens::new(admin.trim().to_owned()));
        Ok((
            Self { program: program.to_owned(), file, server: Some(server), _folder: folder },
            tokens,
        ))
    }

    /// The hub.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// A run of workloads on one hub.
#[derive(Debug)]
pub struct Session {
    /// The hub, and for how long it is loaded.
    pub run: Run,
    /// The hub, where this process started it.
    pub own: Option<Own>,
    /// How many messages the workloads on a large hub want stored.
    pub messages: u64,
}

impl Session {
    /// On a hub of its own.
    pub fn on_own(
        own: Own,
        duration: Duration,
        messages: u64,
        progress: Progress,
    ) -> io::Result<Self> {
        let target = own.server().map(|server| server.target().clone());
        let target = target.ok_or_else(|| io::Error::other("the hub has stopped"))?;
        Ok(Self { run: Run::new(target, duration, progress), own: Some(own), messages })
    }

    /// Runs one workload. `None` where this hub cannot be asked for it.
    pub async fn run(&mut self, workload: &Workload) -> io::Result<Option<Finding>> {
        let progress = self.run.progress.clone();
        progress.watch(workload.name, self.run_unwatched(workload)).await
    }

    async fn run_unwatched(&mut self, workload: &Workload) -> io::Result<Option<Finding>> {
        let (run, name) = (&self.run, workload.name);
        // The others act as many entities on one connection, or over sockets.
        let is_by_lanes =
            matches!(workload.kind, Kind::Sends(_) | Kind::Heartbeats(_) | Kind::Mixture(_));
        if run.tokens.is_some() && !is_by_lanes {
            return Ok(None);
        }
        let finding = match workload.kind {
            Kind::RecentOfFew => {
                fill::messages(run, FEW).await?;
                load::reads(run, name, 16, "/messages/recent?limit=50").await?
            }
            Kind::Sends(connections) => load::sends(run, name, connections).await?,
            Kind::Heartbeats(connections) => load::heartbeats(run, name, connections).await?,
            Kind::Mixture(connections) => load::mixture(run, name, connections).await?,
            Kind::OwnTasks(workers) => cycles::own_tasks(run, name, workers).await?,
            Kind::ClaimNext(workers) => cycles::claim_next(run, name, workers).await?,
            Kind::Race(rivals) => cycles::race(run, name, rivals).await?,
            Kind::Calls { sockets, in_flight } => calls::run(run, name, sockets, in_flight).await?,
            Kind::Fanout(fanout) => fanout::run(run, name, fanout).await?,
            Kind::IdleSockets(count) => rest::idle_sockets(run, name, count).await?,
            Kind::Store => {
                let file = self.own.as_ref().map(Own::file);
                rest::store(run, name, self.messages, file).await?
            }
            Kind::Read { path, needs } => {
                if let Some(needed) = needs
                    && find(&run.get("/capabilities").await?, needed.as_bytes()).is_none()
                {
                    return Ok(None);
                }
                fill::messages(run, self.messages).await?;
                load::register(run, 1).await?;
                load::reads(run, name, 16, path).await?
            }
            Kind::StartUp => return self.start_up(name).await,
        };
        Ok(Some(finding))
    }

    async fn start_up(&mut self, name: &str) -> io::Result<Option<Finding>> {
        if self.own.is_none() {
            return Ok(None);
        }
        fill::messages(&self.run, self.messages).await?;
        let Some(own) = &mut self.own else { return Ok(None) };
        let Some(server) = own.server.take() else { return Ok(None) };
        let (finding, server) = rest::start_up(name, &own.program, &own.file, server)?;
        self.run.target = server.target().clone();
        own.server = Some(server);
        Ok(Some(finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_meant_by_its_first_words() {
        let meant = |wanted: &str| {
            WORKLOADS
                .iter()
                .filter(|it| it.is_meant_by(wanted))
                .map(|it| it.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(meant("send-1"), ["send-1"]);
        assert_eq!(meant("send").len(), 4);
        assert_eq!(meant("fanout-1000"), ["fanout-1000", "fanout-1000-by-16"]);
        assert!(meant("sen").is_empty() && meant("").is_empty());
        assert!(WORKLOADS.iter().all(|it| it.name.len() <= 22), "the table has no more room");
    }
}
