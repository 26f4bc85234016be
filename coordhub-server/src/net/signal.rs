//! SIGTERM and Ctrl-C.

use std::io;
use std::process;

use tokio::signal::unix::{self, SignalKind};
use tracing::{info, warn};

use super::drain::Drain;

/// The signals that end the hub, caught from the moment of [`Signals::install`].
#[derive(Debug)]
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

/// A request from outside to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager, or plain `kill`.
    Terminate,
}

impl Signals {
    /// Catches both signals. From here on they no longer kill the process, also before anybody
    /// asks for them.
    ///
    /// # Errors
    ///
    /// When the system refuses the handler.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    /// The next signal. Cancel safe.
    pub async fn recv(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }

    /// Begins the drain at the first signal, and ends the process at the second: whoever asks twice
    /// does not want to wait. The exit code is then [`Signal::exit_code`]; nothing is flushed, and
    /// nothing that was acknowledged is lost, since that is on disk already.
    pub async fn drive(mut self, drain: Drain) {
        let signal = self.recv().await;
        info!(?signal, "stopping; a second signal stops at once");
        drain.begin();
        let signal = self.recv().await;
        warn!(?signal, "stopped at once");
        process::exit(signal.exit_code());
    }
}

impl Signal {
    /// What a shell shows for a process that this signal killed: 130 or 143.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        let number = match self {
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
        };
        128 + number.as_raw_value()
    }
}
