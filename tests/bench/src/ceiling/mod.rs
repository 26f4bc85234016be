//! What the hub is compared with: each the least that can do the work, on the same libraries, with nothing kept.

mod http;
mod sockets;
pub(crate) mod sqlite;

use std::{ffi::OsString, io, net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use coordhub_server::bench::child::Server;
use tokio::net::TcpListener;

/// A server that does the least that can be done.
#[derive(Args, Clone)]
pub(crate) struct CeilingArgs {
    kind: Kind,
    /// The size of the body that everything is answered with.
    #[arg(long, default_value_t = 500)]
    reply_bytes: usize,
    /// The size of the text that sockets get.
    #[arg(long, default_value_t = 450)]
    frame_bytes: usize,
    /// What is written and synced before each answer, a block at a time.
    #[arg(long)]
    sync: Option<PathBuf>,
}

/// Which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    /// hyper, which answers everything with the same body.
    Http,
    /// tokio-tungstenite, each message written by itself.
    Sockets,
    /// tokio-tungstenite, what waits for a socket joined into one write.
    Joined,
}

impl CeilingArgs {
    /// One with usual sizes.
    pub(crate) fn new(kind: Kind, reply_bytes: usize, frame_bytes: usize) -> Self {
        Self { kind, reply_bytes, frame_bytes, sync: None }
    }

    /// Syncs before each answer.
    pub(crate) fn syncing(self, file: PathBuf) -> Self {
        Self { sync: Some(file), ..self }
    }

    /// Starts it as a child of this process.
    pub(crate) fn start(&self) -> io::Result<Server> {
        let kind = self.kind.to_possible_value().map(|value| value.get_name().to_owned());
        let words = [
            "ceiling".into(),
            kind.unwrap_or_default(),
            format!("--reply-bytes={}", self.reply_bytes),
            format!("--frame-bytes={}", self.frame_bytes),
        ];
        let mut words: Vec<OsString> = words.map(OsString::from).into();
        if let Some(file) = &self.sync {
            words.extend(["--sync".into(), file.into()]);
        }
        Server::start(&std::env::current_exe()?, &words)
    }
}

/// Serves until it is killed.
pub(crate) fn serve(args: &CeilingArgs) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listener = TcpListener::bind(loopback).await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        match args.kind {
            Kind::Http => {
                let sync = args.sync.clone().map(http::Synced::create).transpose()?;
                http::serve(listener, args.reply_bytes, sync).await
            }
            Kind::Sockets | Kind::Joined => {
                sockets::serve(listener, args.reply_bytes, args.frame_bytes, args.kind).await
            }
        }
    })
}
