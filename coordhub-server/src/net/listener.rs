//! Binding, and reporting what was bound.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::connection::Connections;

/// How often a pair of loopback ports is tried when the system chooses the number: the one that is
/// free for IPv4 may be taken for IPv6.
const PAIR_ATTEMPTS_MAX: u32 = 16;

/// The bound, listening sockets of the hub.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use coordhub_server::net::Listeners;
///
/// let listeners = Listeners::bind(&["127.0.0.1:0".parse()?]).await?;
/// assert_ne!(listeners.local_addresses()[0].port(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    connections: Arc<Connections>,
}

/// A listening socket and the address that it really has.
type Bound = (TcpListener, SocketAddr);

/// Why the hub could not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens there already.
    #[error("{address} is already in use: is another hub running? --bind chooses another address")]
    InUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// Anything else, such as an address that this machine does not have.
    #[error("cannot listen on {address}: {source}")]
    Failed {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The caller named no address.
    #[error("no address to listen on: --bind names one")]
    Nothing,
}

impl Listeners {
    /// Binds every address. `127.0.0.1` brings `[::1]` with it, on the same port, where the machine
    /// has it and the list does not name it: `localhost` means either, and which of them a client
    /// tries first is not ours to choose. Port 0 asks the system for a free one.
    ///
    /// # Errors
    ///
    /// [`BindError`] names the address that could not be bound. A twin whose port belongs to
    /// somebody else is an error too, since half of the clients of `localhost` would reach them.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let mut bound = Vec::new();
        for &address in addresses {
            if wants_twin(address, addresses) {
                bound.extend(bind_pair(address).await?);
            } else {
                bound.push(bind_one(address).await?);
            }
        }
        if bound.is_empty() {
            return Err(BindError::Nothing);
        }
        let (sockets, addresses) = bound.into_iter().unzip();
        Ok(Self { sockets, addresses, connections: Arc::default() })
    }

    /// The addresses that were bound, with their real ports, in the order in which they were asked
    /// for; a loopback twin follows its elder.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What is counted of the connections that come in here.
    #[must_use]
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// The next connection on any of the sockets. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| {
            for socket in &self.sockets {
                if let Poll::Ready(accepted) = socket.poll_accept(cx) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn wants_twin(address: SocketAddr, asked: &[SocketAddr]) -> bool {
    let twin = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    address.ip() == Ipv4Addr::LOCALHOST && !asked.contains(&twin)
}

async fn bind_pair(address: SocketAddr) -> Result<Vec<Bound>, BindError> {
    let mut attempts_left = if address.port() == 0 { PAIR_ATTEMPTS_MAX } else { 1 };
    loop {
        let elder = bind_one(address).await?;
        let twin = SocketAddr::from((Ipv6Addr::LOCALHOST, elder.1.port()));
        attempts_left -= 1;
        match bind_one(twin).await {
            Ok(twin) => return Ok(vec![elder, twin]),
            Err(BindError::InUse { .. }) if attempts_left > 0 => {}
            Err(error @ BindError::InUse { .. }) => return Err(error),
            Err(error) => {
                // A machine without IPv6 answers with one of several codes, by what exactly is off.
                debug!(%error, "serving IPv4 loopback only");
                return Ok(vec![elder]);
            }
        }
    }
}

async fn bind_one(address: SocketAddr) -> Result<Bound, BindError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Failed { address, source },
    };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let local = socket.local_addr().map_err(failed)?;
    Ok((socket, local))
}
