//! The library in this process, without HTTP: what it can write, and in what batches.

use std::{
    collections::VecDeque,
    env, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use coordhub_core::{
    Hub,
    command::{Caller, Command, Send},
    ids::{ChannelName, EntityId},
};
use coordhub_server::bench::child::Folder;

/// What is to be written.
#[derive(Args, Clone)]
pub(crate) struct CoreArgs {
    /// For how long.
    #[arg(long, default_value_t = 1_000, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(50..=60_000))]
    millis: u64,
    /// How many messages are under way at a time.
    #[arg(long, default_value_t = 1_024, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=65_536))]
    under_way: u32,
    /// Where the file is; on the disk that is to be measured.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Writes, and prints one JSON object.
pub(crate) fn run(args: &CoreArgs) -> io::Result<()> {
    let folder = Folder::within(&args.dir.clone().unwrap_or_else(env::temp_dir))?;
    let core = Core::open(&folder.path().join("core.db"))?;
    let (under_way, millis) = (args.under_way as usize, Duration::from_millis(args.millis));
    core.tickets(under_way, millis / 10)?;
    let written = core.tickets(under_way, millis)?;
    println!(
        "{{\"messages_per_second\":{:.0},\"messages_per_commit\":{:.0}}}",
        written.per_second, written.batch
    );
    Ok(())
}

/// What a run wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// Messages a second.
    pub(crate) per_second: f64,
    /// How many messages one transaction had, on the average.
    pub(crate) batch: f64,
}

/// A hub and what is sent to it.
pub(crate) struct Core {
    hub: Hub,
    caller: Caller,
    send: Send,
}

impl Core {
    /// A hub on a new file.
    pub(crate) fn open(file: &Path) -> io::Result<Self> {
        let hub = Hub::open(file).map_err(io::Error::other)?;
        let sender = EntityId::parse("bench-0").map_err(io::Error::other)?;
        let channel = ChannelName::parse("bench").map_err(io::Error::other)?;
        let content = "load 00000: the quick brown fox jumps over the lazy dogs";
        let send = Send::on_channel(sender.clone(), channel, content);
        Ok(Self { hub, caller: Caller::named(sender), send })
    }

    /// One thread that has so many tickets under way.
    pub(crate) fn tickets(&self, under_way: usize, duration: Duration) -> io::Result<Written> {
        self.measure(|| {
            let submit = || {
                let command = Command::Send(self.send.clone());
                self.hub.submit(self.caller.clone(), command).map_err(io::Error::other)
            };
            let mut tickets = VecDeque::with_capacity(under_way);
            let until = Instant::now() + duration;
            while Instant::now() < until {
                while tickets.len() < under_way {
                    tickets.push_back(submit()?);
                }
                // Half of them, so that the writer always finds some that wait.
                for ticket in tickets.drain(..under_way / 2) {
                    ticket.wait().map_err(io::Error::other)?;
                }
            }
            for ticket in tickets {
                ticket.wait().map_err(io::Error::other)?;
            }
            Ok(())
        })
    }

    /// So many threads that wait for each answer.
    pub(crate) fn threads(&self, count: usize, duration: Duration) -> io::Result<Written> {
        self.measure(|| {
            let until = Instant::now() + duration;
            let work = || {
                while Instant::now() < until {
                    let command = Command::Send(self.send.clone());
                    self.hub.call(self.caller.clone(), command).map_err(io::Error::other)?;
                }
                Ok(())
            };
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
                let mut ended = threads.into_iter().map(|thread| thread.join());
                ended.try_for_each(|it| it.unwrap_or_else(|_| Err(io::Error::other("a panic"))))
            })
        })
    }

    fn measure(&self, work: impl FnOnce() -> io::Result<()>) -> io::Result<Written> {
        let (head, commits) = (self.hub.head_seq(), self.hub.commits());
        let started = Instant::now();
        work()?;
        let messages = (self.hub.head_seq() - head) as f64;
        let commits = (self.hub.commits() - commits).max(1) as f64;
        let elapsed = started.elapsed().as_secs_f64();
        Ok(Written { per_second: messages / elapsed, batch: messages / commits })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.hub.close();
    }
}
