//! Connections to a hub, and those that wait to be used again.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::address::{Address, Scheme};

/// How long a connection is kept that nobody uses: less than a hub keeps it.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// How many calls are under way at once, each on a connection of its own, and how many connections are kept.
const CALLS_MAX: usize = 64;

/// A connection that takes requests.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Makes connections, and keeps those that wait to be used again.
pub(super) struct Connector {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
    idle: Mutex<Vec<(Sender, Instant)>>,
    turns: Semaphore,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct ConnectError {
    pub(super) why: String,
    /// Whether it will be no other the next time: the hub's certificate is not one to trust.
    pub(super) is_final: bool,
}

impl Connector {
    /// Connections to `address`. Over TLS it trusts whom `ca_file` names, and otherwise whom the machine trusts. Blocks.
    pub(super) fn new(
        address: Address,
        ca_file: Option<&Path>,
        patience: Duration,
    ) -> Result<Self, String> {
        let tls = match address.scheme {
            Scheme::Http => None,
            Scheme::Https => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|_| format!("{}: this name can have no certificate", address.url))?;
                Some((TlsConnector::from(Arc::new(tls_config(ca_file)?)), name))
            }
        };
        let (idle, turns) = (Mutex::default(), Semaphore::new(CALLS_MAX));
        Ok(Self { address, tls, patience, idle, turns })
    }

    /// Waits until a call may be sent: a thousand at once take no thousand connections.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// A connection that was used before, if one is still open.
    pub(super) fn used(&self) -> Option<Sender> {
        let mut idle = self.idle();
        while let Some((sender, since)) = idle.pop() {
            if since.elapsed() > IDLE_MAX {
                // Those below have waited for even longer.
                idle.clear();
            } else if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, sender: Sender) {
        let mut idle = self.idle();
        if !sender.is_closed() && idle.len() < CALLS_MAX {
            idle.push((sender, Instant::now()));
        }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Sender, ConnectError> {
        match timeout(self.patience, self.open()).await {
            Ok(connected) => connected,
            Err(_) => {
                let why = format!("no connection within {} s", self.patience.as_secs_f32());
                Err(ConnectError { why, is_final: false })
            }
        }
    }

    async fn open(&self) -> Result<Sender, ConnectError> {
        let failed = |error: io::Error| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let is_final = matches!(tls, Some(rustls::Error::InvalidCertificate(_)));
            ConnectError { why: error.to_string(), is_final }
        };
        let stream = self.tcp().await.map_err(failed)?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(failed)?;
                Stream::Tls(Box::new(stream))
            }
        };
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            handshake.map_err(|why| ConnectError { why: why.to_string(), is_final: false })?;
        // What becomes of the connection is said to whoever asks over it.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(sender)
    }

    async fn tcp(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name leads nowhere");
        let found = lookup_host((self.address.host.as_str(), self.address.port)).await?;
        // What is meant for this machine goes to no other, whatever names mean here.
        let is_meant = |address: &SocketAddr| {
            !self.address.is_here() || address.ip().to_canonical().is_loopback()
        };
        let addresses: Vec<SocketAddr> = found.filter(is_meant).collect();
        for address in &addresses {
            // One that swallows everything leaves time for the others.
            let patience = self.patience / u32::try_from(addresses.len()).unwrap_or(1);
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(why)) => last = why,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Sender, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("address", &self.address).finish_non_exhaustive()
    }
}

fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let why = |why: String| format!("{}: {why}", PathBuf::from(path).display());
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| why(error.to_string()))?;
            for certificate in certificates {
                roots.add(certificate).map_err(|error| why(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(why("there is no certificate in it".to_owned()));
            }
        }
        // One that cannot be read is no reason to do without the others.
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err("this machine trusts no certificates; name a file with those to trust"
                    .to_owned());
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A connection of either kind.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
